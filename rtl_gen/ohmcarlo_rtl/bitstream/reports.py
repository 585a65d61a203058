"""Reports of place and route: resources, clocks, reasons of a failure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ohmcarlo.errors import OhmcarloError
from ohmcarlo_hdl.boards.pll import MHZ

RESOURCE = re.compile(r"^Info:\s+(\w+):\s+(\d+)/\s*(\d+)\s+\d+%")
FREQUENCY = re.compile(
    r"Max frequency for clock\s+'([^']+)':\s+([\d.]+) MHz \((PASS|FAIL) at ([\d.]+) MHz\)"
)
NO_PLACE = re.compile(r"no (?:more )?Bels|unable to (?:find a placement|place cell)|no BELs", re.I)
CELL_TYPE = re.compile(r"of type '?(\w+)'?|cell type '?(\w+)'?")
PACKED = re.compile(r"Info:\s+(\d+) LCs used as (LUT4 only|LUT4 and DFF|DFF only)")


JUST_MISSED = 0.85
"""The least share of the required clock at which another seed is tried."""


class TimingMissed(OhmcarloError):
    """A clock is not met; ``share``: the frequency reached over the one required."""

    share = 0.0


@dataclass(frozen=True)
class Clock:
    """A clock net: the frequencies required and reached, in MHz."""

    wanted_mhz: float
    reached_mhz: float

    @property
    def met(self) -> bool:
        return self.reached_mhz >= self.wanted_mhz


def clocks_of(report: Path) -> dict[str, Clock]:
    """Clock net → frequencies, from nextpnr's report. Nets without a constraint are omitted."""
    found = json.loads(report.read_text())["fmax"]
    return {
        net: Clock(round(f["constraint"], 3), round(f["achieved"], 3))
        for net, f in sorted(found.items())
    }


def resources_of(
    report: Path, names: Mapping[str, tuple[str, ...]], log: str
) -> dict[str, dict[str, int]]:
    """Resource → used and available. Flip-flops that share a cell are counted in ``log``."""
    cells = json.loads(report.read_text())["utilization"]
    found = {
        resource: {
            "used": sum(cells[kind]["used"] for kind in kinds if kind in cells),
            "available": cells[kinds[0]]["available"] if kinds[0] in cells else 0,
        }
        for resource, kinds in names.items()
    }
    packed = [int(count) for count, kind in PACKED.findall(log) if kind != "LUT4 only"]
    if packed and "ff" not in found:
        found["ff"] = {"used": sum(packed), "available": found["lut"]["available"]}
    return found


def failure(log: str, names: Mapping[str, tuple[str, ...]]) -> OhmcarloError:
    """The reason why a run of nextpnr failed."""
    slow = [(net, float(f), float(w)) for net, f, how, w in FREQUENCY.findall(log) if how == "FAIL"]
    # nextpnr reports each net after placement and after routing: the last report counts
    if slow:
        net, reached, wanted = slow[-1]
        return timing_failure(net, reached, wanted)
    # cells of kinds without a place of their own (0 there) go to places of other kinds
    counted = {kind for kinds in names.values() for kind in kinds}
    lacking = [
        f"{_friendly(kind, names)} ({used} needed, {there} there)"
        for kind, used, there in _utilisation(log)
        if used > there and (there or kind in counted)
    ]
    errors = [line for line in log.splitlines() if line.startswith("ERROR:")]
    if lacking:
        return OhmcarloError(
            f"the design does not fit: out of {', '.join(lacking)}; choose smaller --rows, "
            "--pairs or --access-bits, --compact, or a larger board"
        )
    if errors and NO_PLACE.search(errors[0]):
        kind = CELL_TYPE.search(errors[0])
        what = _friendly(next(filter(None, kind.groups())), names) if kind else "room"
        return OhmcarloError(
            f"the design does not fit: out of {what} ({errors[0].removeprefix('ERROR: ')}); choose "
            "smaller --rows, --pairs or --access-bits, --compact, or a larger board"
        )
    last = errors[-1].removeprefix("ERROR: ") if errors else _last_line(log)
    return OhmcarloError(f"place and route failed: {last}")


def timing_failure(net: str, reached_mhz: float, wanted_mhz: float) -> TimingMissed:
    made = TimingMissed(
        f"timing is not met: clock {net} reaches {reached_mhz:.2f} MHz, {wanted_mhz:.2f} MHz are "
        f"wanted; try another --seed, --clock {int(reached_mhz)} or less, or a smaller array"
    )
    made.share = reached_mhz / wanted_mhz
    return made


def require_timing(clocks: Mapping[str, Clock], clock_hz: int) -> None:
    """Raise TimingMissed unless every clock is fast enough, OhmcarloError unless ``clock_hz`` is
    among them."""
    for net, clock in clocks.items():
        if not clock.met:
            raise timing_failure(net, clock.reached_mhz, clock.wanted_mhz)
    if not any(abs(clock.wanted_mhz - clock_hz / MHZ) < 0.01 for clock in clocks.values()):
        known = ", ".join(f"{net} {clock.wanted_mhz:g} MHz" for net, clock in clocks.items())
        raise OhmcarloError(
            f"no clock was held to {clock_hz / MHZ:g} MHz (there are: {known or 'none'}): this is "
            "a mistake of the board's description"
        )


def main_clock(clocks: Mapping[str, Clock], clock_hz: int) -> Clock:
    """The slowest of the clocks that are required to reach ``clock_hz``."""
    own = [c for c in clocks.values() if abs(c.wanted_mhz - clock_hz / MHZ) < 0.01]
    return min(own, key=lambda c: c.reached_mhz)


def _utilisation(log: str) -> list[tuple[str, int, int]]:
    """The last table of cells in a log: kind, used, available."""
    found: dict[str, tuple[int, int]] = {}
    for line in log.splitlines():
        if match := RESOURCE.match(line):
            found[match[1]] = (int(match[2]), int(match[3]))
    return [(kind, used, there) for kind, (used, there) in found.items()]


def _friendly(kind: str, names: Mapping[str, tuple[str, ...]]) -> str:
    words: dict[str, Any] = {
        "lut": "LUTs",
        "ff": "flip-flops",
        "bram": "block RAMs",
        "dsp": "multipliers",
        "spram": "large RAMs",
    }
    return next((f"{words[r]} ({kind})" for r, kinds in names.items() if kind in kinds), kind)


def _last_line(log: str) -> str:
    lines = log.strip().splitlines()
    return lines[-1] if lines else "it printed nothing"
