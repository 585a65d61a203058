"""The pages: links, anchors and commands exist, and tables equal their sources."""

from __future__ import annotations

import importlib.util
import re
import shlex
import struct
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
import typer

import ohmcarlo
from ohmcarlo.cli.app import app
from ohmcarlo.errors import OhmcarloError, UsageError
from ohmcarlo.golden import SamplerSettings
from ohmcarlo.runs.replay import ORDER_AT
from ohmcarlo.spec import cartpole, formats, link, tables
from ohmcarlo.spec.geometry import Geometry
from ohmcarlo_hdl.regs.bus import Bus
from ohmcarlo_rtl.driver.headers import RECORDS
from ohmcarlo_rtl.driver.job import HEADER, SOURCE
from ohmcarlo_rtl.pages import formats as formats_page
from ohmcarlo_rtl.pages.markers import renewed

ROOT = Path(__file__).parents[2]
FOLDERS = (
    *("constraints", "docs", "firmware", "hdl", "host", "notebooks"),
    *("rtl_gen", "tests", "verif", ".ci"),
)
PAGES = sorted(
    [*ROOT.glob("*.md"), *(page for folder in FOLDERS for page in (ROOT / folder).rglob("*.md"))]
)
SOURCES = ("*.py", "*.toml", "*.c", "*.h", "*.cpp", "*.rdl", "*.md")
JOB_FILES = {RECORDS, HEADER, SOURCE}  # written for a job
SYSTEM_HEADERS = {"lz4.h", "zlib.h"}
README_LINES = 150
PICTURE_BYTES = 200_000

FENCE = re.compile(r"^(```|~~~).*?^\1\s*$", re.M | re.S)
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
CITED = re.compile(r"(?<![\w./-])((?:[\w-]+/)*[\w-]+\.md)#([\w-]+)")
COMMAND = re.compile(r"(?:\.venv/bin/)?\bohmcarlo ((?:[a-z]+)(?: [^\n`|·]*)?)")


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def slug(heading: str) -> str:
    """The anchor that GitHub makes from a heading."""
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)|`", r"\1", heading).strip().lower()
    return re.sub(r"[^\w\- ]", "", text).replace(" ", "-")


@cache
def anchors(page: Path) -> frozenset[str]:
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    return frozenset(slug(h) for h in re.findall(r"^#{1,6} (.+)$", text, re.M))


def links(page: Path) -> Iterator[str]:
    """Targets of a page's links that are not addresses of the web."""
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    for target in LINK.findall(re.sub(r"`[^`\n]*`", "", text)):
        if not re.match(r"[a-z]+:", target):
            yield target


def broken(page: Path, target: str) -> bool:
    """Whether the target of a relative link is missing."""
    path, _, anchor = target.partition("#")
    found = (page.parent / path).resolve() if path else page
    if not found.is_relative_to(ROOT) or not found.exists():
        return True
    return bool(anchor) and anchor not in anchors(found)


# -- links ---------------------------------------------------------------------------------------
@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page: Path) -> None:
    assert [target for target in links(page) if broken(page, target)] == []


def test_broken_links_are_found() -> None:
    readme = ROOT / "README.md"
    assert broken(readme, "docs/none.md") and broken(readme, "docs/design.md#none")
    assert broken(readme, "../elsewhere.md")
    assert not broken(readme, "docs/design.md#coin")
    assert slug("Array, weights, samples") == "array-weights-samples"
    assert slug("The `run` verb") == "the-run-verb"


def sources() -> list[Path]:
    files = [*ROOT.glob("*.toml"), *ROOT.glob("*.md")]
    for folder in FOLDERS:
        files += [f for pattern in SOURCES for f in (ROOT / folder).rglob(pattern)]
    return sorted(set(files) - {Path(__file__)})


def test_cited_sections_exist() -> None:
    """``docs/design.md#coin`` in a test plan or a comment names a heading of that page."""
    cited = {
        (name_of(file), page, anchor)
        for file in sources()
        if file.suffix != ".md"
        for page, anchor in CITED.findall(file.read_text(encoding="utf-8"))
    }
    assert {page for _, page, _ in cited} >= {"docs/design.md"}
    missing = [c for c in cited if broken(ROOT / "README.md", f"{c[1]}#{c[2]}")]
    assert missing == []


def test_sources_of_the_test_plan_exist() -> None:
    """A source of a promise is a page, a file or a module of the repository, or a standard."""
    standards = re.compile(
        r"(NIST|ARM|Wishbone|Lattice|Gowin|Gowin|Random123|DAC7568|ADS8860|SN74AHC595) ?[\w(]"
    )
    for plan in sorted((ROOT / "verif" / "testplan").glob("*.toml")):
        for source in re.findall(r'^source = "(.*)"$', plan.read_text(encoding="utf-8"), re.M):
            for cited in re.split(r"[;,] ", source):
                known = (
                    standards.match(cited)
                    or (ROOT / cited.partition("#")[0]).is_file()
                    or cited.startswith("ohmcarlo.")
                    or re.fullmatch(r"[a-z_]+(\.[a-z_]+)?|threefry2x32-20", cited)
                )
                assert known, f"{plan.name}: {cited!r} is not in the repository"


def test_nothing_cites_a_paper_outside_the_repository() -> None:
    outside = re.compile(r"\b(DESIGN|FORMATS|REFERENCES|STYLE|TOOLCHAIN)(\.md|,? (section )?\d)")
    for file in sources():
        found = outside.search(file.read_text(encoding="utf-8"))
        assert not found, f"{name_of(file)}: {found and found[0]}"


def test_no_path_of_a_machine() -> None:
    machine = re.compile(r"(?<![\w.])/(work|home|root|Users)/|\.\./shared|pypi\.org")
    for page in PAGES:
        assert not machine.search(page.read_text(encoding="utf-8")), name_of(page)


# -- commands ------------------------------------------------------------------------------------
def verbs() -> dict[str, set[str]]:
    """Verb → its options, from the command line itself."""
    found: dict[str, set[str]] = {}

    def walk(command: typer.core.TyperCommand | typer.core.TyperGroup, name: str) -> None:
        found[name] = {o for p in command.params for o in (*p.opts, *p.secondary_opts)}
        for child, below in getattr(command, "commands", {}).items():
            walk(below, f"{name} {child}".strip())

    walk(typer.main.get_command(app), "")
    return found


def commands_of(text: str) -> Iterator[list[str]]:
    """Words of each ``ohmcarlo ...`` in code of a page, up to a comment in the same line."""
    code = re.findall(r"`([^`\n]+)`", text) + re.findall(r"^(?: {4}|\t|\$ )(.+)$", text, re.M)
    for line in code:
        for command in COMMAND.findall(line):
            yield re.split(r" {2,}", command.strip())[0].split(" ")


def wrong_command(words: list[str], known: dict[str, set[str]]) -> str | None:
    verb = " ".join(words[:2]) if words[0] == "data" and len(words) > 1 else words[0]
    if verb not in known:
        return f"no verb {verb!r}"
    unknown = [w for w in words if w.startswith("--") and w not in known[verb] | {"--help"}]
    return f"{verb} has no option {unknown[0]}" if unknown else None


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_commands_exist(page: Path) -> None:
    known = verbs()
    found = commands_of(page.read_text(encoding="utf-8"))
    assert [w for words in found if (w := wrong_command(words, known))] == []


def test_wrong_commands_are_found() -> None:
    known = verbs()
    assert wrong_command(shlex.split("trian toy2d"), known) == "no verb 'trian'"
    assert wrong_command(shlex.split("train toy2d --stpes 9"), known) is not None
    assert wrong_command(shlex.split("data fetch mitdb"), known) is None


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_make_targets_and_modules_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z][\w-]*):", makefile, re.M))
    code = re.findall(r"`([^`\n]+)`", text) + re.findall(r"^(?: {4}|\t)(.+)$", text, re.M)
    for line in code:
        if made := re.match(r"make ([a-z][\w-]*)", line):
            assert made[1] in targets, line
        for module in re.findall(r"python -m ([\w.]+)", line):
            if module.split(".")[0] in {"ohmcarlo", "ohmcarlo_rtl", "ohmcarlo_hdl", "verif"}:
                assert importlib.util.find_spec(module), line
        for path in re.findall(r"(?:python|pytest)(?: -\S+)* ((?:tests|verif)/[\w/]+\.py)", line):
            assert (ROOT / path).is_file(), line


# -- files ---------------------------------------------------------------------------------------
@cache
def every_file() -> frozenset[str]:
    return frozenset(
        "/" + name_of(f)
        for folder in FOLDERS
        for f in (ROOT / folder).rglob("*")
        if f.is_file() and "__pycache__" not in f.parts
    )


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_files_in_code_exist(page: Path) -> None:
    """A source file that a page names is in the repository."""
    if page.name == "CHANGELOG.md":  # includes removed files
        return
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    named = set(re.findall(r"`([\w./-]+\.(?:py|c|h|rdl|toml|vlt|cpp|v|lpf|xdc|pcf))`", text))
    elsewhere = {n for n in named if n.startswith("build/")} | SYSTEM_HEADERS | JOB_FILES
    missing = [n for n in named - elsewhere if not any(f.endswith(f"/{n}") for f in every_file())]
    assert not [n for n in missing if not (ROOT / n).is_file()]


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_folders_in_code_exist(page: Path) -> None:
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    named = set(re.findall(r"`((?:host|hdl|verif|tests|docs|firmware)/[\w/.-]+/)`", text))
    assert not [n for n in named if not (ROOT / n).is_dir()]


# -- numbers -------------------------------------------------------------------------------------
def test_tables_of_formats() -> None:
    text = formats_page.PAGE.read_text(encoding="utf-8")
    assert renewed(text, formats_page.tables()) == text, "run python -m ohmcarlo_rtl.pages"


@pytest.mark.parametrize("name", formats_page.LIMITS)
def test_limits_of_the_geometry(name: str) -> None:
    """The limits on the page are those of ``Geometry``."""
    low, high = formats_page.LIMITS[name]
    room = {"rows": 65536} if name in {"row_group", "regions"} else {}
    room |= {"dot_bits": 8} if name == "dot_shift" else {}
    room |= {"entropy_pairs": 1} if name == "pairs" else {}
    for value in (low, high):
        Geometry(**room | {name: value})
    for value in (low - 1, high + 1):
        with pytest.raises(UsageError):
            Geometry(**room | {name: value})


def test_tables_of_a_page_are_complete() -> None:
    page = "<!-- table a -->\nold\n<!-- end -->\n"
    assert renewed(page, {"a": "new"}) == "<!-- table a -->\nnew\n<!-- end -->\n"
    with pytest.raises(OhmcarloError, match="the page has the tables"):
        renewed(page, {"a": "new", "b": "more"})


def test_numbers_of_the_design() -> None:
    text = " ".join((ROOT / "docs" / "design.md").read_text(encoding="utf-8").split())
    order = ", ".join(str(s) for s in ORDER_AT[:-1]) + f" and {ORDER_AT[-1]} steps"
    for words in (
        f"low {formats.SYMBOL_BITS} bits of each code",
        f"fill a {formats.COIN_BITS}-bit word",
        f"as a *code* of {formats.CODE_BITS} bits",
        f"more than {formats.STUCK_Z} σ from its target",
        f"windows of {tables.APT_WINDOW:,} bits",
        f"fewer than {formats_page.power(-tables.ALPHA_LOG2)} false alarms",
        order,
    ):
        assert words in text, words


def test_settings_of_the_design() -> None:
    text = " ".join((ROOT / "docs" / "design.md").read_text(encoding="utf-8").split())
    pair = 2**0.5 * formats.DEFAULT_MID_US * 0.05
    for rho, words in ((0.8, "γ = {:g} S"), (0.9, "({:g} S from ρ = 0.9 on)")):
        spread = pair / (1 - rho**2) ** 0.5
        made = SamplerSettings.whitened(0.05, rho)
        assert made.tau_us == pytest.approx(spread)
        assert words.format(round(made.gamma_us / spread, 6)) in text
    assert f"√2 · {formats.DEFAULT_MID_US:g} µS · rel/γ" in text
    step = pair / SamplerSettings().gamma_us
    assert f"about {step:.2f} suits a logistic regression" in text


def test_numbers_of_the_protocol() -> None:
    text = " ".join((ROOT / "firmware" / "PROTOCOL.md").read_text(encoding="utf-8").split())
    window = link.MAX_BODY - struct.calcsize(link.WINDOW_FORMAT)
    for words in (
        f"up to {link.MAX_BODY // 4} fields",
        f"up to {window // 4} words of a window",
        f"UNLOAD** reads up to {link.MAX_BODY // 4}",
        f"up to {link.MAX_BODY // struct.calcsize(link.OPERATION_FORMAT)} operations",
        f"up to {cartpole.MAX_EPISODES} episodes",
    ):
        assert words in text, words


def test_latency_of_the_bus() -> None:
    text = (ROOT / "rtl_gen" / "reference" / "README.md").read_text(encoding="utf-8")
    assert f"`r_data` is the word {Bus.LATENCY} clocks later" in text


def test_numbers_of_the_readme_are_results() -> None:
    """Every number of the README is in docs/results.md."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    results = (ROOT / "docs" / "results.md").read_text(encoding="utf-8")
    table = readme[readme.index("Some results") : readme.index("## Where to read on")]
    numbers = re.findall(r"\d+\.\d+(?: ± \d+\.\d+)?(?= ?%| MHz)", table)
    assert len(numbers) >= 5
    assert [n for n in numbers if n not in results] == []


# -- the front page --------------------------------------------------------------------------------
def test_the_readme_is_short_and_has_a_picture() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(text.splitlines()) <= README_LINES
    pictures = re.findall(r"!\[[^\]]+\]\((docs/pictures/[\w.-]+)\)", text)
    assert pictures and all((ROOT / p).stat().st_size < PICTURE_BYTES for p in pictures)


def test_every_page_of_docs_is_in_its_index() -> None:
    index = set(links(ROOT / "docs" / "README.md"))
    pages = {p.name for p in (ROOT / "docs").glob("*.md")} - {"README.md"}
    assert pages <= index


def test_version_and_doi_are_everywhere_the_same() -> None:
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.search(r"^version: (\S+)$", citation, re.M)[1] == ohmcarlo.__version__  # type: ignore[index]
    assert f"## [{ohmcarlo.__version__}]" in changes and "## [Unreleased]" in changes
    dois = {"10.1038/s41928-020-00523-3"}
    assert set(re.findall(r"^\s*doi: (\S+)$", citation, re.M)) == dois
    assert set(re.findall(r"doi\.org/([\w./-]+)", (ROOT / "README.md").read_text())) == dois
