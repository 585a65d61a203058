"""A script that packages the core for the IP catalogue of Vivado."""

from __future__ import annotations

from string import Template

from ohmcarlo_hdl.ip.ports import APB4, AXI4_LITE

from .fusesoc import vlnv
from .ports import STREAM_OUT, CorePorts, Interface
from .request import ExportRequest

INTERFACES = {AXI4_LITE: "aximm", APB4: "apb"}
"""Bus → its interface in Vivado's catalogue. Vivado has none for the others."""

PARAMETERS = {
    AXI4_LITE: "set_property value AXI4LITE [ipx::add_bus_parameter PROTOCOL $bus]\n",
}

SCRIPT = Template("""\
# Packages the core for the IP catalogue of Vivado:
#   vivado -mode batch -source $file
#   vivado -mode batch -source $file -tclargs PART
# The result is in ip/ beside this script. Add that folder to the IP repositories of a project:
#   set_property ip_repo_paths $path/ip [current_project]; update_ip_catalog
set here [file dirname [file normalize [info script]]]
set part [expr {[llength $$argv] > 0 ? [lindex $$argv 0] : "xc7z020clg400-1"}]

create_project -in_memory -part $$part
add_files -norecurse [list [file join $$here .. $verilog]]
set_property top $module [current_fileset]
update_compile_order -fileset sources_1

ipx::package_project -root_dir [file join $$here ip] -vendor $vendor -library $library \\
  -taxonomy /UserIP -import_files -force
set core [ipx::current_core]
set_property name $module $$core
set_property version $version $$core
set_property display_name {ohmcarlo ($bus)} $$core
set_property description {Metropolis-Hastings sampler in a memristor array: $title} $$core
set_property supported_families {zynq Production artix7 Production kintex7 Production \\
  zynquplus Production kintexu Production kintexuplus Production} $$core

# no interface is guessed from the names of ports
ipx::remove_all_bus_interface $$core

# clock and reset
ipx::infer_bus_interface $clock xilinx.com:signal:clock_rtl:1.0 $$core
ipx::infer_bus_interface $reset xilinx.com:signal:reset_rtl:1.0 $$core
set reset [ipx::get_bus_interfaces $reset -of_objects $$core]
set polarity [ipx::get_bus_parameters POLARITY -of_objects $$reset]
if {$$polarity eq ""} {set polarity [ipx::add_bus_parameter POLARITY $$reset]}
set_property value $polarity $$polarity
ipx::associate_bus_interfaces -clock $clock -reset $reset $$core

# interrupt
ipx::infer_bus_interface irq xilinx.com:signal:interrupt_rtl:1.0 $$core
set interrupt [ipx::get_bus_interfaces irq -of_objects $$core]
set sensitivity [ipx::get_bus_parameters SENSITIVITY -of_objects $$interrupt]
if {$$sensitivity eq ""} {set sensitivity [ipx::add_bus_parameter SENSITIVITY $$interrupt]}
set_property value LEVEL_HIGH $$sensitivity
$interfaces
ipx::create_xgui_files $$core
ipx::update_checksums $$core
ipx::check_integrity $$core
ipx::save_core $$core
puts "packaged: [file join $$here ip]"
""")

BUS = Template("""\

# $name
set bus [ipx::add_bus_interface $name $$core]
set_property abstraction_type_vlnv xilinx.com:interface:${interface}_rtl:1.0 $$bus
set_property bus_type_vlnv xilinx.com:interface:$interface:1.0 $$bus
set_property interface_mode $mode $$bus
foreach {logical physical} {
$maps
} {
  set_property physical_name $$physical [ipx::add_port_map $$logical $$bus]
}
${parameters}ipx::associate_bus_interfaces -busif $name -clock $clock $$core
""")

MEMORY = Template("""\

# addresses of the registers
set registers [ipx::get_memory_maps $name -of_objects $$core]
if {$$registers eq ""} {set registers [ipx::add_memory_map $name $$core]}
set_property slave_memory_map_ref $name [ipx::get_bus_interfaces $name -of_objects $$core]
set block [lindex [ipx::get_address_blocks -of_objects $$registers] 0]
if {$$block eq ""} {set block [ipx::add_address_block reg0 $$registers]}
set_property range $range $$block
set_property width 32 $$block
""")


def package_script(request: ExportRequest, ports: CorePorts, verilog: str, file: str) -> str:
    """The script; ``verilog`` and ``file`` (the script) are paths below the folder of the core."""
    vendor, library, module, version = vlnv(request)
    protocol = ports.protocol
    return SCRIPT.substitute(
        file=file,
        path=file.rpartition("/")[0],
        verilog=verilog.replace("/", " "),
        module=module,
        vendor=vendor,
        library=library,
        version=".".join(version.split(".")[:2]),
        bus=request.bus,
        title=request.ascii_title,
        clock=protocol.clock,
        reset=protocol.reset,
        polarity="ACTIVE_LOW" if protocol.active_low else "ACTIVE_HIGH",
        interfaces=_interfaces(ports),
    )


def _interfaces(ports: CorePorts) -> str:
    found = []
    if ports.bus in INTERFACES:
        slave = ports.slave
        found.append(_inferred(slave, INTERFACES[ports.bus], ports))
        found.append(MEMORY.substitute(name=slave.name, range=ports.address_bytes))
    else:
        found.append(f"\n# The catalogue has no interface for {ports.bus}: its ports stay ports.\n")
    found += [_inferred(stream, "axis", ports) for stream in ports.streams]
    return "".join(found)


def _inferred(interface: Interface, kind: str, ports: CorePorts) -> str:
    return BUS.substitute(
        name=interface.name,
        maps="\n".join(f"  {s.upper()} {port.name}" for s, port in interface.ports.items()),
        interface=kind,
        mode="master" if interface.kind == STREAM_OUT else "slave",
        parameters=PARAMETERS.get(interface.kind, ""),
        clock=ports.protocol.clock,
    )
