"""Hints for timing constraints: clock, reset, inputs that must be synchronous."""

from __future__ import annotations

from textwrap import wrap

from ohmcarlo_hdl.ip.ports import PHY

from .ports import CorePorts
from .request import ExportRequest

XDC, SDC = "xdc", "sdc"
WIDTH = 96
TOOLS = {XDC: "Vivado", SDC: "Quartus, Diamond, Radiant, Gowin EDA, OpenSTA"}


def constraints(request: ExportRequest, ports: CorePorts, kind: str) -> str:
    """The text of a file; ``kind``: XDC or SDC. Both use the commands that the formats share."""
    protocol = ports.protocol
    exceptions = (
        f"{protocol.reset} is synchronous to {protocol.clock}: it needs no exception. Synchronise "
        "a reset from another clock, or from a pin, with two flip-flops outside the core.",
        "off (emergency stop) is used without a synchroniser, so that it acts in the next clock. "
        "If it comes from a switch or from another clock, put two flip-flops before it and exclude "
        "the path into the first one:",
    )
    lines = [
        *_comment(f"Timing of {request.module} for {TOOLS[kind]}. Adapt the names of ports."),
        "",
        *_clock(request, protocol.clock),
        "",
        *_comment(exceptions[0]),
        "",
        *_comment(exceptions[1]),
        "# set_false_path -to [get_pins off_sync[0]/D]",
        *(_pins(protocol.clock) if request.array == PHY else []),
    ]
    return "\n".join(lines) + "\n"


def _comment(text: str) -> list[str]:
    return wrap(text, WIDTH, initial_indent="# ", subsequent_indent="# ", break_on_hyphens=False)


def _clock(request: ExportRequest, clock: str) -> list[str]:
    if not request.clock_hz:
        return [
            *_comment(
                "The frequency was not stated (--clock MHZ). State the period in ns if the clock "
                "comes from a pin:"
            ),
            f"# create_clock -name {clock} -period 10.000 [get_ports {clock}]",
        ]
    return [
        *_comment(
            "In a block design, the source of the clock has this constraint: leave the line out."
        ),
        f"create_clock -name {clock} -period {1e9 / request.clock_hz:.3f} [get_ports {clock}]",
    ]


def _pins(clock: str) -> list[str]:
    """Hints about the wires of a daughterboard."""
    text = (
        "Wires of the daughterboard (constraints/daughterboard.md of the project). The core waits "
        f"for the settling times of its parts. adc_dout follows adc_sclk, a divided {clock}. Keep "
        "the output registers in the I/O cells, so that the wires are aligned."
    )
    return ["", *_comment(text)]
