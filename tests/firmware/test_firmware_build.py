"""The firmware as built: headers, image, size, stack, format, document, corpus of the fuzzers."""

from __future__ import annotations

import os
import re
import shutil
import struct
import subprocess
import sys
from dataclasses import replace
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from link_client import SESSION, Client, frame, frames
from native_board import opened
from ohmcarlo.errors import OhmcarloError
from ohmcarlo.spec import link
from ohmcarlo_hdl.array.phy.parts import PhyConfig
from ohmcarlo_hdl.config import CoreConfig
from ohmcarlo_hdl.regs.map import board_map, register_map
from ohmcarlo_hdl.soc.memory_map import RAM_BYTES
from ohmcarlo_rtl.configs import REFERENCE, config_of
from ohmcarlo_rtl.firmware import __main__ as command_line
from ohmcarlo_rtl.firmware import compile as compiling
from ohmcarlo_rtl.firmware import image, native, spec_headers
from ohmcarlo_rtl.firmware.headers import headers
from ohmcarlo_rtl.pages import protocol as protocol_page
from ohmcarlo_rtl.pages.markers import renewed

pytestmark = pytest.mark.hdl

ROOT = Path(__file__).parents[2]
CORPUS = ROOT / "firmware" / "fuzz" / "corpus"
FUZZERS = ("fuzz_wire", "fuzz_messages")
COMPACT = config_of("compact")
PHY = replace(COMPACT, phy=PhyConfig(50_000_000))
STACK_USED = 1024  # bytes; the linker keeps four times as many


# -- includes --------------------------------------------------------------------------------------
def order_of_modules(files: dict[str, str]) -> list[str]:
    """Modules of ``src`` (a .c file with its header) in the order of inclusion; CycleError for a
    cycle."""
    names = {Path(path).stem for path in files}
    graph: dict[str, set[str]] = {name: set() for name in names}
    for path, text in files.items():
        included = {Path(name).stem for name in re.findall(r'^#include "(.+)"$', text, re.M)}
        graph[Path(path).stem] |= included & names - {Path(path).stem}
    return list(TopologicalSorter(graph).static_order())


def test_modules_include_each_other_one_way() -> None:
    files = compiling.sources("src")
    order = order_of_modules(files)
    assert order.index("chain") < order.index("episodes") < order.index("main")
    files["src/chain.c"] += '#include "episodes.h"\n'
    with pytest.raises(CycleError):
        order_of_modules(files)


# -- headers -------------------------------------------------------------------------------------
@pytest.mark.parametrize("config", [config_of(REFERENCE), COMPACT, PHY], ids=["", "compact", "phy"])
def test_tables_are_the_register_map(config: CoreConfig) -> None:
    """Compare address, place and access of every field and window that the link names."""
    layout = register_map(config, emulator=True)
    text = headers(config)["link_tables.h"]
    rows = re.findall(r"^    \{(\S+), (\S+), (\S+), (\S+), (\S+)\}, // (\S+)$", text, re.M)
    assert [row[-1] for row in rows] == list(link.FIELDS)
    for address, low, width, readable, writable, path in rows:
        register, _, field = path.rpartition(".")
        if path.startswith("rails.") and config.phy is None:
            assert {address, low, width, readable, writable} == {"0x0000", "0"}
            continue
        found = next(f for f in layout[register].fields if f.name == field)
        assert int(address, 16) == layout[register].address
        assert (int(low), int(width)) == (found.low, found.width)
        assert (readable, writable) == (str(int("r" in found.sw)), str(int("w" in found.sw)))
    windows = re.findall(r"^    \{(\S+), (\d+), (\d), (\d)\}, // (\S+)$", text, re.M)
    assert [row[-1] for row in windows] == list(link.WINDOWS)
    there = {w.name: (w.address, w.words) for w in layout.windows}
    for address, words, *_, name in windows:
        assert (int(address, 16), int(words)) == there.get(name, (0, 0))


def test_a_name_that_the_map_lacks_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    layout = register_map(COMPACT, emulator=True)
    for table, name in (("FIELDS", "model.colour.value"), ("WINDOWS", "colours")):
        with monkeypatch.context() as patch:
            patch.setattr(link, table, (*getattr(link, table), name))
            with pytest.raises(OhmcarloError, match=name):
                spec_headers.link_tables_header(COMPACT, layout)


def test_offsets_are_those_of_struct() -> None:
    """``struct`` finds each member at the offset at which it was written."""
    for name, members in spec_headers.LAYOUTS.items():
        packed = getattr(link, f"{name}_FORMAT")
        for index, place in enumerate(spec_headers.offsets(packed)):
            data = bytearray(struct.calcsize(packed))
            data[place] = 1
            assert [int(v == 1) for v in struct.unpack(packed, data)].index(1) == index
        assert len(members) == len(struct.unpack(packed, bytes(struct.calcsize(packed))))


def test_hashes() -> None:
    made = headers(COMPACT)
    assert f"OHMCARLO__MAP_HASH 0x{register_map(COMPACT).hash[:8]}" in made["ohmcarlo.h"]
    assert f"OHMCARLO_BOARD__MAP_HASH 0x{board_map().hash[:8]}" in made["board.h"]


def test_codes_are_those_of_the_register_map() -> None:
    text = headers(COMPACT)["ohmcarlo.h"]
    for name, codes in (("REASON", link.Reason), ("FAULT_CAUSE", link.FaultCause)):
        found = re.findall(rf"OHMCARLO__STATUS__STATE__{name}__(\w+)_e (\d+)", text)
        assert {code: int(value) for code, value in found} == dict(codes.__members__)


# -- the image -----------------------------------------------------------------------------------
def test_image_is_reproducible(tmp_path: Path) -> None:
    """Builds in another folder and in another process give the same bytes."""
    out = tmp_path / "image"
    command = [
        sys.executable,
        "-m",
        "ohmcarlo_rtl.firmware",
        "--config",
        "compact",
        "--out",
        str(out),
    ]
    environment = os.environ | {"PYTHONPATH": str(ROOT / "rtl_gen")}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "stack left" in done.stdout
    assert out.read_bytes() == image.build_image(COMPACT)


def test_image_fits() -> None:
    for name in ("reference", "compact"):
        built = image.link_image(config_of(name))
        assert len(built.image) == built.text + built.data < RAM_BYTES // 2
        assert built.stack_left >= 2 * image.STACK_BYTES


def test_bad_use(capsys: pytest.CaptureFixture[str]) -> None:
    assert command_line.main(["--config", "huge"]) == 2
    assert "choose among" in capsys.readouterr().err


def test_compiler_errors_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch, "src/main.c", "link_send();", "link_sent();")
    with pytest.raises(OhmcarloError, match="link_sent"):
        native.build_native(COMPACT)


def test_no_division() -> None:
    """The code contains no DIV and no REM, which the processor does not have."""
    built = image.link_image(COMPACT)
    words = struct.unpack(f"<{built.code // 4}I", built.image[: built.code])
    assert sum(word & 0x7F == 0x33 and word >> 25 == 1 for word in words) > 10  # multiplications
    assert not [w for w in words if w & 0xFE00_407F == 0x0200_4033]


def test_no_recursion_and_bounded_stack(tmp_path: Path) -> None:
    """The call graph (of GCC, for this machine) has no cycle."""
    compiler = shutil.which("gcc")
    if compiler is None:
        pytest.skip("the call graph needs gcc")
    files = compiling.sources("src") | {f"generated/{n}": t for n, t in
                                       headers(COMPACT).items()}  # fmt: skip
    for path, text in files.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(text)
    inputs = [p for p in files if p.endswith(".c")]
    subprocess.run(
        [compiler, "-DOHMCARLO_NATIVE", "-Os", "-std=c11", "-fcallgraph-info", "-c", *inputs,
         "-Isrc", "-Igenerated"], cwd=tmp_path, check=True,
    )  # fmt: skip
    calls: dict[str, set[str]] = {}
    for graph in tmp_path.glob("*.ci"):
        edges = re.findall(r'sourcename: "([^"]+)" targetname: "([^"]+)"', graph.read_text())
        for caller, callee in edges:
            calls.setdefault(caller.split(":")[-1], set()).add(callee.split(":")[-1])
    handlers = {"echo", *re.findall(r"= (\w+),", files["src/commands.c"])}
    calls["__indirect_call"] = {h for h in handlers if h in calls}
    assert len(calls["__indirect_call"]) >= 6 and "firmware_poll" in calls

    def walk(name: str, above: tuple[str, ...]) -> None:
        assert name not in above, " → ".join((*above, name))
        for callee in calls.get(name, ()):
            walk(callee, (*above, name))

    walk("firmware_poll", ())


def test_stack_of_the_image() -> None:
    """The stack is measured during the opening of a session, the longest answers, and cartpole."""
    with opened(COMPACT, image=True) as board:
        client = Client(board)
        client.open()
        for kind in link.Message:
            client.request(kind, bytes(link.MAX_BODY))
        client.request(link.Message.EPISODE, struct.pack(link.EPISODE_FORMAT, *range(5), 2, 5, 6))
        client.command(link.Command.START)
        assert 64 < board.stack < STACK_USED


# -- the text ------------------------------------------------------------------------------------
def test_format() -> None:
    tool = Path(sys.executable).with_name("clang-format")
    files = sorted((ROOT / "firmware").glob("*/*.[ch]"))
    assert len(files) > 20
    done = subprocess.run([tool, "--dry-run", "-Werror", *files], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_protocol_page() -> None:
    """The tables of the page are those of the specification."""
    text = protocol_page.PAGE.read_text(encoding="utf-8")
    assert text == renewed(text, protocol_page.tables()), "run python -m ohmcarlo_rtl.pages"


def test_example_of_the_page() -> None:
    """The bytes on the page equal those of another COBS encoder, and the board answers them."""
    lines = re.findall(r"^(OPEN|ECHO) wire +([0-9a-f ]+)$", protocol_page.PAGE.read_text(), re.M)
    opening, echo = (bytes.fromhex(text) for _, text in lines)
    patience = struct.pack(link.OPEN_FORMAT, protocol_page.EXAMPLE_PATIENCE)
    body = b"ohm\0carlo"
    message = struct.pack(link.MESSAGE_FORMAT, link.Message.ECHO, 0, 7) + body
    assert SESSION == protocol_page.EXAMPLE_SESSION
    assert opening == frame(link.Kind.OPEN, payload=patience)
    assert echo == frame(link.Kind.DATA, payload=message)
    with opened(COMPACT) as board:
        board.write(opening)
        board.poll()
        board.write(echo)
        board.poll()
        opened_frame, answer = frames(board.read())
    assert opened_frame.kind == link.Kind.OPENED
    assert answer.message == (link.Message.RESPONSE, link.Status.OK, 7, body)


# -- fuzzers -------------------------------------------------------------------------------------
def plant(monkeypatch: pytest.MonkeyPatch, path: str, good: str, bad: str) -> None:
    """Build from sources with a planted bug."""
    files = compiling.sources("src", "native", "fuzz")
    assert files[path].count(good) == 1
    files[path] = files[path].replace(good, bad)
    monkeypatch.setattr(compiling, "sources", lambda *folders: {
        name: text for name, text in files.items() if name.startswith(folders)
    })  # fmt: skip


def replay(fuzzer: str, name: str = "*") -> subprocess.CompletedProcess[str]:
    inputs = sorted((CORPUS / fuzzer).glob(name))
    assert inputs
    program = native.build_fuzzer(fuzzer, COMPACT)
    return subprocess.run([program, *inputs], capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("fuzzer", FUZZERS)
def test_corpus(fuzzer: str) -> None:
    done = replay(fuzzer)
    assert done.returncode == 0, done.stderr


def test_corpus_is_what_its_script_writes() -> None:
    sys.path.insert(0, str(CORPUS.parent))
    try:
        from corpus import inputs  # type: ignore[import-not-found]
    finally:
        sys.path.pop(0)
    found = {p.relative_to(CORPUS).as_posix(): p.read_bytes() for p in CORPUS.glob("*/*")}
    assert found == inputs()


@pytest.mark.parametrize(
    ("fuzzer", "name", "path", "good", "bad", "says"),
    [
        ("fuzz_messages", "outside", "src/raw.c", "row < core_read(OHMCARLO__ID__ROWS_addr)",
         "row < 0x10000u", "an operation outside the array"),
        ("fuzz_wire", "endless", "src/frame.c", "least(limit, room)", "limit", "runtime error"),
    ],
)  # fmt: skip
def test_planted_bugs_are_found(
    monkeypatch: pytest.MonkeyPatch,
    fuzzer: str,
    name: str,
    path: str,
    good: str,
    bad: str,
    says: str,
) -> None:
    """The corpus alone detects a missing check of an address and a buffer overrun."""
    plant(monkeypatch, path, good, bad)
    done = replay(fuzzer, name)
    assert done.returncode != 0 and says in done.stderr
