"""Post-synthesis netlists under the benches: flows, models of cells, planted faults."""

from .flows import ECP5, FLOWS, ICE40, Flow, Netlist

__all__ = ["ECP5", "FLOWS", "ICE40", "Flow", "Netlist"]
