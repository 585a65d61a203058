"""The files of the repository as the files of the site, each at the place that it has there.

A link between pages therefore leads to the same page on GitHub and on the site. Two kinds of
targets are no pages on GitHub and become pages here: a source file that a page links to, and the
register page.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path, PurePosixPath
from posixpath import normpath

ROOT = Path(__file__).parents[2]
FOLDERS = (
    *("constraints", "docs", "firmware", "hdl", "host", "notebooks"),
    *("rtl_gen", "tests", "verif"),
)
EXTRAS = ("docs/site/site.css", "docs/site/site.js", "docs/site/iframe-worker.js")
PICTURES = {".png", ".svg", ".gif"}
LANGUAGES = {".toml": "toml", ".cff": "yaml", ".json": "json", ".py": "python", ".c": "c"}
LANGUAGES |= {".h": "c", ".v": "verilog", ".rdl": "systemverilog", ".ipynb": "json"}

CODE = re.compile(r"^(```|~~~).*?^\1[ \t]*$|^(?: {4}|\t)[^\n]*$|`+[^`\n]+`+", re.M | re.S)
LINK = re.compile(r"(\]\()([^)\s]+)(\))")
WEB = re.compile(r"[a-z]+:")


@cache
def page_names() -> tuple[str, ...]:
    """Every Markdown page of the repository: paths from its root."""
    found = [*ROOT.glob("*.md")]
    for folder in FOLDERS:
        found += (ROOT / folder).rglob("*.md")
    return tuple(sorted(path.relative_to(ROOT).as_posix() for path in found))


def text_of(name: str) -> str:
    """The text of a file of the repository."""
    return (ROOT / name).read_text(encoding="utf-8")


def outside_code(text: str, change: Callable[[str], str]) -> str:
    """``text`` with ``change`` applied to all parts that are not code.

    Examples
    --------
    >>> outside_code("a `a` a", str.upper)
    'A `a` A'
    """
    out, end = [], 0
    for code in CODE.finditer(text):
        out += [change(text[end : code.start()]), code[0]]
        end = code.end()
    return "".join([*out, change(text[end:])])


def targets(page: str) -> Iterator[str]:
    """The files of the repository that a page links to: paths from the root."""
    for _, link, _ in LINK.findall(CODE.sub("", text_of(page))):
        path = link.partition("#")[0]
        if path and not WEB.match(link):
            yield normpath(PurePosixPath(page).parent / path)


def page_of(target: str) -> str:
    """The page of the site for a target of a link: itself if it is a page or a picture.

    Examples
    --------
    >>> page_of("rtl_gen/reference"), page_of("LICENSE"), page_of("docs/guide.md")
    ('rtl_gen/reference/README.md', 'LICENSE.md', 'docs/guide.md')
    """
    path = PurePosixPath(target)
    if path.suffix == ".md" or path.suffix in PICTURES:
        return target
    if (ROOT / target / "README.md").is_file():
        return f"{target}/README.md"
    return f"{target}.md"


def linked_files() -> dict[str, str]:
    """Page of the site → file of the repository, for the files that pages link to."""
    found = {target for page in page_names() for target in targets(page)}
    pages = {page_of(target): target for target in found if (ROOT / target).is_file()}
    return {page: target for page, target in sorted(pages.items()) if page != target}


def pictures() -> list[str]:
    """The pictures that pages show."""
    found = {target for page in page_names() for target in targets(page)}
    return sorted(t for t in found if PurePosixPath(t).suffix in PICTURES)


def linked(text: str, page: str) -> str:
    """The text of ``page`` whose links lead to the pages of the site.

    Examples
    --------
    >>> linked("see [plan](core.toml#a) and [guide](guide.md), `[b](b.toml)`", "docs/x.md")
    'see [plan](core.toml.md#a) and [guide](guide.md), `[b](b.toml)`'
    """

    def change(part: str) -> str:
        return LINK.sub(lambda m: m[1] + _site_link(m[2], page) + m[3], part)

    return outside_code(text, change)


def _site_link(link: str, page: str) -> str:
    path, mark, anchor = link.partition("#")
    if not path or WEB.match(link):
        return link
    target = normpath(PurePosixPath(page).parent / path)
    return path.rstrip("/") + page_of(target).removeprefix(target) + mark + anchor


def source_page(name: str) -> str:
    """A file that is not Markdown, as a page."""
    text = text_of(name)
    if name.endswith(".html"):
        return html_page(text)
    fence = "`" * max(3, *(len(run) + 1 for run in re.findall(r"`+", text)), 3)
    language = LANGUAGES.get(PurePosixPath(name).suffix, "text")
    return f"# {name}\n\n{fence}{language}\n{text.rstrip()}\n{fence}\n"


def html_page(text: str) -> str:
    """The body of a page in HTML, with its headings in Markdown, which a table of contents needs.

    Examples
    --------
    >>> html_page('<body><h2 id="a">A <code>x</code></h2><p>b</p></body>')
    '## A <code>x</code> { #a }\\n\\n<p>b</p>\\n'
    """
    body = re.search(r"<body>(.*)</body>", text, re.S)
    if not body:
        raise ValueError("a page in HTML needs a <body>")

    def heading(match: re.Match[str]) -> str:
        anchor = f" {{ #{match[2]} }}" if match[2] else ""
        return f"\n\n{'#' * int(match[1])} {match[3].strip()}{anchor}\n\n"

    headed = re.sub(r'<h([1-6])(?: id="([^"]*)")?>(.*?)</h\1>', heading, body[1], flags=re.S)
    return headed.strip() + "\n"
