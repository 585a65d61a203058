"""Small files of every imported format, written from one seeded population.

``docs/measurements.md`` shows their first lines.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from iv_lists import (
    Cycle,
    Population,
    buffer_2450,
    butterflies,
    clarius,
    easyexpert,
    kickstart,
    pairs_2600,
    plain_list,
    readings_2400,
    single_file_export,
)

POPULATION = Population(devices=6, cycles=6)
CYCLES = butterflies(POPULATION)
FIRST = [cycle for cycle in CYCLES if cycle.device == 0]
LEVELS = POPULATION.levels_us


def _cells() -> Iterator[tuple[int, list[list[float]]]]:
    """(level, conductances by cycle and device, µS)."""
    for level in range(len(LEVELS)):
        own = [cycle for cycle in CYCLES if cycle.level == level]
        rows = [[c.after_us for c in own if c.device == d] for d in range(POPULATION.devices)]
        yield level, [list(row) for row in zip(*rows, strict=True)]


def endurance() -> str:
    """A line a cycle: resistances of LRS and HRS."""
    out = ["device,cycle,Icc (uA),R_LRS (kOhm),R_HRS (kOhm),V_SET (V)"]
    for n, c in enumerate(CYCLES):
        icc, on, off = c.limit_a * 1e6, 1e3 / c.after_us, 1e3 / c.before_us
        out.append(f"d{c.device},{n % 6},{icc:g},{on:.4f},{off:.3f},1.05")
    return "\n".join(out) + "\n"


def units_below() -> str:
    """Names, and units in the second line."""
    out = ["Device\tTarget\tG after", "\tuS\tuS"]
    out += [f"d{c.device}\t{LEVELS[c.level]:g}\t{c.after_us:.3f}" for c in CYCLES]
    return "\n".join(out) + "\n"


def stacked() -> str:
    """Targets above devices, a line a cycle."""
    matrices = [rows for _, rows in _cells()]
    devices = [f"d{d}" for d in range(POPULATION.devices)]
    head = [f"{level:g}" if d == 0 else "" for level in LEVELS for d in range(len(devices))]
    out = ["target (uS);" + ";".join(head), "device;" + ";".join(devices * len(LEVELS))]
    for cycle in range(POPULATION.cycles):
        cells = [f"{g:.2f}".replace(".", ",") for rows in matrices for g in rows[cycle]]
        out.append(f"{cycle};" + ";".join(cells))
    return "\n".join(out) + "\n"


def blocks() -> str:
    """A block with a heading for every target."""
    out = []
    for level, rows in _cells():
        out.append(f"Target: {LEVELS[level]:g} uS")
        out.append(",".join(f"d{d}" for d in range(POPULATION.devices)))
        out += [",".join(f"{g:.2f}" for g in row) for row in rows] + [""]
    return "\n".join(out) + "\n"


def single_level() -> str:
    """An I-V list at one compliance current."""
    return easyexpert([cycle for cycle in CYCLES if cycle.level == 0])


def pulse_response() -> str:
    """Ramps of small steps side by side, as for a lookup table of CrossSim."""
    noise = np.random.default_rng(3).standard_normal((60, 3))
    ramp = 1.6e-4 + 1e-4 * np.linspace(0, 1, 60)[:, None] ** 0.7 + 3e-7 * noise
    return "rmp1,rmp2,rmp3\n" + "\n".join(",".join(f"{v:.6g}" for v in row) for row in ramp) + "\n"


def distribution() -> str:
    """Percentiles of the read-back at each target."""
    out = ["target_us,percentile,g_us"]
    for level in LEVELS:
        values = [c.after_us for c in CYCLES if LEVELS[c.level] == level]
        out += [f"{level:g},{q},{np.percentile(values, q):.2f}" for q in (5, 25, 50, 75, 95)]
    return "\n".join(out) + "\n"


def moments() -> str:
    """Mean and standard deviation at each target."""
    out = ["target_us,mean_us,sigma_us"]
    for level in LEVELS:
        values = [c.after_us for c in CYCLES if LEVELS[c.level] == level]
        out.append(f"{level:g},{np.mean(values):.2f},{np.std(values):.2f}")
    return "\n".join(out) + "\n"


def of_all(write: Callable[[Sequence[Cycle]], str]) -> Callable[[], str]:
    """A file of all devices."""
    return lambda: write(CYCLES)


def of_first(write: Callable[[Sequence[Cycle]], str]) -> Callable[[], str]:
    """A file of the first device."""
    return lambda: write(FIRST)


READ = {
    "easyexpert": (of_all(easyexpert), "EasyEXPERT CSV"),
    "clarius": (of_first(clarius), "I-V list"),
    "kickstart": (of_first(kickstart), "I-V list"),
    "buffer-2450": (of_first(buffer_2450), "I-V list"),
    "readings-2400": (of_first(readings_2400), "I-V list"),
    "pairs-2600": (of_first(pairs_2600), "I-V list"),
    "single-file": (of_first(single_file_export), "I-V list"),
    "voltage-current": (of_all(plain_list), "I-V list"),
    "endurance": (endurance, "endurance table"),
    "units-below": (units_below, "long table"),
    "stacked": (stacked, "stacked header"),
    "blocks": (blocks, "blocks"),
}
"""Files that are read, with the format that is reported."""
REFUSED = {
    "single-level": (single_level, "at a single compliance current"),
    "pulse-response": (pulse_response, "trains of equal pulses"),
    "distribution": (distribution, "a distribution (percentiles or counts)"),
    "moments": (moments, "a table of moments"),
}
"""Files that are refused, with words of the message."""
MODELS = {
    "aihwkit": {"model": "PCMLikeNoiseModel", "prog_coeff": [0.26, 1.97, -1.17], "g_max": 25.0},
    "crosssim": {
        "xbar": {
            "device": {
                "Rmin": 5000.0,
                "Rmax": 1000000.0,
                "programming_error": {
                    "enable": True,
                    "model": "NormalProportionalDevice",
                    "magnitude": 0.05,
                },
            }
        }
    },
}
"""Noise models of other simulators, for --preset."""


def model(name: str) -> str:
    """The JSON of a noise model."""
    return json.dumps(MODELS[name], indent=1) + "\n"
