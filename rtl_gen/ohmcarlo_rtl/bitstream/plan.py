"""From a request to the files and commands of a family's tools."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from amaranth import Const

from ohmcarlo.spec.link import BAUD
from ohmcarlo_hdl.boards.board import uart_divisor
from ohmcarlo_hdl.boards.top import BoardTop, Payload
from ohmcarlo_hdl.config import BitSerialConfig
from ohmcarlo_hdl.soc.bit_serial import BitSerialBoard
from ohmcarlo_hdl.soc.design import design_word
from ohmcarlo_hdl.soc.soc import Soc

from ..firmware.image import build_image
from ..verilog import require_builtin_yosys
from .request import Request

NAME = "ohmcarlo"
"""Name of the top module and of its files."""
REPORT = "report.json"
SCRIPT = f"build_{NAME}.json"
SCRIPTS = (SCRIPT, f"build_{NAME}.bat", f"{NAME}.debug.v")
"""Files of Amaranth that are omitted, because this package runs the commands itself."""
QUIET = "--quiet"


@dataclass(frozen=True)
class Plan:
    """Input of the tools, and the commands to run.

    ``files``: name → content, in the folder of the build. ``commands``: lists of words, in the
    order to run them. The first word is a tool of ``Flow.tools``. The command of place and route
    contains ``seed_words(seed)``.
    """

    files: dict[str, str | bytes]
    commands: list[list[str]]

    def write(self, folder: Path) -> None:
        for name, content in self.files.items():
            raw = content.encode() if isinstance(content, str) else content
            (folder / name).write_bytes(raw)


def make_plan(request: Request) -> Plan:
    """Files and commands of a board's design."""
    require_builtin_yosys()
    board = request.board
    top = BoardTop(board, request.settings, payload_of(request))
    options = board.build_options
    if board.open_flow:
        ours = f"{' '.join(seed_words(request.seed))} --report {REPORT}"
        options["nextpnr_opts"] = f"{options.get('nextpnr_opts', '')} {ours}".strip()
    # without "src" attributes nothing depends on where the sources are
    made = board.platform().prepare(top, NAME, emit_src=False, **options)
    commands = [
        [word for word in command if word != QUIET]
        for command in json.loads(made.files[SCRIPT])["commands"]
    ]
    files = {name: text for name, text in made.files.items() if name not in SCRIPTS}
    return Plan(files, commands)


def seed_words(seed: int) -> list[str]:
    """The option of nextpnr for its seed."""
    return ["--seed", str(seed)]


def firmware_of(request: Request) -> bytes:
    """The processor's memory from address 0 on; empty for a design without a processor."""
    if request.config.bit_serial:
        return b""
    return build_image(request.config, request.board.ram_bytes)


def payload_of(request: Request) -> Payload:
    """The design for the board: with a processor and its firmware, or the bit-serial one."""
    config, clock_hz = request.config, request.real_clock_hz
    if isinstance(config, BitSerialConfig):
        made = BitSerialBoard(config, clock_hz, BAUD)
        return Payload(made, busy=made.busy, fault=Const(0))
    soc = Soc(
        config,
        firmware_of(request),
        clock_hz=clock_hz,
        uart_divisor=uart_divisor(clock_hz),
        simulated=False,
        design_hash=design_word(config),
        ram_bytes=request.board.ram_bytes,
    )
    pins = soc.pins if config.phy is not None else None
    return Payload(soc, busy=~soc.idle, fault=soc.trap, pins=pins)
