"""Arrays of devices: emulated (integers, the FPGA's twin), physical model, measured cells."""

from .base import Array, Ledger
from .emulated import EmulatedArray

__all__ = ["Array", "EmulatedArray", "Ledger"]
