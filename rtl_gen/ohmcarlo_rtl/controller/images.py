"""Memory images: tables to load into a controller before its first run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ohmcarlo.spec import (
    DEFAULT_LO_US,
    hastings_tables,
    identity_dac,
    median_table,
    segment_words,
    sigma_table,
)

REL = 0.05
"""Cycle-to-cycle spread of the images, a fraction of the median."""


def table_words() -> Mapping[str, list[int]]:
    """Window name → its words, for an array with target codes as DAC codes and a spread of REL."""
    inv_sigma, log_sigma = hastings_tables(lambda g: REL * g, DEFAULT_LO_US)
    tables: dict[str, Any] = {
        "dac": identity_dac(),
        "inv_sigma": inv_sigma,
        "log_sigma": log_sigma,
        "median": median_table(np.array),
        "sigma": sigma_table(lambda g: REL * g),
    }
    return {name: segment_words([int(n) for n in nodes]) for name, nodes in tables.items()}


def readmemh(words: Sequence[int]) -> str:
    """Words as ``$readmemh`` reads them, one per line."""
    return "".join(f"{word & 0xFFFFFFFF:08x}\n" for word in words)
