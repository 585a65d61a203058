"""``native_map.h``: every register and window, for the firmware's model of the hardware."""

from __future__ import annotations

from ohmcarlo_hdl.regs.map import Register, RegisterMap

from .spec_headers import guarded


def _mask(register: Register, access: str) -> int:
    return sum(((1 << f.width) - 1) << f.low for f in register.fields if access in f.sw)


def _table(name: str, layout: RegisterMap) -> list[str]:
    lines = [f"static const struct native_register {name}_REGISTERS[] = {{"]
    for register in layout.registers:
        reset = sum(f.reset << f.low for f in register.fields)
        lines.append(
            f"    {{{register.address:#06x}, {_mask(register, 'r'):#010x}u, "
            f"{_mask(register, 'w'):#010x}u, {reset:#010x}u}}, // {register.name}"
        )
    lines += ["};", "", f"static const struct native_window {name}_WINDOWS[] = {{"]
    for window in layout.windows:
        access = f"{int(window.readable)}, {int(window.writable)}"
        lines.append(f"    {{{window.address:#x}, {window.words}, {access}}}, // {window.name}")
    total = sum(w.words for w in layout.windows)
    return [*lines, "};", f"#define {name}_WINDOW_WORDS {total}u", ""]


def native_map_header(controller: RegisterMap, board: RegisterMap) -> str:
    """Tables of both maps: addresses, bits that can be read and written, values after reset."""
    lines = [
        "struct native_register {",
        "    uint32_t address;",
        "    uint32_t readable; // mask",
        "    uint32_t writable; // mask",
        "    uint32_t reset;",
        "};",
        "",
        "struct native_window {",
        "    uint32_t address;",
        "    uint32_t words;",
        "    uint8_t readable;",
        "    uint8_t writable;",
        "};",
        "",
        *_table("CORE", controller),
        *_table("BOARD", board),
    ]
    return guarded("native_map.h", lines)
