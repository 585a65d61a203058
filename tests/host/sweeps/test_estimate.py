"""What a sweep will cost: from trials whose times are known, and from finished cells."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from ohmcarlo.cluster.encoding import pack
from ohmcarlo.cluster.sources import sources_digest
from ohmcarlo.cluster.store import CellStore
from ohmcarlo.cluster.work import Reply, content_of
from ohmcarlo.sweeps import estimate as module
from ohmcarlo.sweeps.description import Description
from ohmcarlo.sweeps.estimate import LONG, SHORT, estimate
from ohmcarlo.sweeps.planning import plan

STEPS, CHAINS, DRAWS, WEIGHTS = 4000, 4, 10_000, 3
FIXED_S, STEP_S = 2.0, 0.001
VALUES = {"row": {}, "weights": np.zeros((CHAINS, 5, WEIGHTS), np.float32), "log_posterior": None}


@pytest.fixture
def cells():
    """Two cells of one kind."""
    base = {"task": "toy2d", "steps": STEPS}
    points = tuple({**base, "pairs": pairs} for pairs in (8, 16))
    return plan(Description(Path("x.toml"), "", base, points, ("pairs",), DRAWS))


@pytest.fixture
def trials(monkeypatch):
    """Steps of the trials, each of which takes a fixed time and a time for each step."""
    made, clock = [], [0.0]

    def compute(function, arguments, digest, sources):
        config = json.loads(arguments)["config"]
        assert not config["more_steps"], "a trial must not choose its steps"
        made.append(config["steps"])
        clock[0] += FIXED_S + STEP_S * config["steps"]
        return Reply(pack({"values": VALUES}))

    monkeypatch.setattr(module, "compute", compute)
    monkeypatch.setattr(module, "time", SimpleNamespace(process_time=lambda: clock[0]))
    return made


def test_two_trials_give_the_time_of_a_step(cells, trials):
    found = estimate(cells, None)
    assert trials == [SHORT, SHORT, LONG]  # the first one compiles
    assert (found.finished, found.failed, found.remaining) == (0, 0, 2)
    assert found.seconds == pytest.approx(2 * (FIXED_S + STEP_S * STEPS))
    assert found.wall_seconds(4) == pytest.approx(found.seconds / 4)
    drawn = 4 * CHAINS * DRAWS * (WEIGHTS + 1)  # bytes of the draws of a cell, stored twice
    assert 2 * 2 * drawn < found.size < 1.1 * 2 * 2 * drawn


def test_finished_cells_need_no_trial(cells, trials, tmp_path):
    store, work = CellStore(tmp_path), cells.cells[0].work
    digest = work.digest(sources_digest())
    store.write(digest, pack(content_of(work, digest, VALUES, 6.0)))
    found = estimate(cells, store)
    assert (found.finished, found.remaining) == (1, 1) and not trials
    assert found.seconds == pytest.approx(6.0)
    assert found.size == 2 * 2 * store.path(digest).stat().st_size


def test_a_trial_that_fails_tells_why(cells, monkeypatch):
    monkeypatch.setattr(module, "compute", lambda *_: Reply(kind="refused", message="no room"))
    found = estimate(cells, None)
    assert found.trials == ("2 cells of toy2d on emulator will fail: no room",)
    assert found.seconds is None and found.wall_seconds(2) is None
