"""Folders that tests use."""

from __future__ import annotations

from pathlib import Path

HELPERS = Path(__file__).parent
TESTS = HELPERS.parent
NUTS = TESTS / "data" / "nuts_wdbc.npz"
"""Posterior of the WDBC half, rounded to int8 / 32 and clipped, from NumPyro's NUTS."""
NUTS_EXACT = TESTS / "data" / "nuts_wdbc_exact.npz"
"""The same of the float64 data (both: reference/nuts_wdbc.py)."""
GERMAN = TESTS / "data" / "german_credit.npz"
"""German credit with the published moments of its posterior (reference/german_credit.py)."""
