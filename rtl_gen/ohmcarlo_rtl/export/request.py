# amaranth: UnusedElaboratable=no
"""A core to export: array, bus, and what its files are named after."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from ohmcarlo.errors import UsageError
from ohmcarlo.spec import CODE_MAX, Geometry
from ohmcarlo_hdl.array.phy.parts import PhyConfig
from ohmcarlo_hdl.array.phy.phy import ADC_MAX, check_array
from ohmcarlo_hdl.config import CoreConfig
from ohmcarlo_hdl.ip.core import IpCore
from ohmcarlo_hdl.ip.ports import ARRAYS, BUSES, EMULATOR, PHY
from ohmcarlo_hdl.soc.design import design_word

LOWEST_CLOCK_MHZ, HIGHEST_CLOCK_MHZ = 1e-6, 1000
OPTIONS = {"max_streamed_points": "--streamed-points", "max_points": "--max-points"}
"""Name of a parameter in messages → the option that sets it."""


@dataclass(frozen=True)
class ExportRequest:
    """A core to export.

    Attributes
    ----------
    config : CoreConfig
    bus : str
        A key of ``BUSES``.
    array : str
        One of ``ARRAYS``.
    streams : bool
        Whether the core has AXI4-Stream ports.
    clock_hz : int
        Frequency of the clock; 0: not stated.
    """

    config: CoreConfig
    bus: str
    array: str
    streams: bool
    clock_hz: int

    @property
    def module(self) -> str:
        """Name of the Verilog module."""
        return BUSES[self.bus].module

    def core(self) -> IpCore:
        """The hardware."""
        return IpCore(
            self.config,
            self.bus,
            self.array,
            streams=self.streams,
            clock_hz=self.clock_hz,
            design_hash=design_word(self.config),
        )

    @property
    def title(self) -> str:
        """The array and the bus in words."""
        g = self.config.geometry
        bits = f"{g.access_bits} bit{'s' if g.access_bits > 1 else ''} per access"
        return f"{g.rows} × {g.pairs} pairs, {bits}, {self.bus}, array {self.array}"

    @property
    def ascii_title(self) -> str:
        """``title`` for files that a tool reads in the encoding of the system, such as Tcl."""
        return self.title.replace("×", "x")


def export_request(
    *,
    bus: str,
    array: str = EMULATOR,
    rows: int | None = None,
    pairs: int | None = None,
    access_bits: int | None = None,
    max_points: int | None = None,
    streamed_points: int | None = None,
    streams: bool = True,
    clock_mhz: float | None = None,
) -> ExportRequest:
    """The request for these options; None stands for the value of the reference array.

    A real array (``phy``) gets one bit an access, because its lines are on or off, digital dot
    products and repeated reads, as in ``ohmcarlo build``.

    Raises UsageError, which names what to change, for an unknown bus or array, or an impossible
    shape or clock.

    >>> export_request(bus="apb4", rows=64, pairs=16).module
    'ohmcarlo_apb4'
    """
    if bus not in BUSES:
        raise UsageError(f"bus {bus!r} is unknown: choose --bus {_or(BUSES)}")
    if array not in ARRAYS:
        raise UsageError(f"array {array!r} is unknown: choose --array {_or(ARRAYS)}")
    clock_hz = _clock_hz(clock_mhz)
    bits = 1 if array == PHY and access_bits is None else access_bits
    given = {"rows": rows, "pairs": pairs, "access_bits": bits}
    geometry = Geometry(**{name: value for name, value in given.items() if value is not None})
    if streamed_points and not streams:
        raise UsageError("--streamed-points needs the streams: leave --no-streams out")
    config = _config(geometry, max_points, streamed_points)
    if array == PHY:
        if not clock_hz:
            raise UsageError("array phy: give --clock MHZ; pulse widths are stated in clocks")
        config = _on_a_daughterboard(config, clock_hz)
    return ExportRequest(config, bus, array, streams, clock_hz)


def _config(geometry: Geometry, max_points: int | None, streamed_points: int | None) -> CoreConfig:
    """The reference controller for another array; few rows limit the row groups."""
    default = CoreConfig()
    try:
        return CoreConfig(
            geometry,
            max_points=default.max_points if max_points is None else max_points,
            max_group_rows=min(default.max_group_rows, 1 << (geometry.rows.bit_length() - 1)),
            max_streamed_points=streamed_points or 0,
        )
    except UsageError as error:
        text = str(error)
        for name, option in OPTIONS.items():
            text = text.replace(name, option)
        raise UsageError(text) from error


def _on_a_daughterboard(config: CoreConfig, clock_hz: int) -> CoreConfig:
    """The same controller for a real array."""
    most, pairs = ADC_MAX // CODE_MAX, config.geometry.pairs
    if pairs > most:
        raise UsageError(
            f"pairs = {pairs}: the converter of a daughterboard sums at most {most} pairs: choose "
            f"--pairs {most} or fewer"
        )
    config = replace(config, digital_dots=True, repeats=True, phy=PhyConfig(clock_hz))
    check_array(config)
    return config


def _clock_hz(clock_mhz: float | None) -> int:
    if clock_mhz is None:
        return 0
    if not LOWEST_CLOCK_MHZ <= clock_mhz <= HIGHEST_CLOCK_MHZ:
        raise UsageError(
            f"--clock {clock_mhz:g}: choose a frequency in MHz from {LOWEST_CLOCK_MHZ:g} to "
            f"{HIGHEST_CLOCK_MHZ}"
        )
    return round(clock_mhz * 1e6)


def _or(names: Iterable[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} or {last}"
