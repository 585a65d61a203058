"""Four corrections of Yosys' Verilog that do not change the hardware.

* Initial words of memories, most of them zero, are half of the text of a controller. Runs of equal
  words become loops.
* A case without a default keeps the value assigned before it. An empty default makes this explicit.
* An event-driven simulator enters ``always @*`` at the first event of a signal that it reads. It
  leaves bits undefined around a constant, or around a signal that keeps its initial value. Yosys
  reads a wake-up signal in every block of several lines; those of a single assignment read it, too.
  The initial value of that signal is an event in Verilog, and none in SystemVerilog. It therefore
  changes once more at the begin of a simulation.
* A signal without bits is declared ``[-1:0]``, which are two bits in Verilog. It is removed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import groupby

MEMORY = re.compile(r"^  initial begin\n((?:    \S+ ?\[\d+\] = \S+;\n)+)  end\n", re.M)
WORD = re.compile(r"    (\S+ ?)\[(\d+)\] = (\S+);")
LEAST = 4
"""The least number of equal words for which a loop is shorter."""
CASE = re.compile(r"^\s*(case[xz]?) \(|^\s*(default):|^(\s*)(endcase)\b")
SINGLE = re.compile(r"^  always @\*\n    (.+;)\n", re.M)
NO_BITS = re.compile(r"^  (?:wire|reg) \[-1:0\] \S+ ?;\n", re.M)
MODULE = re.compile(r"^module .*?^endmodule\n", re.M | re.S)
WAKE_UP = re.compile(r"^  reg (\\\S+ ) ?= 0;\n", re.M)

EVENT = """\
`ifndef SYNTHESIS
`ifndef VERILATOR
  initial #0 {}= 1;
`endif
`endif
"""
"""Synthesis has no events, and Verilator evaluates every block at the begin."""


def tidy(verilog: str) -> str:
    """The same hardware, shorter and complete."""
    return _wake_up(_defaults(_loops(NO_BITS.sub("", verilog))))


# -- initial values of memories ------------------------------------------------------------------
def _loops(verilog: str) -> str:
    numbers = iter(range(1, len(verilog) + 1))
    return MEMORY.sub(lambda found: _memory(found, numbers), verilog)


def _memory(found: re.Match[str], numbers: Iterator[int]) -> str:
    words = [(name, int(index), value) for name, index, value in WORD.findall(found[1])]
    runs = [list(run) for _, run in groupby(enumerate(words), lambda w: _run_key(*w))]
    if not any(len(run) >= LEAST for run in runs):
        return found[0]
    lines = [
        f"  initial begin : memory_init_{next(numbers)}\n    integer memory_index;\n",
        *(_lines([word for _, word in run]) for run in runs),
    ]
    return "".join(lines) + "  end\n"


def _run_key(place: int, word: tuple[str, int, str]) -> tuple[str, int, str]:
    """Equal for words that follow each other and have one value."""
    name, index, value = word
    return name, index - place, value


def _lines(run: Sequence[tuple[str, int, str]]) -> str:
    name, first, value = run[0]
    if len(run) < LEAST:
        return "".join(f"    {name}[{index}] = {value};\n" for _, index, _ in run)
    end = first + len(run)
    count = f"memory_index = {first}; memory_index < {end}; memory_index = memory_index + 1"
    return f"    for ({count})\n      {name}[memory_index] = {value};\n"


# -- defaults ------------------------------------------------------------------------------------
def _defaults(verilog: str) -> str:
    lines: list[str] = []
    complete: list[bool] = []  # of the cases that are open, outermost first
    for line in verilog.splitlines(keepends=True):
        if found := CASE.match(line):
            if found[1]:
                complete.append(False)
            elif found[2]:
                complete[-1] = True
            elif not complete.pop():
                lines.append(f"{found[3]}  default:\n{found[3]}    ;\n")
        lines.append(line)
    return "".join(lines)


# -- single assignments ---------------------------------------------------------------------------
def _wake_up(verilog: str) -> str:
    return MODULE.sub(lambda found: _assignments(found[0]), verilog)


def _assignments(module: str) -> str:
    signal = WAKE_UP.search(module)
    if signal is None:
        return module
    module = module.replace(signal[0], signal[0] + EVENT.format(signal[1]), 1)
    return SINGLE.sub(
        lambda found: f"  always @* begin\n    if ({signal[1]}) begin end\n    {found[1]}\n  end\n",
        module,
    )
