"""Pages as HTML: one file that needs no network, or the parts that a live view sends."""

from __future__ import annotations

import base64
import functools
import hashlib
import html
import json
import re
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from ..errors import UsageError
from ..files import json_ready, write_bytes
from .bundle import bundle, safe
from .content import Chart, HtmlPage, clean

NUMBER = re.compile(r"[-+−±]?[\d.,  ]*\d[\d.,]*(e[-+]?\d+)?( ?[^\d\W]{0,3}| ?[%µ°].{0,3})?")
LIKE_BACKSLASH = "\u2216"


def render(page: HtmlPage, *, live: bool = False) -> str:
    """The page as one HTML file, with its style, scripts and data.

    A ``live`` page listens for ``fragments`` at the relative address ``events``.

    Raises UsageError, which names what to install, without the extra ``report``.
    """
    charts = {chart.name: _json(_drawing(chart)) for chart in page.charts()}
    scripts = [*([bundle()] if charts or live else []), safe(_resource("page.js"))]
    return _environment().get_template("page.html").render(
        page=page,
        live=live,
        charts=charts,
        scripts=scripts,
        style=_resource("page.css"),
        policy=_policy(scripts, live),
    )  # fmt: skip


def write_page(path: Path, page: HtmlPage) -> None:
    """Write the page as one HTML file, atomically.

    Raises
    ------
    UsageError
        Without the extra ``report``.
    OhmcarloError
        When the file cannot be written.

    Examples
    --------
    >>> from pathlib import Path
    >>> from ohmcarlo.pages.content import Headline, HtmlPage, Tone
    >>> from ohmcarlo.pages.render import write_page
    >>> page = HtmlPage("Run", "toy2d", Headline(Tone.GOOD, "settled", ("All is well.",)), ())
    >>> write_page(Path("page.html"), page)
    >>> Path("page.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    True
    """
    write_bytes(path, render(page).encode())


def fragments(page: HtmlPage) -> dict[str, Any]:
    """What a live view sends when the page changes, ready for JSON.

    Returns
    -------
    dict
        ``title``; ``heading``, ``subtitle``, ``headline`` and ``contents`` as HTML; ``sections``:
        the HTML of each section by name, in order; ``charts``: each chart's
        specification, data and height by name.

    >>> from ohmcarlo.pages.content import Headline, HtmlPage, Section, Tone
    >>> headline = Headline(Tone.GOOD, "settled", ("Step 3 < 4.",))
    >>> page = HtmlPage("Run", "toy2d", headline, (Section("data", "Data"),))
    >>> parts = fragments(page)
    >>> list(parts["sections"]), "Step 3 &lt; 4." in parts["headline"]
    (['data'], True)
    """
    parts = _environment().get_template("parts.html").module
    return {
        "title": clean(page.title),
        "heading": html.escape(clean(page.title)),
        "subtitle": html.escape(clean(page.subtitle)),
        "headline": str(parts.headline(page)),
        "contents": str(parts.contents(page)),
        "sections": {section.name: str(parts.section(section)) for section in page.sections},
        "charts": {chart.name: _ready(_drawing(chart)) for chart in page.charts()},
    }


def words(text: str) -> str:
    """The text as HTML: commands between backticks are code, and everything is escaped.

    >>> words("Run `a <b>` & look.")
    'Run <code>a &lt;b&gt;</code> &amp; look.'
    """
    parts = html.escape(clean(text)).split("`")
    if len(parts) % 2 == 0:  # a single backtick belongs to a name
        return "`".join(parts)
    return "".join(f"<code>{part}</code>" if i % 2 else part for i, part in enumerate(parts))


def _drawing(chart: Chart) -> dict[str, Any]:
    """What the script of the page needs of a chart."""
    return {"height": chart.height, "spec": _plain_tips(_numbered(chart.spec))}


def _numbered(spec: Mapping[str, Any]) -> dict[str, Any]:
    """The specification with data sets named by their order.

    Altair names data by their digest. With stable names the script can replace the data of a
    drawing that is otherwise the same.
    """
    datasets = spec.get("datasets", {})
    names = {old: f"data-{i}" for i, old in enumerate(datasets)}
    renamed = _renamed({k: v for k, v in spec.items() if k != "datasets"}, names)
    return {**renamed, "datasets": {names[old]: rows for old, rows in datasets.items()}}


def _renamed(value: Any, names: Mapping[str, str]) -> Any:
    """``value`` with the new names of data sets wherever it refers to them."""
    if isinstance(value, list | tuple):
        return [_renamed(v, names) for v in value]
    if not isinstance(value, Mapping):
        return value
    data = value.get("data")
    found = {k: _renamed(v, names) for k, v in value.items()}
    if isinstance(data, Mapping) and data.get("name") in names:
        found["data"] = {**found["data"], "name": names[data["name"]]}
    return found


def _plain_tips(value: Any) -> Any:
    """The specification with titles of tooltips that Vega-Lite can quote: it puts them into an
    expression and escapes neither backslashes nor ends of lines."""
    if isinstance(value, list):
        return [_plain_tips(v) for v in value]
    if not isinstance(value, dict):
        return value
    found = {k: _plain_tips(v) for k, v in value.items() if k != "datasets"}
    for tip in found["tooltip"] if isinstance(found.get("tooltip"), list) else []:
        if isinstance(tip.get("title"), str):
            tip["title"] = " ".join(tip["title"].replace("\\", LIKE_BACKSLASH).split())
    return {**found, "datasets": value["datasets"]} if "datasets" in value else found


def _ready(value: Any) -> Any:
    """``value`` for JSON: no infinity, no NaN, no characters that HTML cannot contain."""
    return _cleaned(json_ready(value))


def _cleaned(value: Any) -> Any:
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, dict):
        return {clean(k): _cleaned(v) for k, v in value.items()}
    return [_cleaned(v) for v in value] if isinstance(value, list) else value


def _json(value: Any) -> str:
    """JSON that can stand in an element of HTML."""
    text = json.dumps(_ready(value), allow_nan=False, separators=(",", ":"))
    return text.replace("<", r"\u003c").replace(">", r"\u003e").replace("&", r"\u0026")


def _policy(scripts: list[str], live: bool) -> str:
    """The content security policy: these scripts, and no network but the live view's server."""
    digests = [hashlib.sha256(script.encode()).digest() for script in scripts]
    allowed = " ".join(f"'sha256-{base64.b64encode(d).decode()}'" for d in digests)
    server = "'self'" if live else "'none'"
    return (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; "
        f"img-src data: blob:; connect-src {server}; base-uri 'none'; form-action 'none'"
    )


def _resource(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")


@functools.cache
def _environment() -> Any:
    """The templates of this folder; every text in them is escaped."""
    try:
        import jinja2
    except ImportError as error:
        raise UsageError("pages need Jinja: pip install 'ohmcarlo[report]'") from error
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader(__package__.rpartition(".")[0], "pages"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: clean(value) if type(value) is str else value,
    )
    environment.filters["words"] = words
    environment.filters["base64"] = lambda content: base64.b64encode(content).decode()
    environment.tests["number"] = lambda cell: bool(NUMBER.fullmatch(cell))
    return environment
