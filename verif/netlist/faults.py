"""Faults planted in a netlist: benches that run on netlists must find them."""

from __future__ import annotations

import random
import re

from .flows import Flow


def tables_of(flow: Flow, text: str) -> list[tuple[int, int]]:
    """Positions of the look-up tables' contents in a netlist's text: (start, end) of 4 digits.

    Only tables with four non-constant inputs are listed, because every bit of them may matter.
    """
    cell = re.compile(
        rf"^  {flow.lut} #\(\s*\.{flow.init}\(16'h([0-9a-f]{{4}})\)\s*\) \S+ \((.*?)\);",
        re.M | re.S,
    )
    return [m.span(1) for m in cell.finditer(text) if not re.search(r"\(\d+'", m[2])]


class FlippedBit:
    """Invert one bit, chosen by ``seed``, of one look-up table."""

    def __init__(self, flow: Flow, seed: int) -> None:
        self.flow, self.seed = flow, seed

    def __call__(self, text: str) -> str:
        rng = random.Random(self.seed)
        start, end = rng.choice(tables_of(self.flow, text))
        table = int(text[start:end], 16) ^ 1 << rng.randrange(16)
        return f"{text[:start]}{table:04x}{text[end:]}"


class FlippedMemoryBit:
    """Invert one bit, chosen by ``seed``, of the initial content of a block memory."""

    INITIAL = re.compile(r"\.INIT(?:_|VAL_)[0-9A-F]+\((\d+)'h([0-9a-f]*[1-9a-f][0-9a-f]*)\)")

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def __call__(self, text: str) -> str:
        rng = random.Random(self.seed)
        found = rng.choice(list(self.INITIAL.finditer(text)))
        # a bit that is set, because bits beyond the memory's content are 0
        bits = int(found[2], 16)
        bit = rng.choice([i for i in range(bits.bit_length()) if bits >> i & 1])
        start, end = found.span(2)
        return f"{text[:start]}{bits ^ 1 << bit:0{end - start}x}{text[end:]}"
