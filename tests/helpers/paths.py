"""Folders that tests use."""

from __future__ import annotations

from pathlib import Path

HELPERS = Path(__file__).parent
TESTS = HELPERS.parent
NUTS = TESTS / "data" / "nuts_wdbc.npz"
"""Posterior of the WDBC half, from NumPyro's NUTS (reference/nuts_wdbc.py)."""
