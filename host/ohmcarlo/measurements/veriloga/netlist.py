"""The netlist of a batch of pulses: many cells at once, one simulation.

Every cell is in series with a select transistor, as in a 1T1R array, unless its module has one. Bit
line and source line are common; each level has a word line of its own. The pulses of a cell are

    RESET, SET at the middle level, RESET, read, SET at its level, read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .model_file import VerilogModel
from .settings import PulseSettings

EDGE_NS, PAUSE_NS, READ_NS = 1.0, 50.0, 200.0
AHEAD_NS = 5.0  # the word line rises so much earlier than the other lines, and falls later
POINTS = 20  # time steps of a pulse at least
ANALYSIS = "pulses"
ACCESS = "ohmcarlo_access"
ACCESS_MODEL = f"""`include "disciplines.vams"
// Select transistor: square law, symmetric, with a soft threshold.
module {ACCESS}(d, g, s);
  inout d, g, s;
  electrical d, g, s;
  parameter real k = 0.5m from (0:inf);   // A/V^2
  parameter real vt = 0.5;                // V
  parameter real soft = 0.05 from (0:inf);
  real f, r;
  analog begin
    f = soft * ln(1 + limexp((V(g, s) - vt) / soft));
    r = soft * ln(1 + limexp((V(g, d) - vt) / soft));
    I(d, s) <+ k / 2 * (f * f - r * r);
  end
endmodule
"""


@dataclass(frozen=True)
class Cell:
    """One cell of a batch.

    Attributes
    ----------
    level : float
        Voltage of the word line during SET, V.
    parameters : mapping of str to float
        Of its model.
    """

    level: float
    parameters: Mapping[str, float]


@dataclass(frozen=True)
class Netlist:
    """Text of a netlist, and when its reads end.

    Attributes
    ----------
    text : str
    currents : tuple of str
        Vectors of the cells' currents in the result, in the order of the cells.
    before_s, after_s : float
        Times at which the reads before and after the SET pulse are taken.
    stop_s : float
    """

    text: str
    currents: tuple[str, ...]
    before_s: float
    after_s: float
    stop_s: float


class _Line:
    """A piecewise linear waveform: corners in ns and V."""

    def __init__(self) -> None:
        self.corners: list[tuple[float, float]] = [(0.0, 0.0)]

    def pulse(self, begin: float, width: float, volts: float) -> None:
        end = begin + EDGE_NS + width
        self.corners += [
            (begin, 0.0), (begin + EDGE_NS, volts), (end, volts), (end + EDGE_NS, 0.0)
        ]  # fmt: skip

    def source(self, name: str) -> str:
        wave = ", ".join(f"{ns:.6g}n, {volts:.6g}" for ns, volts in self.corners)
        return f'v{name} ({name} 0) vsource type="pwl" wave=[{wave}]'


def write_netlist(
    model: VerilogModel, settings: PulseSettings, cells: Sequence[Cell], libraries: Sequence[str]
) -> Netlist:
    """The pulses of ``cells``; ``libraries`` are the compiled models, in the order of loading.

    >>> write_netlist(model, settings, [Cell(1.2, {})], ["m.osdi"]).currents  # doctest: +SKIP
    ('vm0:flow(br)',)
    """
    levels = sorted({cell.level for cell in cells})
    number = {level: k for k, level in enumerate(levels)}
    lines, before, after, stop = _waveforms(settings, levels)
    body = [line for k, cell in enumerate(cells) for line in _cell(model, cell, k, number)]
    saved = " ".join(f"i(vm{k})" for k in range(len(cells)))
    shortest = min(settings.width, settings.reset_width, READ_NS)
    text = "\n".join(
        [
            f"Pulses of {model.module}",
            "ground 0",
            *(f'load "{library}"' for library in libraries),
            "model vsource vsource",
            *([] if model.gate else [f"model access {ACCESS}"]),
            *lines,
            *body,
            "control",
            '  options abstol=1e-10 rawfile="binary"',
            f"  save {saved}",
            f"  analysis {ANALYSIS} tran step={EDGE_NS:g}n stop={stop:.6g}n "
            f"maxstep={shortest / POINTS:.6g}n",
            "endc",
            "",
        ]
    )
    names = tuple(f"vm{k}:flow(br)" for k in range(len(cells)))
    return Netlist(text, names, before * 1e-9, after * 1e-9, stop * 1e-9)


def _cell(model: VerilogModel, cell: Cell, k: int, number: Mapping[float, int]) -> list[str]:
    """An ammeter in the bit line, the cell and its select transistor."""
    word = f"wl{number[cell.level]}"
    inner = "sl" if model.gate else f"m{k}"
    nodes = {model.top: f"t{k}", model.bottom: inner, model.gate: word}
    ports = " ".join(nodes.get(port, f"x{k}_{port}") for port in model.ports)
    values = " ".join(f"{name}={value:.9g}" for name, value in cell.parameters.items())
    lines = [
        f"vm{k} (bl t{k}) vsource dc=0",
        f"model d{k} {model.module}" + (f" ({values})" if values else ""),
        f"c{k} ({ports}) d{k}",
    ]
    return lines if model.gate else [*lines, f"a{k} (m{k} {word} sl) access"]


def _waveforms(
    settings: PulseSettings, levels: Sequence[float]
) -> tuple[list[str], float, float, float]:
    """Sources of all lines, and the times of both reads and of the end, ns."""
    bit, source, words = _Line(), _Line(), [_Line() for _ in levels]
    now, reads = PAUSE_NS, []
    middle = [levels[len(levels) // 2]] * len(levels)
    full = [settings.gate] * len(levels)
    reset = (source, settings.reset_width, settings.vreset, full)
    read = (bit, READ_NS, settings.vread, full)
    steps = (
        reset, (bit, settings.width, settings.vset, middle), reset, read,
        (bit, settings.width, settings.vset, list(levels)), read,
    )  # fmt: skip
    for step in steps:
        line, width, volts, gates = step
        line.pulse(now, width, volts)
        for word, gate in zip(words, gates, strict=True):
            word.pulse(now - AHEAD_NS, width + 2 * AHEAD_NS, gate)
        if step is read:
            reads.append(now + EDGE_NS + 0.9 * width)
        now += width + 2 * EDGE_NS + PAUSE_NS
    sources = [bit.source("bl"), source.source("sl")]
    sources += [word.source(f"wl{k}") for k, word in enumerate(words)]
    return sources, reads[0], reads[1], now
