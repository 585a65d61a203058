"use strict";
(() => {
  // Each chart by name: its text (JSON), highlighted series, shown range, view and width.
  const charts = new Map();
  const CONFIG = {
    background: null,
    aria: false,
    view: { stroke: null },
    font: "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif",
    axis: {
      labelColor: "#55595e", titleColor: "#1d1f21", gridColor: "#e8e8e4", domainColor: "#d5d5d0",
      tickColor: "#d5d5d0", labelFontSize: 11, titleFontSize: 12, titleFontWeight: "normal",
    },
    legend: { labelColor: "#55595e", titleColor: "#1d1f21", titleFontWeight: "normal" },
    text: { color: "#55595e" },
  };
  const OPTIONS = { actions: false, ast: true, config: CONFIG, renderer: "svg" };
  const root = document.documentElement;
  const figureOf = (name) => document.getElementById(name);
  const column = () => Math.floor(document.getElementById("sections").clientWidth);
  const pause = () => new Promise((done) => setTimeout(done));

  // Changes of drawings wait for one another.
  let queue = Promise.resolve();
  const soon = (work) => { queue = queue.then(work).catch((error) => console.error(error)); };

  // -- drawings --------------------------------------------------------------------------------

  const parameters = (spec) => new Map((spec.params ?? []).map((p) => [p.name, p.value]));

  async function draw(name) {
    const chart = charts.get(name);
    const place = figureOf(name)?.querySelector(".drawing");
    if (!chart || !place) return;
    const width = column();
    const { spec, height } = JSON.parse(chart.text);
    const sized = { ...spec, width, height, autosize: { type: "fit", contains: "padding" } };
    const element = document.createElement("div");
    element.setAttribute("aria-hidden", "true"); // its place has a label and a description
    const result = await vegaEmbed(element, sized, OPTIONS);
    place.replaceChildren(element);
    chart.result?.finalize();
    Object.assign(chart, { result, width, parameters: parameters(spec) });
    await restore(name);
  }

  // The highlighted series and the shown range, as the reader chose them.
  async function restore(name) {
    const { result, parameters: known, chosen, range } = charts.get(name);
    for (const button of figureOf(name).querySelectorAll(".series")) {
      button.setAttribute("aria-pressed", String(chosen.has(button.dataset.series)));
    }
    if (!result) return;
    if (known.has("chosen")) result.view.signal("chosen", [...chosen].map(Number));
    if (known.has("begin")) {
      const [begin, end] = range ?? [known.get("begin"), known.get("end")];
      result.view.signal("begin", begin).signal("end", end);
    }
    await result.view.runAsync();
  }

  // Charts in view first, then the others, one by one, so that the page answers meanwhile.
  const inView = (name) => {
    const place = figureOf(name).getBoundingClientRect();
    return place.height > 0 && place.top < 1.5 * innerHeight;
  };
  async function drawAll() {
    const names = [...charts.keys()];
    const first = names.filter(inView);
    for (const name of first) { await pause(); await draw(name); }
    root.dataset.ready = "true";
    for (const name of names) if (!first.includes(name)) { await pause(); await draw(name); }
    root.dataset.drawn = "true";
  }

  let resized;
  addEventListener("resize", () => {
    clearTimeout(resized);
    resized = setTimeout(() => soon(async () => {
      if (matchMedia("print").matches) return;
      for (const [name, { width }] of charts) if (width !== column()) await draw(name);
    }), 150);
  });

  // -- what a reader can do --------------------------------------------------------------------

  const nameAt = (element) => element.closest("figure")?.id;

  function highlight(button) {
    const { chosen } = charts.get(nameAt(button));
    const key = button.dataset.series;
    if (!chosen.delete(key)) chosen.add(key);
  }

  // A range inside the whole one; null if it is the whole one.
  function show(chart, begin, end) {
    const [first, last] = [chart.parameters.get("begin"), chart.parameters.get("end")];
    const length = Math.min(end - begin, last - first);
    const start = Math.min(Math.max(begin, first), last - length);
    chart.range = length >= last - first ? null : [start, start + length];
  }

  const ZOOMS = {
    in: (middle, half) => [middle - half / 2, middle + half / 2],
    out: (middle, half) => [middle - 2 * half, middle + 2 * half],
    back: (middle, half) => [middle - 2 * half, middle],
    on: (middle, half) => [middle, middle + 2 * half],
    whole: () => [-Infinity, Infinity],
  };
  function zoom(button) {
    const chart = charts.get(nameAt(button));
    if (!chart.parameters) return;
    const [begin, end] = chart.range ?? [chart.parameters.get("begin"), chart.parameters.get("end")];
    show(chart, ...ZOOMS[button.dataset.zoom]((begin + end) / 2, (end - begin) / 2));
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("button.series, button.zoom");
    if (!button) return;
    if (button.matches(".series")) highlight(button); else zoom(button);
    restore(nameAt(button));
  });

  // Drag across a drawing to see a part of it; double-click to see all.
  document.addEventListener("pointerdown", (down) => {
    const place = down.target.closest?.(".drawing");
    const chart = place && charts.get(nameAt(place));
    if (!chart?.parameters?.has("begin") || down.pointerType === "touch" || down.button !== 0) return;
    down.preventDefault();
    const box = place.getBoundingClientRect();
    const left = chart.result.view.origin()[0];
    const inside = (event) =>
      Math.min(Math.max(event.clientX - box.left, left), left + chart.result.view.width());
    const from = inside(down);
    const band = document.createElement("div");
    band.className = "band";
    place.append(band);
    const move = (event) => {
      band.style.left = `${Math.min(from, inside(event))}px`;
      band.style.width = `${Math.abs(inside(event) - from)}px`;
    };
    const up = (event) => {
      band.remove();
      removeEventListener("pointermove", move);
      const ends = [from, inside(event)].sort((a, b) => a - b);
      if (ends[1] - ends[0] < 5) return;
      const scale = chart.result.view.scale("x");
      show(chart, ...ends.map((x) => scale.invert(x - left)));
      restore(nameAt(place));
    };
    addEventListener("pointermove", move);
    addEventListener("pointerup", up, { once: true });
  });
  document.addEventListener("dblclick", (event) => {
    const place = event.target.closest?.(".drawing");
    const chart = place && charts.get(nameAt(place));
    if (!chart?.range) return;
    chart.range = null;
    restore(nameAt(place));
  });

  // Print shows folded sections and tables.
  const FOLDED = "section > details, details.table";
  let opened = [];
  addEventListener("beforeprint", () => {
    opened = [...document.querySelectorAll(`:is(${FOLDED}):not([open])`)];
    for (const details of opened) details.open = true;
  });
  addEventListener("afterprint", () => { for (const details of opened) details.open = false; });

  // A link to a folded section opens it.
  const unfold = () => {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    const details = target?.matches("section") ? target.querySelector(":scope > details")
      : target?.closest("section > details");
    if (details) details.open = true;
  };
  addEventListener("hashchange", unfold);
  unfold();

  // -- live view -------------------------------------------------------------------------------

  // Change `from` into `to` node by node, so that focus, scroll, open details and drawings stay.
  const CHOICES = new Set(["aria-pressed", "open"]); // attributes that the reader sets
  function morph(from, to) {
    if (from.isEqualNode(to)) return;
    for (const { name, value } of to.attributes) {
      if (from.getAttribute(name) !== value && !CHOICES.has(name)) from.setAttribute(name, value);
    }
    for (const { name } of [...from.attributes]) {
      if (!to.hasAttribute(name) && !CHOICES.has(name)) from.removeAttribute(name);
    }
    if (!from.hasAttribute("data-keep")) morphChildren(from, to);
  }
  const alike = (a, b) => a && a.nodeName === b.nodeName && (a.id ?? "") === (b.id ?? "");
  function dropped(node) {
    const next = node.nextSibling;
    node.remove();
    return next;
  }
  function morphChildren(from, to) {
    const wanted = [...to.childNodes];
    const ids = new Set(wanted.map((node) => node.id).filter(Boolean));
    for (const node of [...from.childNodes]) if (node.id && !ids.has(node.id)) node.remove();
    const known = new Map([...from.children].filter((n) => n.id).map((n) => [n.id, n]));
    let at = from.firstChild;
    for (const node of wanted) {
      const match = node.id ? known.get(node.id) : at;
      // a node that moves loses its focus: what stands before it goes instead
      while (node.id && match && at !== match && at && !at.id) at = dropped(at);
      if (!alike(match, node)) { from.insertBefore(node, at); continue; }
      if (match === at) at = at.nextSibling; else from.insertBefore(match, at);
      if (node.nodeType === Node.ELEMENT_NODE) morph(match, node);
      else if (match.nodeValue !== node.nodeValue) match.nodeValue = node.nodeValue;
    }
    while (at) at = dropped(at);
  }
  function into(element, html) {
    const template = document.createElement("template");
    template.innerHTML = html;
    morphChildren(element, template.content);
  }

  async function update(parts) {
    document.title = parts.title;
    into(document.querySelector("h1"), parts.heading);
    into(document.getElementById("subtitle"), parts.subtitle);
    into(document.getElementById("result"), parts.headline);
    into(document.getElementById("contents"), parts.contents);
    into(document.getElementById("sections"), Object.values(parts.sections).join("\n"));
    for (const name of [...charts.keys()]) if (!(name in parts.charts)) forget(name);
    for (const [name, drawing] of Object.entries(parts.charts)) await renew(name, drawing);
  }
  function forget(name) {
    charts.get(name).result?.finalize();
    charts.delete(name);
  }
  const added = (name, text) => charts.set(name, { text, chosen: new Set(), range: null }).get(name);

  // Everything of a drawing but its numbers.
  const frame = ({ height, spec: { datasets, params, ...rest } }) =>
    JSON.stringify([height, Object.keys(datasets), (params ?? []).map((p) => p.name), rest]);

  // A drawing that has not changed since the message before is null.
  async function renew(name, drawing) {
    if (drawing === null) { await restore(name); return; }
    const text = JSON.stringify(drawing);
    const chart = charts.get(name) ?? added(name, "");
    if (chart.text === text) { await restore(name); return; }
    const same = chart.result && frame(JSON.parse(chart.text)) === frame(drawing);
    chart.text = text;
    if (!same || chart.width !== column()) { await draw(name); return; }
    const { view } = chart.result;
    chart.parameters = parameters(drawing.spec);
    for (const [key, value] of chart.parameters) view.signal(key, value);
    for (const [key, rows] of Object.entries(drawing.spec.datasets)) view.data(key, rows);
    await restore(name);
  }

  function listen() {
    const status = document.getElementById("connection");
    const words = (text) => { if (status.textContent !== text) status.textContent = text; };
    const source = new EventSource("events");
    source.addEventListener("open", () => words("Live: this page follows the run."));
    source.addEventListener("message", (event) => {
      const parts = JSON.parse(event.data);
      soon(() => update(parts));
    });
    source.addEventListener("end", () => {
      source.close();
      words("The run has ended. This page shows its report.");
    });
    source.addEventListener("error", () => {
      words("Connection lost, trying again …");
      if (source.readyState !== EventSource.CLOSED) return; // the browser tries again itself
      source.close();
      setTimeout(listen, 1000);
    });
  }

  // -- start -----------------------------------------------------------------------------------

  for (const element of document.querySelectorAll("script[data-for]")) {
    added(element.dataset.for, JSON.stringify(JSON.parse(element.textContent)));
  }
  soon(drawAll);
  if ("live" in root.dataset) listen();
})();
