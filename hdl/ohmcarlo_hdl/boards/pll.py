"""Clocks from phase-locked loops: dividers within the datasheets' limits, and the primitives.

Sources of the limits: ECP5 family data sheet FPGA-DS-02012 (sysCLOCK PLL timing), iCE40 UltraPlus
family data sheet FPGA-DS-02008 (sysCLOCK PLL timing), Artix-7 data sheet DS181 (MMCM switching
characteristics, the slowest speed grade), Gowin GW2A data sheet DS102 (PLL switching
characteristics, C8/I7), GateMate data sheet DS1001 and primitives library UG1001 (CC_PLL, economy
mode).
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from amaranth import ClockDomain, ClockSignal, Const, Instance, Module, Signal
from amaranth.lib import io, wiring
from amaranth.lib.cdc import FFSynchronizer
from amaranth.lib.wiring import Out

from ohmcarlo.errors import UsageError

MHZ = 1_000_000
TOLERANCE = Fraction(1, 100)
"""Largest relative deviation from the requested clock; software reads the actual clock."""


@dataclass(frozen=True)
class PllSettings:
    """Dividers of a PLL: VCO = input × ``feedback`` / ``reference``, output = VCO / ``output``.

    Attributes
    ----------
    reference, output : int
        Dividers before the phase detector and after the VCO.
    feedback : int
        Ratio of the frequencies of VCO and phase detector.
    vco_hz, clock_hz : Fraction
        Frequencies of VCO and output.
    """

    reference: int
    feedback: int
    output: int
    vco_hz: Fraction
    clock_hz: Fraction


@dataclass(frozen=True)
class PllLimits:
    """Limits of a family's PLL, in Hz. Ranges include both ends.

    Attributes
    ----------
    family : str
        For messages.
    input, detector, vco, clock : tuple of int
        Lowest and highest frequency of input, phase detector, VCO and output.
    references, outputs : tuple of int
        Available dividers.
    feedbacks : tuple of int
        Lowest and highest multiplier.
    within_output : bool
        Whether the loop is closed behind the output divider, so that the VCO runs at
        detector × feedback × output divider.
    """

    family: str
    input: tuple[int, int]
    detector: tuple[int, int]
    vco: tuple[int, int]
    clock: tuple[int, int]
    references: tuple[int, ...]
    outputs: tuple[int, ...]
    feedbacks: tuple[int, int]
    within_output: bool

    def settings(self, input_hz: int, clock_hz: int) -> PllSettings:
        """Dividers for the clock nearest to ``clock_hz``, with the fastest phase detector.

        Raises UsageError with the nearest clocks if none is within ``TOLERANCE``.
        """
        low, high = self.clock
        if not low <= clock_hz <= high:
            raise UsageError(
                f"a clock of {megahertz(clock_hz)} MHz is beyond the {self.family}'s PLL: choose "
                f"{megahertz(low)} to {megahertz(high)} MHz"
            )
        if not self.input[0] <= input_hz <= self.input[1]:
            raise UsageError(
                f"the {self.family}'s PLL takes {megahertz(self.input[0])} to "
                f"{megahertz(self.input[1])} MHz, not the {megahertz(input_hz)} MHz of the board"
            )
        found = [
            (feedback, reference, output)
            for reference in self.references
            if self.detector[0] * reference <= input_hz <= self.detector[1] * reference
            for output in self.outputs
            if (feedback := self._feedback(input_hz, reference, output, clock_hz))
        ]
        if not found:
            raise UsageError(f"no setting of the {self.family}'s PLL keeps its VCO within limits")
        middle = sum(self.vco) // 2

        def badness(dividers: tuple[int, int, int]) -> tuple[Fraction, int, Fraction]:
            made = self._settings(input_hz, *dividers)
            return abs(made.clock_hz - clock_hz), made.reference, abs(made.vco_hz - middle)

        def rough(dividers: tuple[int, int, int]) -> float:
            feedback, reference, output = dividers
            scale = output if self.within_output else 1
            return abs(input_hz * feedback * scale / (reference * output) - clock_hz)

        least = min(map(rough, found))
        near = [dividers for dividers in found if rough(dividers) <= least + 1]
        best = self._settings(input_hz, *min(near, key=badness))
        if abs(best.clock_hz - clock_hz) > TOLERANCE * clock_hz:
            raise UsageError(
                f"the {self.family}'s PLL cannot make {megahertz(clock_hz)} MHz from "
                f"{megahertz(input_hz)} MHz; the nearest is {megahertz(best.clock_hz)} MHz"
            )
        return best

    def _feedback(self, input_hz: int, reference: int, output: int, clock_hz: int) -> int:
        """The best multiplier for given dividers; 0 if none is within the limits of the VCO."""
        unit = input_hz * (output if self.within_output else 1)  # of the VCO, times reference
        low = max(self.feedbacks[0], -(-self.vco[0] * reference // unit))
        high = min(self.feedbacks[1], self.vco[1] * reference // unit)
        wanted = round(clock_hz * output * reference / unit)
        return min(max(wanted, low), high) if low <= high else 0

    def _settings(self, input_hz: int, feedback: int, reference: int, output: int) -> PllSettings:
        scale = output if self.within_output else 1
        vco = Fraction(input_hz * feedback * scale, reference)
        return PllSettings(reference, feedback, output, vco, vco / output)


def megahertz(hz: int | Fraction) -> str:
    """A frequency in MHz as text, with a resolution of 1 Hz."""
    return f"{float(hz) / MHZ:.6f}".rstrip("0").rstrip(".")


ECP5 = PllLimits(
    "ECP5",
    input=(8 * MHZ, 400 * MHZ),
    detector=(3_125_000, 400 * MHZ),
    vco=(400 * MHZ, 800 * MHZ),
    clock=(3_125_000, 400 * MHZ),
    references=tuple(range(1, 129)),
    outputs=tuple(range(1, 129)),
    feedbacks=(1, 80),
    within_output=True,
)
ICE40 = PllLimits(
    "iCE40",
    input=(10 * MHZ, 133 * MHZ),
    detector=(10 * MHZ, 133 * MHZ),
    vco=(533 * MHZ, 1066 * MHZ),
    clock=(16 * MHZ, 275 * MHZ),
    references=tuple(range(1, 17)),
    outputs=tuple(2**q for q in range(1, 7)),
    feedbacks=(1, 64),
    within_output=False,
)
ARTIX7 = PllLimits(
    "Artix-7",
    input=(10 * MHZ, 800 * MHZ),
    detector=(10 * MHZ, 450 * MHZ),
    vco=(600 * MHZ, 1200 * MHZ),
    clock=(4_690_000, 800 * MHZ),
    references=tuple(range(1, 107)),
    outputs=tuple(range(1, 129)),
    feedbacks=(2, 64),
    within_output=False,
)
GOWIN = PllLimits(
    "GW2A",
    input=(3 * MHZ, 500 * MHZ),
    detector=(3 * MHZ, 500 * MHZ),
    vco=(500 * MHZ, 1250 * MHZ),
    clock=(3_906_250, 625 * MHZ),
    references=tuple(range(1, 65)),
    outputs=(2, 4, 8, *range(16, 129, 16)),
    feedbacks=(1, 64),
    within_output=True,
)
GATEMATE = PllLimits(
    "GateMate",
    # The oscillator runs at four times the frequency that is the VCO's here: 1 to 2 GHz. Of its
    # dividers PDIV1, N1, N2, M1 and M2, these settings have PDIV1 = N1 = 2, so that the data
    # sheet's limits of every divider hold, and M1 × M2 = 1 or even.
    input=(1 * MHZ, 50 * MHZ),
    detector=(1 * MHZ, 50 * MHZ),
    vco=(250 * MHZ, 500 * MHZ),
    clock=(2 * MHZ, 312_500_000),
    references=(1,),
    outputs=(1, *range(2, 251, 2)),
    feedbacks=(1, 1023),
    within_output=False,
)


class Pll(wiring.Component):
    """PLL primitive of an FPGA family.

    If ``GATED``, ``clk`` is stopped until the PLL is locked: the design starts in its configured
    state and needs no reset.

    Parameters
    ----------
    settings : PllSettings
    clock_in : amaranth.lib.io.PortLike
        Port of the oscillator.
    input_hz : int

    Attributes
    ----------
    clk : Out(1)
        The generated clock.
    locked : Out(1)
        The PLL is locked.
    """

    GATED = False

    def __init__(self, settings: PllSettings, clock_in: Any, input_hz: int) -> None:
        self.settings, self.clock_in, self.input_hz = settings, clock_in, input_hz
        super().__init__({"clk": Out(1), "locked": Out(1)})

    def elaborate(self, platform: Any) -> Module:
        raise NotImplementedError("choose the PLL of a family")


class Ecp5Pll(Pll):
    """EHXPLLL, its loop closed over the output, and the gate of a global clock."""

    GATED = True

    def elaborate(self, platform: Any) -> Module:
        m, s = Module(), self.settings
        made, steady = Signal(), Signal()
        m.domains.made = ClockDomain(local=True, reset_less=True)
        m.d.comb += ClockSignal("made").eq(made)
        m.submodules.steady = FFSynchronizer(self.locked, steady, o_domain="made")
        # it opens and closes without a glitch, while its clock is low
        m.submodules.gate = Instance("DCCA", i_CLKI=made, i_CE=steady, o_CLKO=self.clk)
        m.submodules.buffer = buffer = io.Buffer("i", self.clock_in)
        m.submodules.pll = Instance(
            "EHXPLLL",
            a_FREQUENCY_PIN_CLKI=megahertz(self.input_hz),
            a_FREQUENCY_PIN_CLKOP=megahertz(s.clock_hz),
            # loop filter: the values of the vendor's generator for loops over the output
            a_ICP_CURRENT="12",
            a_LPF_RESISTOR="8",
            a_MFG_ENABLE_FILTEROPAMP="1",
            a_MFG_GMCREF_SEL="2",
            p_PLLRST_ENA="DISABLED",
            p_INTFB_WAKE="DISABLED",
            p_STDBY_ENABLE="DISABLED",
            p_DPHASE_SOURCE="DISABLED",
            p_OUTDIVIDER_MUXA="DIVA",
            p_CLKI_DIV=s.reference,
            p_CLKOP_ENABLE="ENABLED",
            p_CLKOP_DIV=s.output,
            p_CLKOP_CPHASE=s.output - 1,
            p_CLKOP_FPHASE=0,
            p_FEEDBK_PATH="CLKOP",
            p_CLKFB_DIV=s.feedback,
            i_CLKI=buffer.i,
            i_CLKFB=made,
            i_RST=0,
            i_STDBY=0,
            i_PHASESEL0=0,
            i_PHASESEL1=0,
            i_PHASEDIR=0,
            i_PHASESTEP=0,
            i_PHASELOADREG=0,
            i_PLLWAKESYNC=0,
            i_ENCLKOP=0,
            o_CLKOP=made,
            o_LOCK=self.locked,
        )
        return m


class Ice40Pll(Pll):
    """SB_PLL40_PAD, whose input is its own pin."""

    FILTER_RANGES = ((17, 1), (26, 2), (44, 3), (66, 4), (101, 5), (133, 6))
    """Highest frequency of the phase detector, MHz → ``FILTER_RANGE`` (as icepll chooses)."""

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        self._instance(m, "SB_PLL40_PAD", i_PACKAGEPIN=self.clock_in.io)
        return m

    def _instance(self, m: Module, primitive: str, **source: Any) -> None:
        s = self.settings
        detector = self.input_hz / s.reference / MHZ
        m.submodules.pll = Instance(
            primitive,
            p_FEEDBACK_PATH="SIMPLE",
            p_DIVR=s.reference - 1,
            p_DIVF=s.feedback - 1,
            p_DIVQ=s.output.bit_length() - 1,
            p_FILTER_RANGE=next(f for high, f in self.FILTER_RANGES if detector <= high),
            i_RESETB=1,
            i_BYPASS=0,
            o_PLLOUTGLOBAL=self.clk,
            o_LOCK=self.locked,
            **source,
        )


class Ice40CorePll(Ice40Pll):
    """SB_PLL40_CORE, for boards whose oscillator is not connected to the pin of the PLL."""

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.buffer = buffer = io.Buffer("i", self.clock_in)
        self._instance(m, "SB_PLL40_CORE", i_REFERENCECLK=buffer.i)
        return m


class Artix7Pll(Pll):
    """MMCME2_BASE and the buffer of a global clock."""

    def elaborate(self, platform: Any) -> Module:
        m, s = Module(), self.settings
        m.submodules.buffer = buffer = io.Buffer("i", self.clock_in)
        made, feedback = Signal(), Signal()
        m.submodules.pll = Instance(
            "MMCME2_BASE",
            p_CLKIN1_PERIOD=1e9 / self.input_hz,
            p_DIVCLK_DIVIDE=s.reference,
            p_CLKFBOUT_MULT_F=float(s.feedback),
            p_CLKOUT0_DIVIDE_F=float(s.output),
            i_CLKIN1=buffer.i,
            i_CLKFBIN=feedback,
            i_RST=0,
            i_PWRDWN=0,
            o_CLKFBOUT=feedback,
            o_CLKOUT0=made,
            o_LOCKED=self.locked,
        )
        m.submodules.global_buffer = Instance("BUFG", i_I=made, o_O=self.clk)
        return m


class GowinPll(Pll):
    """rPLL, its loop closed within. nextpnr gets the clock as a constraint."""

    def elaborate(self, platform: Any) -> Module:
        m, s = Module(), self.settings
        m.submodules.buffer = buffer = io.Buffer("i", self.clock_in)
        made = Signal()
        m.submodules.pll = Instance(
            "rPLL",
            p_FCLKIN=megahertz(self.input_hz),
            p_DEVICE=platform.family,
            p_IDIV_SEL=s.reference - 1,
            p_FBDIV_SEL=s.feedback - 1,
            p_ODIV_SEL=s.output,
            p_CLKFB_SEL="internal",
            i_CLKIN=buffer.i,
            i_CLKFB=0,
            i_RESET=0,
            i_RESET_P=0,
            i_IDSEL=Const(0, 6),
            i_FBDSEL=Const(0, 6),
            i_ODSEL=Const(0, 6),
            i_PSDA=Const(0, 4),
            i_DUTYDA=Const(0, 4),
            i_FDLY=Const(0, 4),
            o_CLKOUT=made,
            o_LOCK=self.locked,
        )
        platform.add_clock_constraint(made, float(s.clock_hz))
        m.d.comb += self.clk.eq(made)
        return m


class GateMatePll(Pll):
    """CC_PLL in economy mode. nextpnr finds its dividers from the two frequencies."""

    def elaborate(self, platform: Any) -> Module:
        m, s = Module(), self.settings
        m.submodules.buffer = buffer = io.Buffer("i", self.clock_in)
        m.submodules.pll = Instance(
            "CC_PLL",
            p_REF_CLK=megahertz(self.input_hz),
            p_OUT_CLK=megahertz(s.clock_hz),
            p_PERF_MD="ECONOMY",
            p_LOW_JITTER=1,
            p_LOCK_REQ=1,
            # loop filter: the values of the vendor's generator
            p_CI_FILTER_CONST=2,
            p_CP_FILTER_CONST=4,
            i_CLK_REF=buffer.i,
            i_CLK_FEEDBACK=0,
            i_USR_CLK_REF=0,
            i_USR_LOCKED_STDY_RST=0,
            o_CLK0=self.clk,
            o_USR_PLL_LOCKED=self.locked,
        )
        return m
