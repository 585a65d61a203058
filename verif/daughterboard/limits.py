"""Limits of the parts and the array from their datasheets, in nanoseconds; the error of a
violation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


class ElectricalFault(AssertionError):
    """A stimulus on the wires that would damage an array or falsify its readings."""


def _shortest() -> Mapping[str, int]:
    return {"form": 10, "reset": 10, "set": 10, "read": 10, "dot": 10}


def _longest() -> Mapping[str, int]:
    return {"form": 700_000, "reset": 41_000, "set": 41_000, "read": 41_000, "dot": 41_000}


@dataclass(frozen=True)
class Limits:
    """Limits of one daughterboard; the board's own, not the Phy's settings.

    Attributes
    ----------
    dac_level_ns, chain_level_ns, adc_level_ns : float
        Shortest half period of a serial clock: half of 20 ns (DAC7568 t2), 20 ns (SN74AHC595 at
        3.3 V), 15 ns (ADS8860).
    dac_select_ns : int
        SYNC high between frames (DAC7568 t4).
    dac_settle_ns, line_settle_ns : int
        From a change of a rail or of the lines to a pulse.
    guard_ns : int
        Least time between the edge of a pulse and a change of rail or line.
    convert_ns, acquire_ns, cycle_ns, quiet_ns : int
        ADS8860: tconv, tACQ, time between samples, tquiet (last SCLK to the next sample).
    front_end_ns : int
        From the begin of a read pulse to a sample.
    shortest_ns, longest_ns : mapping
        Pulses of the array by operation.
    """

    dac_level_ns: float = 10.0
    chain_level_ns: float = 10.0
    adc_level_ns: float = 7.5
    dac_select_ns: int = 80
    dac_settle_ns: int = 10_000
    line_settle_ns: int = 500
    guard_ns: int = 10
    convert_ns: int = 710
    acquire_ns: int = 290
    cycle_ns: int = 1000
    quiet_ns: int = 20
    front_end_ns: int = 1000
    shortest_ns: Mapping[str, int] = field(default_factory=_shortest)
    longest_ns: Mapping[str, int] = field(default_factory=_longest)
