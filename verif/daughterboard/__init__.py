"""A bus-functional daughterboard: frames in hardware, converters, lines and array in Python.

``wires`` hands whole frames to Python, ``board`` wakes on edges of selects, latches and pulses,
``limits`` says what the parts and the array bear, ``array`` is what is under the probes.
"""

from .array import KeyedArray
from .board import Daughterboard
from .limits import ElectricalFault, Limits
from .wires import Wired

__all__ = ["Daughterboard", "ElectricalFault", "KeyedArray", "Limits", "Wired"]
