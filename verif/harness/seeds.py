"""``SEED=7`` in the environment gives every bench other stimuli; without it each has its own."""

from __future__ import annotations

import os
import random

import numpy as np

SEED = "SEED"


def seed_of(own: int) -> int:
    """``own``, the seed of a bench; with ``SEED`` set, ``own`` with other low bits."""
    chosen = os.environ.get(SEED, "")
    return own ^ random.Random(f"{chosen}/{own}").getrandbits(31) if chosen else own


def stimuli(own: int) -> random.Random:
    """Python's generator for the stimuli of a bench, seeded with ``seed_of(own)``."""
    return random.Random(seed_of(own))


def array_stimuli(own: int) -> np.random.Generator:
    """NumPy's generator for the stimuli of a bench, seeded with ``seed_of(own)``."""
    return np.random.default_rng(seed_of(own))


def stimuli_of(name: str) -> random.Random:
    """A generator for the driver of the stream ``name``."""
    return random.Random(f"{os.environ.get(SEED, '')}{name}")
