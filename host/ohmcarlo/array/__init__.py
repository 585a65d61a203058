"""Models of an array: emulated (integers, the FPGA's twin), physical, measured cells, a die."""

from .base import Array, Ledger
from .die import Die
from .emulated import EmulatedArray
from .measured import MeasuredArray
from .physics import PhysicsArray
from .presets import get_preset

__all__ = [
    "Array",
    "Die",
    "EmulatedArray",
    "Ledger",
    "MeasuredArray",
    "PhysicsArray",
    "get_preset",
]
