"""Charts of devices: programming, spread, shape, memory, noise, RESET, age, and the array.

The pictures of the same content are in ``pictures.devices`` and ``pictures.population``.
Conductances are in µS.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..array.characterize.characterization import Characterization
from ..array.characterize.estimates import Estimate, Estimates
from ..array.characterize.population import Population, quantiles
from ..array.read_noise import Law
from ..pictures.devices import AXIS, values_of
from ..pictures.style import BLUE, GREY, ORANGE
from ..readable import count, power
from ..spec import CODE_LSB_US
from .charts import altair, chart_of, heat_map, histogram, label_axis, spec_of
from .content import Chart, LegendEntry, Table
from .layers import Axis, Layers
from .series import numbers

FloatArray = NDArray[np.float64]
CYCLES, DEVICES = "cycle to cycle", "device to device"
CONDUCTANCE = "conductance (µS)"
SHOWN_DEVICES, SHOWN_LEVELS, SHOWN_PLACES = 60, 12, 200
MOST_CELLS = 20_000  # of a map: larger arrays are shown in blocks of rows
FEWEST_BINS, MOST_BINS = 6, 24
QUARTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
DECADES = [0.01, 0.1, 1, 10, 100, 1000]
SMALLEST_US, SMALLEST_ERROR = 0.05, 0.02  # on logarithmic axes


def kernels(names: Sequence[str], of_limit: Sequence[float]) -> Chart:
    """The error of each kernel over its limit, (n,), as bars; the limit is a line."""
    alt = altair()
    values = numbers(of_limit)
    shown = numbers(np.maximum(np.asarray(of_limit, float), SMALLEST_ERROR))
    good = [value <= 1 for value in values]
    rows = [
        {"i": i, "name": name, "v": value, "x": length, "t": BLUE if within else ORANGE}
        for i, (name, value, length, within) in enumerate(
            zip(names, values, shown, good, strict=True)
        )
    ]
    scale = alt.Scale(type="log", domain=[SMALLEST_ERROR / 2, max(2.0, 1.6 * max(shown))])
    bar = chart_of("rows").mark_bar().encode(
        x=alt.X("x:Q", title="error over its limit", scale=scale, axis=alt.Axis(values=DECADES)),
        x2=alt.datum(SMALLEST_ERROR / 2),
        y=alt.Y("i:O", title=None, axis=label_axis(names)),
        color=alt.Color("t:N", scale=None),
        tooltip=[alt.Tooltip("name:N", title="kernel"), alt.Tooltip("v:Q", title="over its limit")],
    )  # fmt: skip
    limit = chart_of("limit").mark_rule(strokeDash=[4, 3], strokeWidth=2, color=GREY)
    carried = [name for name, within in zip(names, good, strict=True) if within]
    return Chart(
        "kernel-errors",
        "Error of each kernel, over its limit",
        "The array carries a kernel if its error is within its limit: the bar ends before the "
        "dashed line. "
        + (f"It carries these: {'; '.join(carried)}." if carried else "It carries none."),
        spec_of(bar + limit.encode(x="x:Q"), {"rows": rows, "limit": [{"x": 1}]}),
        Table(
            ("kernel", "error over its limit", "within"),
            tuple(
                (name, f"{value:.3g}", "yes" if within else "no")
                for name, value, within in zip(names, values, good, strict=True)
            ),
        ),
        height=60 + 34 * len(rows),
        legend=(LegendEntry("within its limit", BLUE), LegendEntry("beyond its limit", ORANGE)),
    )


def set_law(found: Estimates, devices: Population, level: str = "") -> Chart:
    """Means of single devices over the programming level, below their median and bands.

    ``level`` names what was swept; empty: not known.
    """
    mean, sigma, between = (values_of(e)[0] for e in (found.mean_us, found.sigma_us, found.d2d_us))
    axis = f"{level} ({found.unit})" if level else AXIS[found.unit]
    single = "mean of a device"
    both, cycles = "± 1 σ, cycles and devices", "± 1 σ, cycle to cycle"
    names = ("mean", both, cycles, single)
    layers = Layers(Axis(axis), Axis(CONDUCTANCE, zero=True), names, grey=(single,))
    spread = np.hypot(sigma, between)
    number = devices.mean_us.shape[1]
    chosen = np.unique(np.linspace(0, number - 1, min(number, SHOWN_DEVICES)).astype(int))
    layers.curves(single, devices.levels, devices.mean_us[:, chosen].T, "device")
    layers.band(both, found.levels, mean - spread, mean + spread)
    layers.band(cycles, found.levels, mean - sigma, mean + sigma)
    layers.curve("mean", found.levels, mean)
    return layers.chart(
        "set-law",
        "SET law: conductance over the programming level",
        f"The median conductance rises from {mean[0]:.0f} to {mean[-1]:.0f} µS between "
        f"{found.levels[0]:.3g} and {found.levels[-1]:.3g} {found.unit}; thin lines are the means "
        f"of {len(chosen)} of {count(number, 'device')}.",
        _level_table(found, axis),
        height=340,
    )


def _level_table(found: Estimates, axis: str) -> Table:
    """Mean and both spreads at each level, with their intervals."""
    columns = (found.mean_us, found.sigma_us, found.d2d_us)
    rows = tuple(
        (f"{level:.4g}", *(_with_interval(e) for e in estimates))
        for level, *estimates in zip(found.levels, *columns, strict=True)
    )
    return Table((axis, "mean (µS)", f"σ {CYCLES} (µS)", f"σ {DEVICES} (µS)"), rows)


def _with_interval(e: Estimate) -> str:
    if e.low is None or e.high is None:
        return f"{e.value:.4g}"
    return f"{e.value:.4g} [{e.low:.4g}, {e.high:.4g}]"


def spreads(found: Estimates, laws: tuple[Law, Law] | None) -> Chart:
    """Both spreads over the conductance, with 95 % intervals, and the laws of the fitted model."""
    g = values_of(found.mean_us)[0]
    some = slice(None, None, 1 + len(g) // SHOWN_LEVELS)
    fits = (f"{CYCLES}, fitted law", f"{DEVICES}, fitted law") if laws else ()
    names = (CYCLES, DEVICES, *fits)
    layers = Layers(Axis(CONDUCTANCE), Axis("σ (µS)", zero=True), names)
    grid = np.linspace(g.min(), g.max(), 60)
    for name, law in zip(fits, laws or (), strict=True):
        layers.curve(name, grid, np.asarray(law(grid)))
    for name, estimates in ((CYCLES, found.sigma_us), (DEVICES, found.d2d_us)):
        v, below, above = (part[some] for part in values_of(estimates))
        layers.points(name, g[some], v, (v - below, v + above))
    middle = int(np.abs(g - g.mean()).argmin())
    cycle, between = found.sigma_us[middle].value, found.d2d_us[middle].value
    return layers.chart(
        "spread",
        "Spread over the conductance",
        f"At {g[middle]:.0f} µS, σ is {cycle:.3g} µS from cycle to cycle and {between:.3g} µS from "
        "device to device; bars are 95 % intervals.",
        _level_table(found, AXIS[found.unit]),
    )


def sigma_ratio(devices: Population) -> Chart:
    """Distribution over the devices of σ, relative to the typical σ at the same conductance."""
    ratio = devices.sigma_ratio
    low, middle, high = quantiles(ratio)
    number = int(np.clip(len(ratio) // 3, FEWEST_BINS, MOST_BINS))
    edges = np.geomspace(max(ratio.min(), 0.02) / 1.05, max(ratio.max(), 0.04) * 1.05, number + 1)
    chance = devices.chance
    return histogram(
        "spread-of-devices",
        "Spread of single devices",
        f"80 % of the devices have {low:.2f} to {high:.2f} times the typical σ (median "
        f"{middle:.2f}). If all devices were alike, the number of pulses alone would give "
        f"{1 - chance:.2f} to {1 + chance:.2f}.",
        {"devices": ratio},
        axis="cycle-to-cycle σ of a device / typical σ",
        bins=edges,
        marks={"- 1 σ of chance": 1 - chance, "+ 1 σ of chance": 1 + chance},
        y_axis="devices",
    )


def correlation(found: Estimates) -> Chart:
    """Correlation of a device's deviations over the lag, measured and fitted."""
    memory = found.constants.get("memory")
    fitted = "fitted, means subtracted"
    names = ("measured",) if memory is None else ("measured", fitted)
    layers = Layers(Axis("lag (pulses of a device)"), Axis("correlation"), names)
    layers.band("measured", found.lags, found.correlation_low, found.correlation_high)
    layers.points("measured", found.lags, found.correlation)
    if memory is not None:  # the cycles are enough to determine it
        layers.curve(fitted, found.lags, found.correlation_model)
    layers.limit(y=0.0)
    columns = (
        found.lags, found.correlation, found.correlation_low, found.correlation_high,
        found.correlation_model,
    )  # fmt: skip
    rows = tuple(
        (f"{lag:.0f}", *(f"{v:.3f}" for v in rest)) for lag, *rest in zip(*columns, strict=True)
    )
    share = found.constants["slow_share"].value
    length = "" if memory is None else f" and has a correlation length of {memory.value:.0f} pulses"
    return layers.chart(
        "correlation",
        "Memory of a device: correlation over the lag",
        f"The slow process has a share of {share:.3f} in the variance{length}. The band is the "
        "95 % interval.",
        Table(("lag", "measured", "low", "high", "fitted"), rows),
    )


def read_noise(found: Estimates) -> Chart:
    """Noise of one read over the conductance, % of g."""
    g = values_of(found.mean_us)[0]
    v, below, above = (100 * part for part in values_of(found.read_noise))
    top = max(0.1, 1.6 * float(np.max(v + above)))
    y = Axis("σ of a read (% of g)", domain=(0.0, top))
    layers = Layers(Axis(CONDUCTANCE), y, ("read noise",))
    layers.points("read noise", g, v, (v - below, v + above))
    rows = tuple((f"{x:.4g}", _with_interval(e)) for x, e in zip(g, found.read_noise, strict=True))
    return layers.chart(
        "read-noise",
        "Read noise",
        f"A single read varies by {v.min():.2g} to {v.max():.2g} % of the conductance; bars are "
        "95 % intervals.",
        Table((CONDUCTANCE, "σ of a read (fraction of g)"), rows),
    )


def after_reset(devices: Population) -> Chart:
    """Cumulative distributions after RESET and after the lowest SET."""
    lowest = "after SET, lowest level (means of devices)"
    names = ("after RESET", lowest)
    layers = Layers(
        Axis(CONDUCTANCE, log=True), Axis("devices and pulses below (%)", domain=(0, 100)), names
    )
    rows = []
    for name, values in zip(names, (devices.hrs_us, devices.mean_us[0]), strict=True):
        known = np.sort(values[np.isfinite(values)])
        levels = (np.arange(len(known)) + 0.5) / max(len(known), 1)
        places = np.unique(np.linspace(0, len(known) - 1, SHOWN_PLACES).astype(int))
        layers.curve(name, np.maximum(known[places], SMALLEST_US), 100 * levels[places], steps=True)
        rows.append((name, *(f"{q:.3g}" for q in np.quantile(known, QUARTILES))))
    low, middle, high = quantiles(devices.hrs_us)
    return layers.chart(
        "state-after-reset",
        "State after RESET",
        f"After RESET, the median conductance is {middle:.3g} µS (80 % between {low:.3g} and "
        f"{high:.3g} µS). The lowest SET level is {devices.window:.1f} times the 90 % quantile.",
        Table(("", *(f"{q:.0%} (µS)" for q in QUARTILES)), tuple(rows)),
    )


def shape(found: Mapping[str, Any]) -> Chart:
    """Quantiles of standardised deviations against those of a normal distribution; ``found`` as
    from ``shape_of``."""
    names = ("g", "ln g")
    normal = np.asarray(found["normal"])
    layers = Layers(Axis("quantile of a normal distribution"), Axis("measured quantile"), names)
    layers.equal(float(normal[0]), float(normal[-1]))
    for name in names:
        layers.points(name, normal, found[name])
    nearer = names[0] if found["gain"] > 0 else names[1]
    rows = tuple(
        tuple(f"{v:.2f}" for v in row)
        for row in zip(normal, *(found[n] for n in names), strict=True)
    )
    return layers.chart(
        "shape",
        "Shape: are the deviations normal?",
        "Points on the dashed line are normal. A normal distribution fits "
        f"{found['share']:.0%} of {found['groups']:,} groups of repeats better than a log-normal "
        f"one; {nearer} is closer to normal. Distances (KS): g {found['ks g']:.3f}, ln g "
        f"{found['ks ln g']:.3f}.",
        Table(("normal", *names), rows),
        height=320,
    )


def ages(found: Sequence[Mapping[str, Any]]) -> Chart:
    """Median and spread over the endurance cycles relative to the fresh array, and the stuck
    share."""
    places = np.arange(len(found))
    ticks = ["fresh" if not age["cycles"] else power(age["cycles"]) for age in found]
    median, sigma, stuck = "median, × fresh", "cycle-to-cycle σ, × fresh", "stuck devices (%)"
    room = (-0.3, len(found) - 0.7)
    x = Axis("endurance cycles", domain=room, values=places.tolist(), labels=ticks)
    layers = Layers(x, Axis("", zero=True), (median, sigma, stuck))
    for name, key in ((median, "median_gain"), (sigma, "sigma_gain")):
        v, low, high = (np.array([age[key][i] for age in found]) for i in range(3))
        layers.curve(name, places, v)
        layers.points(name, places, v, (np.minimum(low, v), np.maximum(high, v)))
    layers.points(stuck, places, [100 * age["stuck"][0] for age in found])
    rows = tuple(
        (tick, f"{age['median_gain'][0]:.3f}", f"{age['sigma_gain'][0]:.2f}",
         f"{100 * age['stuck'][0]:.2f}")
        for tick, age in zip(ticks, found, strict=True)
    )  # fmt: skip
    last = found[-1]
    return layers.chart(
        "ages",
        "Median, spread and stuck devices over the cycles",
        f"After {ticks[-1]} cycles, the model has {last['median_gain'][0]:.2f} times the median "
        f"and {last['sigma_gain'][0]:.2f} times the spread of the fresh array.",
        Table(("cycles", median, sigma, stuck), rows),
    )


def offset_map(found: Characterization) -> Chart:
    """The offset of each device from its target at the middle conductance, as the trim found it;
    devices that do not follow have no colour."""
    offset = np.where(found.dead, np.nan, -found.trim_offset.astype(float) * CODE_LSB_US)
    shown, block = _blocks(offset, found.dead)
    lost = int(found.dead.sum())
    known = offset[np.isfinite(offset)]
    low, high = np.quantile(known, (0.05, 0.95)) if known.size else (0.0, 0.0)
    rows, devices = offset.shape
    blocks = "" if block == 1 else f" Each line of the map is the mean of {block} rows."
    return heat_map(
        "offsets",
        "Offset of each device from its target",
        f"The map has {rows:,} rows of {devices} devices. 90 % of the devices lie {low:+.1f} to "
        f"{high:+.1f} µS from their target before the trim. {count(lost, 'device')} of "
        f"{offset.size:,} did not follow the target; blank places mark such devices.{blocks}",
        shown,
        axis="offset (µS)",
        x_axis="device of the row",
        y_axis="row" if block == 1 else f"block of {block} rows",
    )


def _blocks(values: FloatArray, dead: NDArray[np.bool_]) -> tuple[FloatArray, int]:
    """Means over blocks of rows, and the rows of a block. A block of one row keeps its places
    without a value; in a larger one, a place has none if a device in it does not follow."""
    block = -(-values.size // MOST_CELLS)
    if block == 1:
        return values, 1
    whole = len(values) // block * block
    parts = values[:whole].reshape(-1, block, values.shape[1])
    return np.asarray(parts.mean(axis=1)), block
