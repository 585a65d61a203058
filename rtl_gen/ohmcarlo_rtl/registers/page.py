"""The register page: one self-contained HTML file."""

from __future__ import annotations

from html import escape
from typing import Any

from systemrdl.node import AddrmapNode, FieldNode, MemNode, Node, RegfileNode, RegNode

STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem }
h2 { margin-top: 2.5rem; border-bottom: 1px solid #bbb } h3 { margin: 1.6rem 0 .2rem }
h3 code, h2 code { font-weight: normal; color: #666; font-size: .8em }
table { border-collapse: collapse; margin: .4rem 0 } td, th { padding: .15rem .6rem;
border: 1px solid #ccc; text-align: left; vertical-align: top } th { background: #f3f3f3 }
p { margin: .3rem 0 } .bits { font-family: monospace; white-space: nowrap }
"""
ACCESS = {"rw": "read, write", "r": "read", "w": "write", "pulse": "write 1: command"}
WINDOW_ACCESS = {"rw": "read and written", "r": "read only", "w": "write only"}


def register_page(top: AddrmapNode, title: str) -> str:
    """Every group, register, field and window with its description."""
    groups = [child for child in top.children() if isinstance(child, RegfileNode)]
    memories = [child for child in top.children() if isinstance(child, MemNode)]
    contents = "".join(
        f'<tr><td class="bits">{node.absolute_address:#06x}</td>'
        f'<td><a href="#{node.inst_name}">{escape(_name(node))}</a></td></tr>'
        for node in (*groups, *memories)
    )
    parts = [
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">',
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body>",
        f"<h1>{escape(title)}</h1>",
        _description(top),
        f"<table><tr><th>Address</th><th>Group or window</th></tr>{contents}</table>",
        *(_group(group) for group in groups),
        *(_memory(memory) for memory in memories),
        "</body></html>",
    ]
    return "\n".join(parts) + "\n"


def _name(node: Node) -> str:
    return str(node.get_property("name"))


def _description(node: Node) -> str:
    return str(node.get_html_desc() or "")


def _heading(level: int, node: Any, label: str) -> str:
    return (
        f'<h{level} id="{label}">{escape(_name(node))} '
        f"<code>{escape(label)} @ {node.raw_absolute_address:#06x}</code></h{level}>"
    )


def _group(group: RegfileNode) -> str:
    return "\n".join([_heading(2, group, group.inst_name), _description(group), *_registers(group)])


def _registers(group: RegfileNode) -> list[str]:
    parts = []
    for child in group.children():
        if isinstance(child, RegNode):
            parts.append(_register(child))
        elif isinstance(child, RegfileNode):
            label = child.get_path().split(".", 1)[1]
            parts += [_heading(3, child, label), _description(child)]
            parts.append(
                _fields(
                    [(f"{reg.inst_name}: ", f) for reg in child.registers() for f in reg.fields()]
                )
            )
    return parts


def _register(register: RegNode) -> str:
    label = register.get_path(array_suffix="[{index:d}]", empty_array_suffix="").split(".", 1)[1]
    if register.is_array:
        label += f"[0..{register.n_elements - 1}]"
    fields = [("", f) for f in register.fields()]
    return "\n".join([_heading(3, register, label), _description(register), _fields(fields)])


def _fields(fields: list[tuple[str, FieldNode]]) -> str:
    rows = ["<tr><th>Bits</th><th>Field</th><th>Access</th><th>Reset</th><th></th></tr>"]
    for prefix, field in fields:
        bits = f"{field.high}:{field.low}" if field.width > 1 else f"{field.low}"
        access = "pulse" if field.get_property("singlepulse") else field.get_property("sw").name
        reset = field.get_property("reset")
        text = _description(field)
        if field.get_property("encode") is not None:
            text += "<br>".join(
                f"{int(item.value)} {item.name}: {escape(str(item.rdl_desc or ''))}"
                for item in field.get_property("encode")
            )
        rows.append(
            f'<tr><td class="bits">{escape(prefix)}{bits}</td><td>{field.inst_name}</td>'
            f"<td>{ACCESS[access]}</td>"
            f"<td>{'' if reset is None else f'{int(reset):#x}'}</td><td>{text}</td></tr>"
        )
    return f"<table>{''.join(rows)}</table>"


def _memory(memory: MemNode) -> str:
    words = int(memory.get_property("mementries"))
    return "\n".join(
        [
            _heading(2, memory, memory.inst_name),
            f"<p>{words} words of 32 bits, {WINDOW_ACCESS[memory.get_property('sw').name]}.</p>",
            _description(memory),
        ]
    )
