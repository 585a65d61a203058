"""IP-XACT (IEEE 1685-2014): registers by PeakRDL's exporter; interfaces, ports and files added."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from xml.dom.minidom import Document, Element

from peakrdl_ipxact.exporter import IPXACTExporter
from systemrdl.node import AddrmapNode

from ohmcarlo_hdl.ip.ports import APB4, AXI4_LITE, NATIVE, WISHBONE, Port

from .design import Design
from .fusesoc import vlnv
from .ports import STREAM_IN, STREAM_OUT, CorePorts, Interface, is_input

NAMESPACE = "ipxact:"
BUS_TYPES: Mapping[str, tuple[str, str, str, str]] = {
    AXI4_LITE: ("amba.com", "AMBA4", "AXI4-Lite", "r0p0_0"),
    APB4: ("amba.com", "AMBA4", "APB4", "r0p0_0"),
    WISHBONE: ("opencores.org", "interface", "wishbone", "B4"),
    NATIVE: ("ohmcarlo", "interface", "register_bus", "1.0"),
    STREAM_OUT: ("amba.com", "AMBA4", "AXI4Stream", "r0p0_1"),
    STREAM_IN: ("amba.com", "AMBA4", "AXI4Stream", "r0p0_1"),
}
"""Kind of an interface → vendor, library, name and version of its bus definition."""
PARTS = ("vendor", "library", "name", "version")

Content = str | Sequence["Item"]
Item = tuple[str, Mapping[str, str], Content]
"""An element of XML: tag without the name space, attributes, text or elements within."""


class _Exporter(IPXACTExporter):
    """The exporter, with an address block for each group of registers and each window.

    The exporter itself drops memories beside registers.
    """

    def add_addressBlock(self, parent: Element, node: Any) -> None:
        if not isinstance(node, AddrmapNode):
            super().add_addressBlock(parent, node)
            return
        for child in node.children():
            super().add_addressBlock(parent, child)


def component(design: Design, verilog: str) -> str:
    """The component of a core; ``verilog`` is the path of its Verilog, from the file's folder."""
    vendor, library, module, version = vlnv(design.request)
    exporter = _Exporter(vendor=vendor, library=library, version=version)
    exporter.skip_not_present = True
    with TemporaryDirectory() as folder:
        path = Path(folder) / "core.xml"
        exporter.export(design.rdl, str(path), component_name=module)
    document: Document = exporter.doc
    top = document.documentElement
    assert top is not None
    (maps,) = top.getElementsByTagName(f"{NAMESPACE}memoryMaps")
    memory_map = f"{design.rdl.inst_name}_mmap"
    top.insertBefore(_made(document, _interfaces(design.ports, memory_map)), maps)
    for item in (_model(module, design.ports), _files(verilog)):
        top.appendChild(_made(document, item))
    top.appendChild(_made(document, _item("description", design.request.title)))
    return str(document.toprettyxml(indent="  ", encoding="UTF-8").decode())


def _item(tag: str, content: Content = (), **attributes: str) -> Item:
    return tag, attributes, content


def _made(document: Document, item: Item) -> Element:
    tag, attributes, content = item
    element = document.createElement(NAMESPACE + tag)
    for name, value in attributes.items():
        element.setAttribute(name, value)
    if isinstance(content, str):
        element.appendChild(document.createTextNode(content))
    else:
        for inner in content:
            element.appendChild(_made(document, inner))
    return element


def _interfaces(ports: CorePorts, memory_map: str) -> Item:
    slave = _item("slave", [_item("memoryMapRef", memoryMapRef=memory_map)])
    modes = {STREAM_OUT: _item("master"), STREAM_IN: _item("slave")}
    return _item(
        "busInterfaces",
        [
            _interface(ports.slave, slave),
            *(_interface(stream, modes[stream.kind]) for stream in ports.streams),
        ],
    )


def _interface(interface: Interface, mode: Item) -> Item:
    names = dict(zip(PARTS, BUS_TYPES[interface.kind], strict=True))
    abstraction = names | {"name": f"{names['name']}_rtl"}
    maps = [
        _item(
            "portMap",
            [
                _item("logicalPort", [_item("name", signal.upper())]),
                _item("physicalPort", [_item("name", port.name)]),
            ],
        )
        for signal, port in interface.ports.items()
    ]
    abstract = _item(
        "abstractionType", [_item("abstractionRef", **abstraction), _item("portMaps", maps)]
    )
    return _item(
        "busInterface",
        [
            _item("name", interface.name),
            _item("busType", **names),
            _item("abstractionTypes", [abstract]),
            mode,
        ],
    )


def _model(module: str, ports: CorePorts) -> Item:
    view = [
        _item("name", "rtl"),
        _item("envIdentifier", ":*Synthesis:"),
        _item("componentInstantiationRef", "verilog"),
    ]
    instantiation = [
        _item("name", "verilog"),
        _item("language", "verilog"),
        _item("moduleName", module),
        _item("fileSetRef", [_item("localName", "rtl")]),
    ]
    return _item(
        "model",
        [
            _item("views", [_item("view", view)]),
            _item("instantiations", [_item("componentInstantiation", instantiation)]),
            _item("ports", [_port(port) for port in ports]),
        ],
    )


def _port(port: Port) -> Item:
    wire = [_item("direction", "in" if is_input(port) else "out")]
    if port.width > 1:
        vector = [_item("left", str(port.width - 1)), _item("right", "0")]
        wire.append(_item("vectors", [_item("vector", vector)]))
    return _item(
        "port",
        [_item("name", port.name), _item("description", port.meaning), _item("wire", wire)],
    )


def _files(verilog: str) -> Item:
    file = [_item("name", verilog), _item("fileType", "verilogSource")]
    return _item("fileSets", [_item("fileSet", [_item("name", "rtl"), _item("file", file)])])
