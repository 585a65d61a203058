"""A bus-functional daughterboard: frames in hardware, converters, lines and array in Python.

``wires`` receives the frames. ``board`` models the board; edges of selects, latches and pulses
trigger it. ``limits`` holds the limits of the parts and of the array. ``array`` models the array.
``sessions`` records the wires, and makes a board of a record.
"""

from .array import KeyedArray
from .board import Daughterboard
from .limits import ElectricalFault, Limits
from .wires import Wired

__all__ = ["Daughterboard", "ElectricalFault", "KeyedArray", "Limits", "Wired"]
