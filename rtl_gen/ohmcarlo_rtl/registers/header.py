"""The C header of PeakRDL, adapted to processors that require aligned accesses."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from peakrdl_cheader.c_standards import CStandard
from peakrdl_cheader.exporter import CHeaderExporter
from systemrdl.node import AddrmapNode, FieldNode

from ohmcarlo_hdl.regs.map import CONTROLLER, RegisterMap

PACKED = "__attribute__ ((__packed__)) "
ASSERT = """
#if !defined(__cplusplus) && !defined(static_assert)
#if !defined(__STDC_VERSION__) || __STDC_VERSION__ < 201112L
#define static_assert(condition, message) extern char ohmcarlo_assertion[(condition) ? 1 : -1]
#elif __STDC_VERSION__ < 202311L
#define static_assert _Static_assert
#endif
#endif
"""


def c_header(top: AddrmapNode, layout: RegisterMap) -> str:
    """Fields, structs, byte addresses (``*_addr``), sizes of windows and codes of enumerations.

    PeakRDL packs its structs. They contain 32-bit words and padding in whole words only, so that
    packing changes no offset. But a compiler must assume that words of a packed struct are
    unaligned, and RISC-V code then accesses a register byte by byte. The attribute is removed. The
    assertion of the header on the size of the whole map stays. Names begin with that of the map.
    """
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"{top.inst_name}.h"
        CHeaderExporter().export(
            top, str(path), std=CStandard.gnu23, reuse_typedefs=False, generate_bitfields=False
        )
        text = path.read_text()
    text = text.replace(PACKED, "").replace(
        "#include <stdint.h>\n", f"#include <stdint.h>\n{ASSERT}"
    )
    body, footer = text.split("\n#ifdef __cplusplus\n}\n", 1)
    return f"{body}\n{_addresses(top, layout)}\n{_codes(top)}\n#ifdef __cplusplus\n}}\n{footer}"


def macro(top: str, path: str) -> str:
    """Stem of the macros of a register, field or window ("group.register.field")."""
    return f"{top}.{path}".replace(".", "__").upper()


def _addresses(top: AddrmapNode, layout: RegisterMap) -> str:
    owner = top.inst_name
    whole = "controller" if owner == CONTROLLER else "board"
    lines = [f"// Byte addresses of registers, relative to the {whole}"]
    for register in layout.registers:
        if register.index == 0:
            name = register.name.removesuffix("[0]")
            lines.append(f"#define {macro(owner, name)}_addr {register.address:#06x}")
    lines += ["", "// Memory windows: byte address and 32-bit words"]
    for window in layout.windows:
        lines.append(f"#define {macro(owner, window.name)}_addr {window.address:#x}")
        lines.append(f"#define {macro(owner, window.name)}_words {window.words}")
    lines += ["", "// The register map that this header describes: id.map_hash"]
    lines.append(f"#define {macro(owner, 'map_hash')} 0x{layout.hash[:8]}")
    return "\n".join(lines) + "\n"


def _codes(top: AddrmapNode) -> str:
    lines = ["// Codes of enumerated fields"]
    for node in top.descendants():
        if isinstance(node, FieldNode) and node.get_property("encode") is not None:
            path = node.get_path().split(".", 1)[1]
            for item in node.get_property("encode"):
                lines.append(
                    f"#define {macro(top.inst_name, path)}__{item.name.upper()}_e {int(item.value)}"
                )
    return "\n".join(lines) + "\n"
