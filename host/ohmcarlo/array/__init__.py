"""Arrays of devices: emulated (integers, as in the FPGA), device physics, measured cells."""

from .base import Array, Ledger
from .characterize.characterization import Characterization
from .characterize.evaluation import characterize
from .die import Die
from .emulated import EmulatedArray
from .energy import energy
from .measured import MeasuredArray
from .physics import PhysicsArray
from .presets import get_preset

__all__ = [
    "Array",
    "Characterization",
    "Die",
    "EmulatedArray",
    "Ledger",
    "MeasuredArray",
    "PhysicsArray",
    "characterize",
    "energy",
    "get_preset",
]
