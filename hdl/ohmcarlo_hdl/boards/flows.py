"""Tool flows: for each FPGA family its tools, its PLL, and what the tools report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from .platforms.gowin import Himbaechel
from .pll import (
    ARTIX7,
    ECP5,
    GATEMATE,
    GOWIN,
    ICE40,
    Artix7Pll,
    Ecp5Pll,
    GateMatePll,
    GowinPll,
    Ice40Pll,
    Pll,
    PllLimits,
)


@dataclass(frozen=True)
class Flow:
    """The tool flow of an FPGA family.

    Attributes
    ----------
    tools : tuple of str
        Tools in their order: synthesis, place and route, packing. Empty: only Verilog and
        constraints are generated.
    pll : PllLimits
    primitive : type
        The component of that PLL.
    constraints : str
        Suffix of the file with pins and clocks.
    bitstream : str
        Suffix of the bitstream; of the Verilog where there is no open flow.
    toolchain : str
        Amaranth's name of it.
    tooling : type or None
        Files and commands that replace those of Amaranth's platform.
    options : mapping
        Overrides of Amaranth's platform ("synth_opts", "nextpnr_opts", ...).
    resources : mapping
        Name in the table of resources → names of the cells in nextpnr's report. Cells of further
        kinds take the places of the first; a kind that is named n times takes n of them.
    """

    tools: tuple[str, ...]
    pll: PllLimits
    primitive: type[Pll]
    constraints: str
    bitstream: str
    toolchain: str
    tooling: type | None = None
    options: Mapping[str, str] = field(default_factory=dict)
    resources: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


ECP5_FLOW = Flow(
    tools=("yosys", "nextpnr-ecp5", "ecppack"),
    pll=ECP5,
    primitive=Ecp5Pll,
    constraints="lpf",
    bitstream="bit",
    toolchain="Trellis",
    # The static placer leaves shorter wires than heap: a third more speed, half the routing time.
    options={
        # ABC9 fails if there is a wire ``x[1]`` beside a wire ``x``, as fields of arrays are named
        "script_after_read": "rename -hide w:*[[]*",
        "synth_opts": "-abc9",
        "nextpnr_opts": "--placer static",
        "ecppack_opts": "--compress",
    },
    resources={
        "lut": ("TRELLIS_COMB",),
        "ff": ("TRELLIS_FF",),
        "bram": ("DP16KD",),
        "dsp": ("MULT18X18D",),
    },
)
ICE40_FLOW = Flow(
    tools=("yosys", "nextpnr-ice40", "icepack"),
    pll=ICE40,
    primitive=Ice40Pll,
    constraints="pcf",
    bitstream="bin",
    toolchain="IceStorm",
    resources={
        "lut": ("ICESTORM_LC",),
        "bram": ("ICESTORM_RAM",),
        "dsp": ("ICESTORM_DSP",),
        "spram": ("ICESTORM_SPRAM",),
    },
)
ARTIX7_FLOW = Flow(
    tools=(),
    pll=ARTIX7,
    primitive=Artix7Pll,
    constraints="xdc",
    bitstream="v",
    toolchain="Vivado",
)
GOWIN_FLOW = Flow(
    tools=("yosys", "nextpnr-himbaechel-gowin", "gowin_pack"),
    pll=GOWIN,
    primitive=GowinPll,
    constraints="cst",
    bitstream="fs",
    toolchain="Apicula",
    tooling=Himbaechel,
    options={"synth_opts": "-family gw2a"},
    resources={
        "lut": ("LUT4", "ALU", *4 * ("RAM16SDP4",)),
        "ff": ("DFF",),
        "bram": ("BSRAM",),
        "dsp": ("MULT18X18",),
    },
)
GATEMATE_FLOW = Flow(
    tools=("yosys", "nextpnr-himbaechel-gatemate", "gmpack"),
    pll=GATEMATE,
    primitive=GateMatePll,
    constraints="ccf",
    bitstream="bit",
    toolchain="Peppercorn",
    options={
        # as in GateMate's own flow: trees of small look-up tables, multiplexers of up to 4 inputs
        "synth_opts": "-luttree -nomx8",
        # Core voltage of 1.0 V; nextpnr takes the worst corner. After routing it descends
        # recursively into each net with a CP line. Long ones exceed the stack of the WebAssembly
        # program (64 KiB, 95 wires), and without CP lines the whole controller is faster, too.
        "nextpnr_opts": "--vopt fpga_mode=2 --vopt no-cpe-cp",
    },
    # a memory of 40 Kbit is two halves
    resources={"lut": ("CPE_LT",), "ff": ("CPE_FF",), "bram": ("RAM_HALF",)},
)
