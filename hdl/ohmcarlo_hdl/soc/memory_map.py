"""Memory map of the processor, for bridge, linker script and firmware header.

Byte addresses. The bits from ``REGION_SHIFT`` on select the region.
"""

from __future__ import annotations

REGION_SHIFT = 30
RAM_BASE = 0x0000_0000
CONTROLLER_BASE = 0x4000_0000
"""Registers and windows of the controller (``register_map``)."""
BOARD_BASE = 0x8000_0000
"""Registers and windows of the board (``board_map``)."""

RAM_BYTES = 32768
"""Memory of the processor: program, data and stack."""
