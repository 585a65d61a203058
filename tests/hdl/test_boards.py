"""Boards: pins against the tables of amaranth-boards, clocks, and rejected requests."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from ohmcarlo.cli import app as cli
from ohmcarlo.cli import completion
from ohmcarlo.errors import UsageError
from ohmcarlo.spec.link import BAUD
from ohmcarlo_hdl.array.phy.pins import HEADERS, PINS, pins_signature
from ohmcarlo_hdl.boards import BOARDS, Board
from ohmcarlo_hdl.boards.board import BAUD_ERROR, uart_divisor
from ohmcarlo_hdl.boards.pll import (
    ARTIX7,
    ECP5,
    GATEMATE,
    GOWIN,
    ICE40,
    MHZ,
    PllLimits,
    PllSettings,
)
from ohmcarlo_hdl.boards.top import BoardTop, Loopback, Payload
from ohmcarlo_hdl.ip.ports import APB4, AXI4_LITE, NATIVE, WISHBONE
from ohmcarlo_rtl.bitstream.request import request_of
from ohmcarlo_rtl.pages import constraints

ROOT = Path(__file__).parents[2]
each_board = pytest.mark.parametrize("board", BOARDS.values(), ids=lambda b: b.name)


# -- pins ----------------------------------------------------------------------------------------
# A constraints file is parsed with patterns. The tables of amaranth-boards are traversed here,
# without any code of the generator.
PATTERNS = {
    "lpf": (
        r'LOCATE COMP "(\S+)" SITE "(\S+)";',
        r'IOBUF PORT "(\S+)" .*IO_TYPE=(\w+)',
        r'FREQUENCY PORT "(\S+)" ([\d.]+) MHZ;',
    ),
    "pcf": (r"^set_io (?:-pullup yes )?(\S+) (\S+)", r"(?!)()()", r"^set_frequency (\S+) ([\d.]+)"),
    # the comment before the pin holds the frequency
    "cst": (
        r'^IO_LOC "(\S+)" (\S+);',
        r'^IO_PORT "(\S+)" IO_TYPE=(\w+);',
        r'^// oscillator, (?P<value>[\d.]+) MHz\nIO_LOC "(?P<name>\S+)"',
    ),
    "ccf": (
        r'^NET "(\S+)" Loc = "(\w+)"(?: \||;)',
        r"(?!)()()",
        r'^# oscillator, (?P<value>[\d.]+) MHz\nNET "(?P<name>\S+)"',
    ),
    "xdc": (
        r"set_property PACKAGE_PIN (?P<value>\S+) \[get_ports \{(?P<name>\S+)\}\]",
        r"set_property IOSTANDARD (?P<value>\S+) \[get_ports \{(?P<name>\S+)\}\]",
        r"create_clock -name (\S+) -period ([\d.]+)",
    ),
}


def pairs(pattern: str, text: str) -> dict[str, str]:
    found = re.finditer(pattern, text, re.M)
    return {
        m["name"] if "name" in m.re.groupindex else m[1]: m["value"]
        if "value" in m.re.groupindex
        else m[2]
        for m in found
    }


# Boards that amaranth-boards lacks. Source: the platforms of the same boards in litex-boards
# (sipeed_tang_nano_20k.py, olimex_gatemate_a1_evb.py at 2f06d08), transcribed; there, a name that
# ends in _n is active low.
TRANSCRIBED = {
    "tang-nano-20k": {
        "clk27": "4",
        "serial.rx": "70",
        "serial.tx": "69",
        "btn": "88 87",
        "led_n": "15 16 17 18 19 20",
    },
    "gatemate-evb": {
        "clk0": "IO_SB_A8",
        "serial.rx": "IO_SA_A6",
        "serial.tx": "IO_SA_B6",
        "user_btn_n": "IO_SB_B7",
        "user_led_n": "IO_SB_B6",
    },
}
OURS_AND_THEIRS = {
    "clk27": "clk27",
    "clk10": "clk0",
    "uart.rx": "serial.rx",
    "uart.tx": "serial.tx",
    "button": "btn",
    "led": "led",
}


def described(platform_class: str) -> Any:
    module, name = platform_class.split(":")
    return getattr(importlib.import_module(module), name)


@pytest.mark.parametrize("name", TRANSCRIBED)
def test_pins_that_amaranth_boards_lacks(name: str) -> None:
    """The platform has the pins and the polarities of the transcription, and no others."""
    theirs = {key.removeprefix("user_"): pins for key, pins in TRANSCRIBED[name].items()}
    found: dict[str, list[str]] = {}
    for resource in described(BOARDS[name].platform_class).resources:
        for path, leaf, _ in leaves(resource, resource.name, {}):
            key = OURS_AND_THEIRS[path.replace("__", ".")] + ("_n" if leaf.invert else "")
            found.setdefault(key, []).extend(leaf.names)
    assert {key: " ".join(pins) for key, pins in found.items()} == theirs


def test_only_these_boards_have_a_platform_of_this_project() -> None:
    ours = {b.name for b in BOARDS.values() if not b.platform_class.startswith("amaranth_boards.")}
    assert ours == TRANSCRIBED.keys()


def table_of(platform_class: str) -> dict[str, tuple[str, dict[str, str], float | None]]:
    """Port name → pin, attributes, frequency: from the class of the platform."""
    platform = described(platform_class)
    found = {}
    for resource in platform.resources:
        for path, leaf, attributes in leaves(resource, f"{resource.name}_{resource.number}", {}):
            clock = resource.clock.frequency if resource.clock else None
            if hasattr(leaf, "names") and len(leaf.names) == 1:
                pin = leaf.names[0]
                found[f"{path}__io"] = (pin, attributes, clock)
    return found


def leaves(node: Any, path: str, outer: dict[str, str]) -> Iterator[tuple[str, Any, Any]]:
    attributes = outer | dict(node.attrs)
    if hasattr(node.ios[0], "ios"):
        for part in node.ios:
            yield from leaves(part, f"{path}__{part.name}", attributes)
    else:
        yield path, node.ios[0], attributes


def check_pins(board: Board, text: str) -> None:
    """Raise AssertionError unless every pin of a constraints file is that of the platform."""
    suffix = board.flow.constraints
    place, standard, clock = (pairs(pattern, text) for pattern in PATTERNS[suffix])
    table = table_of(board.platform_class)
    assert len(place) >= 5
    for name, pin in place.items():
        assert name in table, name
        assert pin == table[name][0], name
    for name, level in standard.items():
        attributes = table[name][1]
        assert level == attributes.get("IO_TYPE", attributes.get("IOSTANDARD")), name
    if suffix not in ("pcf", "ccf"):
        assert standard.keys() == place.keys()
    assert len(clock) == 1
    for name, value in clock.items():
        megahertz = 1e3 / float(value) if suffix == "xdc" else float(value)
        assert megahertz * 1e6 == pytest.approx(table[name][2], rel=1e-6)
    rx, tx = (f"{board.uart[0]}_{board.uart[1]}__{part}__io" for part in ("rx", "tx"))
    assert {rx, tx} <= place.keys()


def committed(board: Board) -> str:
    return (ROOT / "constraints" / board.name / f"ohmcarlo.{board.flow.constraints}").read_text()


@each_board
def test_pins_are_those_of_the_board(board: Board) -> None:
    check_pins(board, committed(board))


@each_board
def test_a_wrong_pin_is_found(board: Board) -> None:
    """A pin that is exchanged with its neighbour is detected, for every pin."""
    text = committed(board)
    place = pairs(PATTERNS[board.flow.constraints][0], text)
    for name, pin in place.items():
        other = next(p for p in place.values() if p != pin)
        lines = [
            re.sub(rf"\b{pin}\b", other, line) if name in line else line
            for line in text.splitlines()
        ]
        assert "\n".join(lines) != text.rstrip("\n")
        with pytest.raises(AssertionError, match=name):
            check_pins(board, "\n".join(lines))


with_headers = pytest.mark.parametrize(
    "board", [b for b in BOARDS.values() if b.header], ids=lambda b: b.name
)


def check_header(board: Board, text: str) -> None:
    """Raise AssertionError unless each wire has exactly one pin of a header."""
    platform = described(board.platform_class)
    there = {pin for connector in platform.connectors for pin in connector.mapping.values()}
    place = pairs(PATTERNS["lpf"][0], text)
    assert {f"phy_0__{pin.name}__io" for pin in PINS} == place.keys()
    assert set(pairs(PATTERNS["lpf"][1], text).values()) == {"LVCMOS33"}
    assert len(set(place.values())) == len(place)
    assert set(place.values()) <= there
    for wire, at in HEADERS[board.header or ""].items():
        connector, pin = at.split(":")
        (found,) = (c for c in platform.connectors if f"{c.name}_{c.number}" == connector)
        assert place[f"phy_0__{wire}__io"] == found.mapping[pin], wire
    used = set(pairs(PATTERNS["lpf"][0], committed(board)).values())
    assert not used & set(place.values())


@with_headers
def test_wires_of_the_daughterboard(board: Board) -> None:
    text = (ROOT / "constraints" / board.name / "daughterboard.lpf").read_text()
    check_header(board, text)
    place = pairs(PATTERNS["lpf"][0], text)
    one, other = list(place.values())[:2]
    swapped = (
        text.replace(f'"{one}"', "@").replace(f'"{other}"', f'"{one}"').replace("@", f'"{other}"')
    )
    with pytest.raises(AssertionError):
        check_header(board, swapped)


@pytest.mark.parametrize("name", ["ulx3s-85f", "ecpix5-85f"])
def test_the_top_has_the_wires(name: str) -> None:
    """With a real array, Amaranth places the wires at the pins of the headers."""
    request = request_of(name, array="phy")
    payload = Payload(Loopback(), 0, 0, pins_signature().create())
    top = BoardTop(request.board, request.settings, payload)
    made = request.board.platform().prepare(top, "ohmcarlo", emit_src=False)
    text = "\n".join(line for line in made.files["ohmcarlo.lpf"].splitlines() if "phy_0" in line)
    check_header(request.board, text)


@pytest.mark.parametrize(("name", "button"), [("ulx3s-85f", False), ("ecpix5-85f", True)])
def test_an_ecp5_has_no_clock_until_its_pll_is_steady(name: str, button: bool) -> None:
    """The clock of the design is gated by the lock of the PLL. Only a button resets the design."""
    request = request_of(name)
    top = BoardTop(request.board, request.settings, Payload(Loopback(), 0, 0))
    made = request.board.platform().prepare(top, "ohmcarlo", emit_src=False)
    text = made.files["ohmcarlo.il"]
    text = text if isinstance(text, str) else text.decode()

    def cell(module: str, kind: str) -> dict[str, str]:
        found = re.findall(rf"^ *cell \\{kind}(?:\$\d+)? .*?^ *end$", module, re.M | re.S)
        assert len(found) == 1, kind
        return dict(re.findall(r"connect \\(\w+) (\S+)", found[0]))

    (pll,) = (m for m in text.split("\nmodule ") if "cell \\EHXPLLL " in m)
    made_clock, gate = cell(pll, "EHXPLLL"), cell(pll, "DCCA")
    assert gate["CLKI"] == made_clock["CLKOP"] == made_clock["CLKFB"]
    assert gate["CLKO"] == "\\clk"
    steady = cell(pll, r"ohmcarlo\.pll\.steady")  # two flip-flops in the clock domain of the PLL
    assert steady["made_clk"] == gate["CLKI"]
    assert (steady["locked"], steady["stage1"]) == (made_clock["LOCK"], gate["CE"])
    assert ("cell \\ohmcarlo.reset " in text) == button


def test_constraints_are_what_the_boards_give(tmp_path: Path) -> None:
    made = constraints.files()
    for name, text in made.items():
        assert (ROOT / "constraints" / name).read_text(encoding="utf-8") == text, name
    there = {
        p.relative_to(constraints.FOLDER).as_posix() for p in constraints.FOLDER.rglob("ohmcarlo.*")
    }
    assert there <= made.keys()


def test_the_commands_of_a_page_read_the_processor_that_the_board_has() -> None:
    """Boards with the bit-serial controller have no processor, and no file of one."""
    folder = ROOT / "constraints"
    without = {
        name for name in BOARDS if "picorv32" not in (folder / name / "README.md").read_text()
    }
    assert without == {name for name, board in BOARDS.items() if board.config.bit_serial}
    assert len(BOARDS) - len(without) >= 3


def test_no_pin_twice() -> None:
    for board in BOARDS.values():
        place = pairs(PATTERNS[board.flow.constraints][0], committed(board))
        assert len(set(place.values())) == len(place)


# -- clocks --------------------------------------------------------------------------------------
# Limits from the data sheets, in MHz (phase detector, VCO): ECP5 (FPGA-DS-02012), iCE40 UltraPlus
# (FPGA-DS-02008), Artix-7 -1 (DS181), GW2A C8/I7 (DS102), GateMate in economy mode (DS1001).
SHEETS = {
    "ECP5": (3.125, 400, 400, 800),
    "iCE40": (10, 133, 533, 1066),
    "Artix-7": (10, 450, 600, 1200),
    "GW2A": (3, 500, 500, 1250),
    "GateMate": (1, 50, 250, 500),  # a fourth of the oscillator's 1 to 2 GHz
}


def check_gatemate(input_hz: int, s: PllSettings) -> None:
    """The dividers that nextpnr can choose from: limits of UG1001 (CC_PLL) in economy mode, MHz."""
    pdiv1, n1, n2 = 2, 2, s.feedback
    m1, m2 = (1, 1) if s.output == 1 else (2, s.output // 2)
    assert m1 * m2 == s.output and 1 <= n2 <= 1023 and m2 <= 1023
    dco = Fraction(input_hz, MHZ) * pdiv1 * n1 * n2
    assert 1000 <= dco <= 2000
    assert dco / pdiv1 <= 1250  # input of N1 and M1
    assert dco / pdiv1 / n1 <= 625 and dco / pdiv1 / m1 <= 625  # of N2 and M2
    assert dco / (2 * pdiv1 * m1 * m2) * MHZ == s.clock_hz <= 312_500_000


def check_settings(limits: PllLimits, input_hz: int, clock_hz: int) -> Fraction:
    """The output of the dividers is computed here. Every limit of the data sheet holds."""
    s = limits.settings(input_hz, clock_hz)
    detector = Fraction(input_hz, s.reference)
    vco = detector * s.feedback * (s.output if limits in (ECP5, GOWIN) else 1)
    low, high, vco_low, vco_high = (round(x * MHZ) for x in SHEETS[limits.family])
    assert (limits.detector, limits.vco) == ((low, high), (vco_low, vco_high))
    assert low <= detector <= high
    assert vco_low <= vco <= vco_high
    assert s.vco_hz == vco and s.clock_hz == vco / s.output
    if limits is ICE40:
        assert s.output & (s.output - 1) == 0
    if limits is GOWIN:  # table of the rPLL in the clock user guide UG286
        assert s.output in (2, 4, 8, 16, 32, 48, 64, 80, 96, 112, 128)
        assert s.reference <= 64 and s.feedback <= 64
    if limits is GATEMATE:
        check_gatemate(input_hz, s)
    return s.clock_hz


@pytest.mark.parametrize(
    ("limits", "input_mhz"),
    [
        (ECP5, 25),
        (ECP5, 100),
        (ICE40, 12),
        (ARTIX7, 100),
        (GOWIN, 27),
        (GOWIN, 50),
        (GATEMATE, 10),
        (GATEMATE, 12),
    ],
)
def test_pll_settings(limits: PllLimits, input_mhz: int) -> None:
    reached = 0
    for clock_mhz in range(5, 260, 15):
        try:
            made = check_settings(limits, input_mhz * MHZ, clock_mhz * MHZ)
        except UsageError:
            continue
        assert abs(made / MHZ - clock_mhz) <= Fraction(clock_mhz, 100)
        reached += 1
    assert reached >= 7


def test_known_settings() -> None:
    """Settings of ecppll and icepll: 25 to 80 MHz, 100 to 100 MHz, 12 to 21 MHz."""
    ulx3s = ECP5.settings(25 * MHZ, 80 * MHZ)
    assert (ulx3s.reference, ulx3s.feedback, ulx3s.vco_hz) == (5, 16, 560 * MHZ)
    ecpix5 = ECP5.settings(100 * MHZ, 100 * MHZ)
    assert (ecpix5.reference, ecpix5.feedback, ecpix5.output) == (1, 1, 6)
    ice = ICE40.settings(12 * MHZ, 21 * MHZ)
    assert (ice.reference, ice.feedback, ice.output) == (1, 56, 32)


@pytest.mark.parametrize(
    ("limits", "input_hz", "clock_hz"),
    [
        (GOWIN, 27 * MHZ, 4_500_000),
        (GOWIN, 27 * MHZ, 6 * MHZ),  # with the slowest phase detector only
        (GOWIN, 25 * MHZ, 625 * MHZ),
        (GOWIN, 3 * MHZ, 192 * MHZ),
        (GOWIN, 500 * MHZ, 500 * MHZ),
        (GATEMATE, 50 * MHZ, 300 * MHZ),
        (GATEMATE, 1 * MHZ, 2 * MHZ),
        (GATEMATE, 12_500_000, 312_500_000),
    ],
)
def test_pll_settings_at_the_limits(limits: PllLimits, input_hz: int, clock_hz: int) -> None:
    assert check_settings(limits, input_hz, clock_hz) == clock_hz


@pytest.mark.parametrize(
    ("limits", "input_hz", "clock_hz", "message"),
    [
        (ECP5, 25 * MHZ, 500 * MHZ, r"500 MHz is beyond the ECP5's PLL: choose 3.125 to 400 MHz"),
        (ECP5, 25 * MHZ, 7_400_000, r"cannot make 7.4 MHz .* nearest is 7.142857 MHz"),
        (ECP5, 5 * MHZ, 80 * MHZ, r"takes 8 to 400 MHz, not the 5 MHz"),
        (ICE40, 12 * MHZ, 10 * MHZ, r"10 MHz is beyond the iCE40's PLL"),
        (GOWIN, 27 * MHZ, 3_900_000, r"3.9 MHz is beyond the GW2A's PLL: choose 3.90625 to 625"),
        (GOWIN, 27 * MHZ, 626 * MHZ, r"626 MHz is beyond the GW2A's PLL"),
        (GOWIN, 27 * MHZ, 5 * MHZ, r"cannot make 5 MHz from 27 MHz; the nearest is 5\.\d+ MHz"),
        (GOWIN, 2 * MHZ, 27 * MHZ, r"takes 3 to 500 MHz, not the 2 MHz"),
        (GATEMATE, 10 * MHZ, 313 * MHZ, r"313 MHz is beyond the GateMate's PLL"),
        (GATEMATE, 51 * MHZ, 20 * MHZ, r"takes 1 to 50 MHz, not the 51 MHz"),
    ],
)
def test_impossible_clocks(limits: PllLimits, input_hz: int, clock_hz: int, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        limits.settings(input_hz, clock_hz)


@each_board
def test_the_clock_of_a_board(board: Board) -> None:
    request = request_of(board.name)
    assert request.real_clock_hz == board.clock_hz
    assert board.clock_hz >= 20 * MHZ


# -- the serial link -----------------------------------------------------------------------------
@pytest.mark.parametrize("base", [3_000_000, 12_000_000], ids=["FT231X", "FT2232H"])
def test_usb_bridges_make_the_link_exactly(base: int) -> None:
    """Baud rates divide 3 MHz (full speed) or 12 MHz (high speed) by an integer."""
    assert base % BAUD == 0


def test_the_receiver_bears_the_deviation() -> None:
    """The receiver samples the stop bit 9.5 bits after the edge, which it detects up to three
    clocks late."""
    for clock_hz in range(3 * MHZ, 120 * MHZ, 250_000):
        try:
            divisor = uart_divisor(clock_hz)
        except UsageError:
            continue
        error = clock_hz / divisor / BAUD - 1
        assert abs(error) <= BAUD_ERROR
        if divisor >= 20:  # every board's
            early = 9.5 * abs(error) + 3 / divisor
            assert early < 0.5


@pytest.mark.parametrize(
    ("clock_hz", "message"),
    [
        (1_400_000, r"no serial link of 1,000,000 baud: choose 2 MHz or more"),
        (7_500_000, r"937,500 baud, 6.2% from 1,000,000: choose a clock near 8 MHz"),
    ],
)
def test_clocks_that_make_no_link(clock_hz: int, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        uart_divisor(clock_hz)


# -- invalid requests ----------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"board": "ulx4s"}, r"board 'ulx4s' is unknown: choose among ulx3s-85f, .*arty-a7"),
        ({"board": "ulx3s-85f", "rows": 3}, r"rows = 3"),
        ({"board": "ulx3s-85f", "access_bits": 3}, r"access_bits = 3"),
        ({"board": "ulx3s-85f", "clock_mhz": 1000}, r"1000 MHz is beyond"),
        ({"board": "ulx3s-85f", "clock_mhz": 7.4}, r"cannot make 7.4 MHz"),
        ({"board": "ulx3s-85f", "seed": -1}, r"--seed -1: choose 0 or more"),
        ({"board": "ulx3s-85f", "array": "die"}, r"'die' is unknown: choose emulator or phy"),
        (
            {"board": "arty-a7", "array": "phy"},
            r"no headers for a daughterboard: choose among ulx3s-85f, ecpix5-85f$",
        ),
        ({"board": "ulx3s-12f", "array": "phy"}, r"a real one needs a controller with a processor"),
        ({"board": "ulx3s-85f", "array": "phy", "access_bits": 8}, r"choose access_bits = 1"),
        ({"board": "ulx3s-85f", "array": "phy", "pairs": 64}, r"choose tile_pairs = 32 or fewer"),
    ],
)
def test_bad_requests(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        request_of(**options)


def test_names_of_folders() -> None:
    assert request_of("ulx3s-85f").name == "ulx3s-85f"
    assert request_of("ulx3s-85f", compact=True).name == "ulx3s-85f-compact"
    assert request_of("ulx3s-85f", rows=128).name == "ulx3s-85f-128x32x8"
    assert request_of("ulx3s-85f", array="phy").name == "ulx3s-85f-phy"
    assert request_of("ulx3s-85f", array="phy", compact=True).name == "ulx3s-85f-compact-phy"
    assert request_of("ulx3s-85f", array="phy", rows=128).name == "ulx3s-85f-128x32x1-phy"


def test_a_real_array_has_the_clock_that_the_pll_makes() -> None:
    """The times on the wires follow from the clock of the PLL. The lines are on or off."""
    request = request_of("ulx3s-85f", array="phy", clock_mhz=62.3)
    assert request.config.phy is not None
    assert request.config.phy.clock_hz == request.real_clock_hz != request.clock_hz
    assert request.config.access_bits == 1 and request.config.array == "phy"
    assert request_of("ulx3s-85f").config.array == "emulator"


def test_what_a_build_is_recognised_by() -> None:
    """Every option that changes the bitstream changes the key."""
    base = request_of("ulx3s-85f")
    others = [
        request_of("ulx3s-85f", compact=True),
        request_of("ulx3s-85f", rows=128),
        request_of("ulx3s-85f", clock_mhz=75),
        request_of("ulx3s-85f", seed=2),
        request_of("ulx3s-85f", access_bits=1),
        request_of("ulx3s-85f", array="phy"),
        request_of("ulx3s-12f", rows=256, pairs=32, access_bits=8),
    ]
    keys = {r.key([]) for r in (base, *others)}
    assert len(keys) == 1 + len(others)
    assert base.key([]) == request_of("ulx3s-85f").key([])


def test_help_lists_the_boards(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["build", "--help"]) == 0
    shown = capsys.readouterr().out
    assert all(name in shown for name in BOARDS)


def test_the_shell_completes_the_boards_and_buses_that_exist() -> None:
    """The host lists them without the packages of the hardware."""
    assert set(completion.BOARDS) == set(BOARDS)
    assert set(completion.BUSES) == {NATIVE, AXI4_LITE, APB4, WISHBONE}
