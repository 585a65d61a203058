"""The component description of Intel's Platform Designer (``_hw.tcl``)."""

from __future__ import annotations

from collections.abc import Iterable
from string import Template

from ohmcarlo_hdl.ip.ports import APB4, AXI4_LITE, Port

from .fusesoc import vlnv
from .ports import STREAM_OUT, CorePorts, is_input
from .request import ExportRequest

BUSES = {AXI4_LITE: "axi4lite", APB4: "apb"}
"""Bus → its interface in Platform Designer. The others become conduits."""
CAPABILITIES = (
    "readAcceptanceCapability",
    "writeAcceptanceCapability",
    "combinedAcceptanceCapability",
)

SCRIPT = Template("""\
# Component of Platform Designer. Add the folder of this file to the IP search path of the project
# (Tools, Options, IP Search Path), or run qsys-generate with --search-path.
package require -exact qsys 16.0

set_module_property NAME $module
set_module_property VERSION $version
set_module_property DISPLAY_NAME {ohmcarlo ($bus)}
set_module_property DESCRIPTION {Metropolis-Hastings sampler in a memristor array: $title}
set_module_property GROUP {Accelerators}
set_module_property INSTANTIATE_IN_SYSTEM_MODULE true
set_module_property EDITABLE false

foreach set {QUARTUS_SYNTH SIM_VERILOG} {
  add_fileset $$set $$set ""
  set_fileset_property $$set TOP_LEVEL $module
  add_fileset_file $module.v VERILOG PATH ../$verilog TOP_LEVEL_FILE
}

add_interface clock clock end
add_interface_port clock $clock clk Input 1

add_interface reset reset end
set_interface_property reset associatedClock clock
set_interface_property reset synchronousEdges BOTH
add_interface_port reset $reset $reset_role Input 1
$interfaces
add_interface irq interrupt end
set_interface_property irq associatedClock clock
set_interface_property irq associatedReset reset
$interrupt
add_interface_port irq irq irq Output 1
$conduits""")


def component(request: ExportRequest, ports: CorePorts, verilog: str) -> str:
    """The description; ``verilog`` is a path below the folder of the core."""
    *_, module, version = vlnv(request)
    protocol = ports.protocol
    slave = ports.slave
    addressable = f"set_interface_property irq associatedAddressablePoint {slave.name}"
    return SCRIPT.substitute(
        module=module,
        version=version,
        bus=request.bus,
        title=request.ascii_title,
        verilog=verilog,
        clock=protocol.clock,
        reset=protocol.reset,
        reset_role="reset_n" if protocol.active_low else "reset",
        interfaces=_interfaces(ports),
        interrupt=addressable
        if ports.bus in BUSES
        else 'set_interface_property irq associatedAddressablePoint ""',
        conduits=_conduits(ports),
    )


def _interfaces(ports: CorePorts) -> str:
    slave = ports.slave
    lines = [""]
    lines += _interface(slave.name, BUSES.get(ports.bus, "conduit"), "end", slave.ports.items())
    if ports.bus == AXI4_LITE:  # one access at a time
        lines += [f"set_interface_property {slave.name} {name} 1" for name in CAPABILITIES]
    for stream in ports.streams:
        side = "start" if stream.kind == STREAM_OUT else "end"
        lines += ["", *_interface(stream.name, "axi4stream", side, stream.ports.items())]
    return "\n".join(lines) + "\n"


def _conduits(ports: CorePorts) -> str:
    """Interrupt aside, every other signal is exported as it is."""
    lines = []
    for port in ports.signals:
        lines += ["", *_interface(port.name, "conduit", "end", [("export", port)])]
    return "\n".join(lines) + "\n"


def _interface(name: str, kind: str, side: str, roles: Iterable[tuple[str, Port]]) -> list[str]:
    return [
        f"add_interface {name} {kind} {side}",
        f"set_interface_property {name} associatedClock clock",
        f"set_interface_property {name} associatedReset reset",
        *(
            f"add_interface_port {name} {port.name} {role} {_way(port)} {port.width}"
            for role, port in roles
        ),
    ]


def _way(port: Port) -> str:
    return "Input" if is_input(port) else "Output"
