"use strict";
(() => {
  const charts = new Map(); // name -> {drawing, view, width, chosen}
  const CONFIG = {
    background: null,
    aria: false,
    view: { stroke: null },
    font: "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif",
    axis: { labelColor: "#55595e", titleColor: "#1d1f21", gridColor: "#e8e8e4", domainColor: "#d5d5d0",
      tickColor: "#d5d5d0", labelFontSize: 11, titleFontSize: 12, titleFontWeight: "normal" },
    legend: { labelColor: "#55595e", titleColor: "#1d1f21", titleFontWeight: "normal" },
    text: { color: "#55595e" },
  };
  const figureOf = (name) => document.querySelector(`figure[data-chart="${name}"]`);
  const column = () => Math.floor(document.querySelector("main").clientWidth);

  async function draw(name) {
    const chart = charts.get(name);
    const place = figureOf(name)?.querySelector(".drawing");
    if (!place) return;
    const width = column();
    const { spec, height } = chart.drawing;
    const sized = { ...spec, width, height, autosize: { type: "fit", contains: "padding" } };
    const old = chart.result;
    chart.width = width;
    const view = document.createElement("div");
    view.setAttribute("aria-hidden", "true"); // its place has a label and a description
    const made = vegaEmbed(view, sized, { actions: false, ast: true, config: CONFIG, renderer: "svg" });
    chart.result = await made;
    place.replaceChildren(view);
    old?.finalize();
    await choose(name);
  }

  // Charts in view first, then the others, one by one, so that the page answers meanwhile.
  const pause = () => new Promise((done) => setTimeout(done));
  const inView = (name) => {
    const place = figureOf(name).getBoundingClientRect();
    return place.height > 0 && place.top < 1.5 * innerHeight;
  };
  async function drawAll() {
    const names = [...charts.keys()];
    const first = names.filter(inView);
    const { dataset } = document.documentElement;
    for (const name of first) { await pause(); await draw(name); }
    dataset.ready = "true";
    for (const name of names) if (!first.includes(name)) { await pause(); await draw(name); }
    dataset.drawn = "true";
  }

  // -- the legend highlights series ------------------------------------------------------------

  const buttons = (name) => [...(figureOf(name)?.querySelectorAll(".series") ?? [])];

  async function choose(name) {
    const { result, chosen } = charts.get(name);
    for (const button of buttons(name)) {
      button.setAttribute("aria-pressed", String(chosen.has(button.dataset.series)));
    }
    try {
      await result?.view.signal("chosen", [...chosen].map(Number)).runAsync();
    } catch { /* this drawing has no series to highlight */ }
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest?.(".series");
    if (!button) return;
    const name = button.closest("figure").dataset.chart;
    const { chosen } = charts.get(name);
    const key = button.dataset.series;
    if (!chosen.delete(key)) chosen.add(key);
    choose(name);
  });

  // -- width and print -------------------------------------------------------------------------

  let waiting;
  addEventListener("resize", () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => { if (!matchMedia("print").matches) redrawNarrower(); }, 150);
  });
  async function redrawNarrower() {
    for (const [name, chart] of charts) if (chart.width !== column()) await draw(name);
  }
  let opened = [];
  addEventListener("beforeprint", () => {
    opened = [...document.querySelectorAll("section > details:not([open])")];
    for (const details of opened) details.open = true;
  });
  addEventListener("afterprint", () => { for (const details of opened) details.open = false; });

  // -- live view -------------------------------------------------------------------------------

  // Change `from` into `to` node by node, so that focus, scroll, open details and drawings stay.
  function morph(from, to) {
    if (from.isEqualNode(to)) return;
    for (const { name, value } of to.attributes) {
      if (from.getAttribute(name) !== value && name !== "aria-pressed") from.setAttribute(name, value);
    }
    for (const { name } of [...from.attributes]) {
      if (!to.hasAttribute(name) && name !== "open") from.removeAttribute(name);
    }
    if (from.hasAttribute("data-keep")) return;
    morphChildren(from, to);
  }
  function morphChildren(from, to) {
    const old = [...from.childNodes];
    const fresh = [...to.childNodes];
    const byId = new Map(old.filter((n) => n.id).map((n) => [n.id, n]));
    let at = from.firstChild;
    for (const node of fresh) {
      let match = node.id ? byId.get(node.id) : at;
      if (match && !node.id && (match.nodeType !== node.nodeType || match.nodeName !== node.nodeName || match.id)) match = null;
      if (!match) { from.insertBefore(node, at); continue; }
      if (match === at) at = at.nextSibling; else from.insertBefore(match, at);
      if (node.nodeType === Node.ELEMENT_NODE) morph(match, node);
      else if (match.nodeValue !== node.nodeValue) match.nodeValue = node.nodeValue;
    }
    while (at) { const next = at.nextSibling; at.remove(); at = next; }
  }
  function into(element, html) {
    const template = document.createElement("template");
    template.innerHTML = html;
    morphChildren(element, template.content);
  }

  async function update(fragments) {
    document.title = fragments.title;
    document.querySelector("h1").textContent = fragments.title;
    into(document.getElementById("result"), fragments.headline);
    into(document.getElementById("contents"), fragments.contents);
    into(document.getElementById("sections"), Object.values(fragments.sections).join("\n"));
    for (const name of charts.keys()) if (!(name in fragments.charts)) forget(name);
    for (const [name, drawing] of Object.entries(fragments.charts)) await renew(name, drawing);
  }
  function forget(name) {
    charts.get(name).result?.finalize();
    charts.delete(name);
  }
  async function renew(name, drawing) {
    const chart = charts.get(name);
    if (!chart) charts.set(name, { drawing, chosen: new Set() });
    else if (JSON.stringify(chart.drawing) === JSON.stringify(drawing)) return;
    else chart.drawing = drawing;
    await draw(name);
  }

  function listen() {
    const status = document.getElementById("connection");
    const words = (text) => { if (status.textContent !== text) status.textContent = text; };
    const source = new EventSource("events");
    let queue = Promise.resolve();
    source.addEventListener("open", () => words("Live: this page follows the run."));
    source.addEventListener("message", (event) => {
      const fragments = JSON.parse(event.data);
      queue = queue.then(() => update(fragments));
    });
    source.addEventListener("end", () => {
      source.close();
      words("The run has ended. This page shows its report.");
    });
    source.addEventListener("error", () => words("Connection lost, trying again …"));
  }

  // -- start -----------------------------------------------------------------------------------

  for (const element of document.querySelectorAll("script[data-for]")) {
    charts.set(element.dataset.for, { drawing: JSON.parse(element.textContent), chosen: new Set() });
  }
  drawAll();
  if ("live" in document.documentElement.dataset) listen();
})();
