"""Parts of the daughterboard, and the timing that the Phy guarantees for them.

The parts are widely available, have packages for hand soldering, and accept 3.3 V logic. Apart from
two commands to the DAC after power-up, they need no set-up.

* **DAC7568** (Texas Instruments SBAS430F): eight channels of 12 bits, one
  per rail, so that only the gate of the next SET changes. Drop-in parts with more bits: DAC8168,
  DAC8568.
* **ADS8860** (SBAS569B): 16 bits, 1 MSPS. It samples on an edge of CONVST, so that the Phy
  chooses the moment within a read pulse. 16 bits hold ±32767 codes: 32 pairs at 0.25 µS per LSB.
* **SN74AHC595** (SCLS373N): a common shift register, in the family that is specified at 3.3 V
  (74HC595 is specified at 2, 4.5 and 6 V only).
"""

from __future__ import annotations

from dataclasses import dataclass

from ohmcarlo.errors import UsageError
from ohmcarlo.spec.daughterboard import (
    FULL_SCALE_V,
    GUARD_NS,
    PROGRAM_NS,
    RAILS_V,
    READ_HOLD_NS,
    WATCHDOG_NS,
)

NS = 1_000_000_000
MIN_CLOCK_HZ, MAX_CLOCK_HZ = 1_000_000, 400_000_000
MIN_GUARD = 1
"""Least ``min_guard`` of the sequencer before a Phy: pulses on the pins come one clock late."""


@dataclass(frozen=True)
class Dac:
    """DAC7568: SYNC falls, 32 bits with the most significant first, SYNC rises.

    DB31..28 are 0, DB27..24 the command, DB23..20 the channel, DB19..8 the code, the others are
    ignored. DIN is taken on falling edges of SCLK; the output follows the 32nd.
    """

    name: str = "DAC7568"
    frame_bits: int = 32
    code_bits: int = 12
    channels: int = 8
    sclk_ns: int = 20
    """Least period of SCLK (t2): 50 MHz; 8 ns high and 8 ns low."""
    select_setup_ns: int = 13
    """SYNC low to the first falling edge (t5)."""
    select_high_ns: int = 80
    """SYNC high between frames (t4)."""
    settle_ns: int = 10_000
    """Output settled, worst case."""


@dataclass(frozen=True)
class Adc:
    """ADS8860, three wires, no busy indicator: DIN at DVDD, CONVST is the chip select.

    A rising edge of CONVST samples the input and starts the conversion; CONVST stays high until it
    is over. When CONVST falls, DOUT shows bit 15; each falling edge of SCLK brings the next one,
    the 16th releases DOUT.
    """

    name: str = "ADS8860"
    bits: int = 16
    sclk_ns: int = 15
    """Least period of SCLK: 66.6 MHz."""
    convert_ns: int = 710
    """Longest conversion (tconv)."""
    acquire_ns: int = 290
    """Acquisition before a sample (tACQ), from the end of the conversion before."""
    cycle_ns: int = 1000
    """Least time between two samples."""
    enable_ns: int = 13
    """CONVST low to bit 15 (td-CNV-DO, 12.3), and SCLK to the next bit (td-CK-DO, 13.4)."""
    quiet_ns: int = 20
    """From the last bit to the next sample (tquiet)."""


@dataclass(frozen=True)
class ShiftRegister:
    """SN74AHC595 at 3.3 V: SER is taken on rising edges of SRCLK, the outputs follow one of RCLK.

    The bit that was shifted in last is QA of the first register of a chain.
    """

    name: str = "SN74AHC595"
    bits: int = 8
    sclk_ns: int = 20
    """Least period of SRCLK: the slowest part with 50 pF does 50 MHz."""


DAC, ADC, SHIFT_REGISTER = Dac(), Adc(), ShiftRegister()


@dataclass(frozen=True)
class PhyTiming:
    """Times in nanoseconds that the Phy guarantees.

    The defaults suit a ribbon cable of 15 cm and an array with lines of up to a few nF. A board
    may allow shorter settling times; times below the limits of the parts are refused.

    Attributes
    ----------
    power_up_ns : int
        From reset to the first frame: supplies and the DAC's power-on reset.
    reference_ns : int
        From switching on the DAC's reference to its use.
    dac_sclk_ns, chain_sclk_ns, adc_sclk_ns : int
        Periods of the three serial clocks.
    dac_select_high_ns : int
        SYNC high after a frame.
    dac_settle_ns : int
        From a frame to a pulse that uses the channel.
    chain_latch_ns : int
        Width of a latch pulse.
    line_settle_ns : int
        From a latch to a pulse: register, level shifter, multiplexer, the array's lines.
    front_end_ns : int
        From the start of a read pulse to the sample: lines, amplifier, the ADC's input.
    adc_convert_ns : int
        From the sample to the first bit's CONVST low.
    """

    power_up_ns: int = 1_000_000
    reference_ns: int = 1_000_000
    dac_sclk_ns: int = 40
    dac_select_high_ns: int = DAC.select_high_ns
    dac_settle_ns: int = DAC.settle_ns
    chain_sclk_ns: int = 40
    chain_latch_ns: int = 20
    line_settle_ns: int = 500
    front_end_ns: int = 1000
    adc_sclk_ns: int = 40
    adc_convert_ns: int = ADC.convert_ns

    def __post_init__(self) -> None:
        self.validate()

    def validate(self) -> None:
        """Raise UsageError if a time is outside the limits of its part."""
        for name, least, reason in (
            ("power_up_ns", 1, "the supplies need some time"),
            ("reference_ns", 1, "the reference needs some time"),
            ("dac_sclk_ns", DAC.sclk_ns, f"SCLK of the {DAC.name}"),
            ("dac_select_high_ns", DAC.select_high_ns, f"SYNC high of the {DAC.name}"),
            ("dac_settle_ns", 1, "the rails need some time"),
            ("chain_sclk_ns", SHIFT_REGISTER.sclk_ns, f"SRCLK of the {SHIFT_REGISTER.name}"),
            ("chain_latch_ns", 10, f"RCLK of the {SHIFT_REGISTER.name}"),
            ("line_settle_ns", 1, "the lines need some time"),
            ("front_end_ns", ADC.acquire_ns, f"acquisition of the {ADC.name}"),
            ("adc_sclk_ns", ADC.sclk_ns, f"SCLK of the {ADC.name}"),
            ("adc_convert_ns", ADC.convert_ns, f"conversion of the {ADC.name}"),
        ):
            value = getattr(self, name)
            if value < least:
                raise UsageError(f"{name} = {value}: choose at least {least} ns ({reason})")
            if value > NS:
                raise UsageError(f"{name} = {value}: choose at most {NS} ns (a second)")
        cycle = self.adc_convert_ns + ADC.bits * self.adc_sclk_ns
        if cycle < ADC.cycle_ns:
            raise UsageError(
                f"adc_convert_ns + {ADC.bits} * adc_sclk_ns = {cycle}: the {ADC.name} takes a "
                f"sample every {ADC.cycle_ns} ns; choose a longer adc_sclk_ns"
            )


@dataclass(frozen=True)
class PhyConfig:
    """The interface of a real array, and the reset values of its registers.

    Attributes
    ----------
    clock_hz : int
        Frequency of the controller's clock, from which all times follow.
    timing : PhyTiming
    """

    clock_hz: int
    timing: PhyTiming = PhyTiming()

    def __post_init__(self) -> None:
        check_clock(self.clock_hz)

    def rail_codes(self) -> dict[str, int]:
        """DAC codes of the quasi-static rails."""
        return {name: round(v / FULL_SCALE_V * (1 << DAC.code_bits)) for name, v in RAILS_V.items()}

    def widths(self) -> dict[str, int]:
        """Clocks of each operation's pulse."""
        read_ns = self.timing.front_end_ns + READ_HOLD_NS
        pulses = {**PROGRAM_NS, "read": read_ns, "dot": read_ns}
        return {name: clocks(ns, self.clock_hz) for name, ns in pulses.items()}

    def guard(self) -> int:
        """Clocks before and after a pulse."""
        return clocks(GUARD_NS, self.clock_hz) + MIN_GUARD

    def watchdog(self) -> int:
        """Clocks without progress that cause a fault."""
        return clocks(WATCHDOG_NS, self.clock_hz)


def check_clock(clock_hz: int) -> None:
    """Raise UsageError unless the Phy can keep its times with this clock."""
    if not MIN_CLOCK_HZ <= clock_hz <= MAX_CLOCK_HZ:
        raise UsageError(
            f"clock_hz = {clock_hz}: choose {MIN_CLOCK_HZ} to {MAX_CLOCK_HZ} Hz, the frequency of "
            "the controller's clock"
        )


def clocks(ns: int, clock_hz: int) -> int:
    """The least number of clocks, 1 or more, that last ``ns``."""
    return max(1, -(-ns * clock_hz // NS))


def half_period(ns: int, clock_hz: int) -> int:
    """Clocks of each half of a serial clock with a period of ``ns`` or more."""
    return max(1, -(-ns * clock_hz // (2 * NS)))
