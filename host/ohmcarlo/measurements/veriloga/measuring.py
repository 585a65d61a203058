"""A compact model is measured like a die: pulses at several levels, with a table as the result.

The table is a file of measurements in the long format. It lies in the cache of the user, under the
digest of model and settings. Every level is kept as soon as it is simulated, so that a measurement
that was interrupted goes on.
"""

from __future__ import annotations

import io
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...errors import UsageError
from ...files import write_bytes
from ...spec import DEFAULT_HI_US, DEFAULT_LO_US, DEFAULT_MID_US
from ..recording import FloatArray
from .model_file import VerilogModel
from .netlist import ACCESS, ACCESS_MODEL, Cell, write_netlist
from .settings import PulseSettings, read_request
from .simulator import compile_model, run_pulses

VERILOGA = "veriloga:"
PILOT_LEVELS = 31  # of the word line, from 0 to the largest voltage
SETS = 3.0  # a cell sets if its conductance rises by this factor at least
MARGIN = 1.15  # levels reach beyond the window, so that the fitted law covers it
HEADER = "device,cycle,V_WL (V),V_BL (V),width (ns),g_before (uS),g_after (uS)"
Track = Callable[[Iterable[int], int, str], Iterator[int]]
"""Passes the numbers on, and shows how many of how many are done; the text names them."""


def quietly(numbers: Iterable[int], total: int, what: str) -> Iterator[int]:
    """A ``Track`` that shows nothing."""
    yield from numbers


def is_veriloga(array: str) -> bool:
    """Whether the name of an array is that of a compact model."""
    return array.startswith(VERILOGA)


def model_of(array: str) -> Path | None:
    """The Verilog-A file of an array's name, if it has one."""
    from ..names import split_name

    return split_name(array.removeprefix(VERILOGA))[0] if is_veriloga(array) else None


def measured_table(name: str, track: Track = quietly) -> Path:
    """The table of measurements of ``FILE.va,KEY=VALUE,…``; it is simulated if there is none yet.

    Raises UsageError for a request or a model that cannot be used, and without the simulator.
    """
    model, settings = read_request(name)
    digest = settings.digest(model)
    folder = cache_folder()
    table = folder / f"{model.path.stem}-{digest[:16]}.csv"
    if not table.exists():
        folder.mkdir(parents=True, exist_ok=True)
        write_bytes(table, _measure(model, settings, folder / digest[:16], track).encode())
    return table


def cache_folder() -> Path:
    """Where measured compact models are kept."""
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(root) / "ohmcarlo" / "veriloga"


@dataclass(frozen=True)
class _Bench:
    """A compiled model on its tester."""

    model: VerilogModel
    settings: PulseSettings
    folder: Path
    libraries: tuple[str, ...]

    def read(self, cells: list[Cell]) -> tuple[FloatArray, FloatArray]:
        """Conductances of the cells before and after SET, µS."""
        netlist = write_netlist(self.model, self.settings, cells, self.libraries)
        before, after = run_pulses(self.model.path, netlist, self.folder)
        scale = 1e6 / self.settings.vread
        return before * scale, after * scale


def _measure(model: VerilogModel, settings: PulseSettings, kept: Path, track: Track) -> str:
    """The table; finished levels lie in ``kept``."""
    with tempfile.TemporaryDirectory(prefix="ohmcarlo-") as name:
        folder = Path(name)
        libraries = [str(compile_model(model.path, folder))]
        if model.gate is None:
            access = folder / f"{ACCESS}.va"
            access.write_text(ACCESS_MODEL, encoding="utf-8")
            libraries.append(str(compile_model(access, folder)))
        bench = _Bench(model, settings, folder, tuple(libraries))
        levels = _chosen_levels(bench)
        kept.mkdir(parents=True, exist_ok=True)
        draws = spread_draws(settings, len(levels))
        parts = []
        for k in track(range(len(levels)), len(levels), f"simulating {model.module}"):
            parts.append(_level(bench, kept / f"{k}.npy", float(levels[k]), draws[k]))
    shutil.rmtree(kept, ignore_errors=True)  # another process may use it
    return table_text(settings, levels, np.stack(parts))


def _level(bench: _Bench, kept: Path, level: float, draws: dict[str, FloatArray]) -> FloatArray:
    """Conductances before and after SET, µS: (devices, cycles, 2)."""
    shape = bench.settings.devices, bench.settings.cycles
    with suppress(OSError, ValueError, EOFError):  # there is none, or no whole one
        found = np.load(kept, allow_pickle=False)
        if found.shape == (*shape, 2):
            return found
    median = {**bench.model.parameters, **bench.settings.parameters}
    fixed = dict(bench.settings.parameters)
    cells = []
    for d, c in np.ndindex(*shape):
        spread = {n: float(median[n] or 0.0) * float(f[d, c]) for n, f in draws.items()}
        cells.append(Cell(level, fixed | spread))
    before, after = bench.read(cells)
    found = np.stack([before, after], axis=-1).reshape(*shape, 2)
    buffer = io.BytesIO()
    np.save(buffer, found)
    kept.parent.mkdir(parents=True, exist_ok=True)  # another process may have removed it
    write_bytes(kept, buffer.getvalue())
    return found


def spread_draws(settings: PulseSettings, levels: int) -> list[dict[str, FloatArray]]:
    """Factors of the parameters with a spread, by name, for each level: (devices, cycles)."""
    names = sorted({*settings.d2d, *settings.c2c})
    found: list[dict[str, FloatArray]] = [{} for _ in range(levels)]
    for index, name in enumerate(names):
        generator = np.random.default_rng([settings.seed, index])
        own = settings.d2d.get(name, 0.0) * generator.standard_normal((settings.devices, 1))
        shape = levels, settings.devices, settings.cycles
        cycle = settings.c2c.get(name, 0.0) * generator.standard_normal(shape)
        for k in range(levels):
            found[k][name] = np.exp(own + cycle[k])
    return found


def _chosen_levels(bench: _Bench) -> FloatArray:
    """Voltages of the word line whose conductances are spread evenly over the window of a chain.

    A pilot of one cell without spread finds them. Raises UsageError if the cell does not set, or
    not within the window.
    """
    settings = bench.settings
    volts = np.linspace(0.0, settings.gate, PILOT_LEVELS)[1:]
    before, after = bench.read([Cell(float(v), dict(settings.parameters)) for v in volts])
    return levels_for(bench.model, settings, volts, before, after)


def levels_for(
    model: VerilogModel,
    settings: PulseSettings,
    volts: FloatArray,
    before: FloatArray,
    after: FloatArray,
) -> FloatArray:
    """``_chosen_levels`` from a pilot: voltages, conductances before and after SET, µS (n,)."""
    curve = np.maximum.accumulate(after)
    most, least = float(curve[-1]), float(max(np.median(before), curve[0], 1e-6))
    _require_movement(model, settings, least, most)
    low = max(SETS * least, DEFAULT_LO_US / MARGIN)
    wanted = np.linspace(low, min(most, DEFAULT_HI_US * MARGIN), settings.levels)
    rising = np.concatenate([[True], np.diff(curve) > 0])
    return np.round(np.interp(wanted, curve[rising], volts[rising]), 4)


def _require_movement(
    model: VerilogModel, settings: PulseSettings, least: float, most: float
) -> None:
    """Raise UsageError unless a cell moves from ``least`` to ``most`` µS around the targets."""
    s, around = settings, f"the targets of a chain lie around {DEFAULT_MID_US:g} µS"
    set_pulse = f"SET pulses of {s.vset:g} V and {s.width:g} ns, word line up to {s.gate:g} V"
    other = f"terminals={model.bottom}:{model.top} for the other polarity"
    if least > DEFAULT_MID_US:
        raise UsageError(
            f"{model.path}: the cell has {least:.3g} µS after RESET pulses of {s.vreset:g} V and "
            f"{s.reset_width:g} ns, {around}: choose longer or higher ones, as in vreset="
            f"{1.5 * s.vreset:g},reset_width={10 * s.reset_width:g}ns, or {other}"
        )
    if most < SETS * least:
        raise UsageError(
            f"{model.path}: the cell never sets with {set_pulse}: it has {least:.3g} µS after "
            f"RESET and at most {most:.3g} µS after SET; choose longer or higher pulses, as in "
            f"vset={1.5 * s.vset:g},width={10 * s.width:g}ns, or {other}"
        )
    if most < DEFAULT_MID_US:
        raise UsageError(
            f"{model.path}: {set_pulse}, set the cell to at most {most:.3g} µS, {around}: choose "
            f"gate={1.5 * s.gate:g}, or longer or higher pulses"
        )


def table_text(settings: PulseSettings, levels: FloatArray, found: FloatArray) -> str:
    """The long table of conductances (levels, devices, cycles, 2), a line a pulse.

    Pulses of a device follow one another cycle by cycle, the levels rising.
    """
    lines = [HEADER]
    for d, c, k in np.ndindex(found.shape[1], found.shape[2], found.shape[0]):
        before, after = found[k, d, c]
        lines.append(
            f"cell{d + 1},{c + 1},{levels[k]:.4f},{settings.vset:g},{settings.width:g},"
            f"{max(before, 0.0):.6g},{max(after, 0.0):.6g}"
        )
    return "\n".join(lines) + "\n"
