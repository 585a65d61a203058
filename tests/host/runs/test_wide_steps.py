"""Wide steps: which runs have them by default, and what they do to a chain far out in a tail."""

from __future__ import annotations

import numpy as np
import pytest

from ohmcarlo.runs.arrays import open_array
from ohmcarlo.runs.config import TrainConfig
from ohmcarlo.runs.setup import choose_settings
from ohmcarlo.spec import Geometry, Points
from ohmcarlo.tasks import get_task
from problems import controller, trace


@pytest.mark.parametrize(
    ("config", "every"),
    [
        ({"whiten": True}, 10),
        ({"whiten": True, "wide_every": 0}, 0),
        ({"whiten": True, "wide_every": 7}, 7),
        ({}, 0),  # the random walk
        ({"whiten": True, "array": "physics"}, 0),  # devices that differ
    ],
)
def test_default(config: dict, every: int) -> None:
    made = TrainConfig("breast-cancer", **config)
    task = get_task(made.task)
    opened = open_array(made.array, made.preset, Geometry(), 0, task.rel)
    assert choose_settings(made, task, opened, 0, 1.0).wide_every == every


def longest_stay(wide_every: int) -> int:
    """Steps that a chain stays at one sample, after a start far out: 16 devices, a flat target.

    From k = c + 4 S on every device, S the stationary spread of the proposal, a step to
    c + 0.8 (k - c) lowers log π/q by (4² - 3.2²)/2 = 2.9 for each of the devices: it is never
    accepted. A wide step is accepted with a high probability on a flat target.
    """
    empty = Points.of(np.zeros((0, 8), np.int8))
    flat = {"rho": 0.8, "sigma_p": 1e3, "tau_us": 1e3, "gamma_us": 50.0}
    made = controller(empty, array={"rel": 0.02}, wide_every=wide_every, **flat)
    stationary = 0.02 * 115 / 0.6
    made.state.codes[:] = round((115 + 4 * stationary) / 0.25)
    t = trace(made, 400)
    return int(max(t["multiplicity"].max(initial=0), made.state.multiplicity[0]))


def test_a_chain_leaves_a_far_tail() -> None:
    assert longest_stay(10) <= 50
    assert longest_stay(0) >= 400  # control: it stays for ever
