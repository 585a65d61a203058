"""Post-synthesis netlists under the benches: flows, models of cells, planted faults."""

from .flows import ECP5, FLOWS, GATEMATE, GOWIN, ICE40, OTHERS, Flow, Netlist

__all__ = ["ECP5", "FLOWS", "GATEMATE", "GOWIN", "ICE40", "OTHERS", "Flow", "Netlist"]
