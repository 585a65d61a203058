"""All files of an exported core. They depend on the request and on the sources only."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import version
from typing import Any

import ohmcarlo
from ohmcarlo_hdl.ip.ports import EMULATOR
from ohmcarlo_hdl.soc.design import design_hash

from ..controller.generate import MANIFEST, PYTHON, TOOLS
from ..controller.lint import WAIVERS
from ..driver.package import driver_files
from ..progress import Say, silent
from ..registers.page import register_page
from .constraints import SDC, XDC, constraints
from .design import Design
from .fusesoc import core_file, vlnv
from .ipxact import component as ipxact_component
from .litex import BUSES as LITEX_BUSES
from .litex import litex_module
from .platform_designer import component as platform_designer_component
from .ports import port_page
from .readme import readme
from .testbench import IMAGES, testbench, testbench_name
from .vivado import package_script

VERSIONS = (*TOOLS, "peakrdl-ipxact")
"""Packages that the files depend on."""
ONE_FILE = """\
// All modules are in one file.
lint_off -rule DECLFILENAME -file "*$FILE"
"""


def core_files(design: Design, say: Say = silent) -> dict[str, str]:
    """Path below the folder → text, without the manifest and the synthesis report."""
    request, module = design.request, design.request.module
    verilog, waivers = f"rtl/{module}.v", "rtl/lint.vlt"
    bench = f"sim/{testbench_name(request)}.sv"
    say("Verilog ...")
    files = {verilog: design.verilog}
    say("registers, ports, scripts ...")
    files[waivers] = WAIVERS.read_text(encoding="utf-8") + ONE_FILE.replace("$FILE", f"{module}.v")
    files[bench] = testbench(design)
    files |= {f"{IMAGES}/{name}": text for name, text in design.images.items()}
    files["docs/ports.md"] = port_page(request.title, module, design.ports)
    files["docs/registers.html"] = register_page(design.rdl, f"{module}: registers")
    files |= {f"sw/{name}": text for name, text in _software(design).items()}
    files |= {
        f"constraints/{module}.{kind}": constraints(request, design.ports, kind)
        for kind in (XDC, SDC)
    }
    files[f"{module}.core"] = core_file(request, verilog, waivers, bench)
    files[f"ipxact/{module}.xml"] = ipxact_component(design, f"../{verilog}")
    script = "vivado/package_ip.tcl"
    files[script] = package_script(request, design.ports, verilog, script)
    files[f"quartus/{module}_hw.tcl"] = platform_designer_component(request, design.ports, verilog)
    if request.bus in LITEX_BUSES:
        files["litex/ohmcarlo_litex.py"] = litex_module(request, design.ports)
    return files


def _software(design: Design) -> Mapping[str, str]:
    """The C driver, and the headers of this core."""
    return driver_files(design.request.config, design.request.array == EMULATOR)


def with_manifest(
    design: Design, files: Mapping[str, str], report: Mapping[str, Any] | None
) -> dict[str, str]:
    """The files with their README and their manifest, which is the last one."""
    made = {"README.md": readme(design, files), **files}
    return dict(sorted(made.items())) | {MANIFEST: _manifest(design, made, report)}


def _manifest(design: Design, files: Mapping[str, str], report: Mapping[str, Any] | None) -> str:
    request = design.request
    parameters = asdict(request.config)
    geometry = parameters.pop("geometry")
    versions = {"ohmcarlo": ohmcarlo.__version__, "python": PYTHON}
    content = {
        "core": ":".join(vlnv(request)),
        "module": request.module,
        "bus": request.bus,
        "array": request.array,
        "streams": request.streams,
        "clock_hz": request.clock_hz,
        "address_bytes": design.ports.address_bytes,
        "geometry": geometry,
        "controller": parameters,
        "register_map": design.registers.hash,
        "design_hash": design_hash(request.config),
        "versions": versions | {package: version(package) for package in VERSIONS},
        "synthesis": report,
        "sha256": {
            file: hashlib.sha256(text.encode()).hexdigest() for file, text in sorted(files.items())
        },
    }
    return json.dumps(content, indent=2) + "\n"
