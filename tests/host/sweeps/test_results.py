"""From stored cells to files: foreign cells, and files of an earlier content of the sweep file."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from ohmcarlo.cli.sweeping import _draw
from ohmcarlo.cluster.encoding import pack
from ohmcarlo.cluster.sources import sources_digest
from ohmcarlo.cluster.store import CellStore
from ohmcarlo.cluster.work import content_of
from ohmcarlo.errors import OhmcarloError
from ohmcarlo.sweeps.description import Description
from ohmcarlo.sweeps.planning import plan
from ohmcarlo.sweeps.results import Results, collect
from ohmcarlo.sweeps.table import FAILED, FINISHED, MISSING, Table
from sweep_rows import row_of

BASE = {"task": "toy2d", "steps": 500}
WEIGHTS = np.zeros((2, 5, 3), np.float32)
GOOD = {
    "row": {"accuracy": 0.5},
    "weights": WEIGHTS,
    "weight_names": ["x1", "x2", "bias"],
    "log_posterior": WEIGHTS[..., 0],
}


@pytest.mark.parametrize(
    "change",
    [{"row": 3}, {"weights": 1}, {"weight_names": ["x1"]}, {"log_posterior": WEIGHTS}, None],
)
def test_a_file_that_is_no_result_of_a_sweep_is_one_line(change, tmp_path: Path):
    made = plan(Description(Path("x.toml"), "", BASE, (BASE,), (), 5))
    work, store = made.cells[0].work, CellStore(tmp_path)
    digest = work.digest(sources_digest())
    store.write(digest, pack(content_of(work, digest, GOOD, 1.0)))
    found = collect(made, store)  # the control
    assert found.count(FINISHED) == 1 and found.shapes[0].weights == ("x1", "x2", "bias")
    values = {"x": 1} if change is None else {**GOOD, **change}
    store.write(digest, pack(content_of(work, digest, values, 1.0)))
    with pytest.raises(OhmcarloError, match=rf"{digest}\.cell is not the result of a sweep"):
        collect(made, store)


def test_pictures_of_parameters_that_are_swept_no_longer_are_removed(tmp_path: Path):
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "rows.png").write_bytes(b"")
    table = Table("one", (), {}, [row_of(0)])
    _draw(SimpleNamespace(say=print), SimpleNamespace(table=table), tmp_path)
    assert list((tmp_path / "pictures").iterdir()) == []


def test_the_most_frequent_message_of_failed_cells_comes_first():
    def row(digest: str, status: str, message: str | None = None) -> dict:
        return {"digest": digest, "status": status, "message": message}

    rows = [row("1", FAILED, "rare"), row("2", FAILED, "often"), row("3", FAILED, "often")]
    rows += [row("4", MISSING), {**row("5", FINISHED), "verdict": "settled", "seconds": 2.0}]
    found = Results(Table("one", (), {}, rows), (), 0).summary()
    assert found["cells"] == {"total": 5, "finished": 1, "failed": 3, "missing": 1}
    assert found["failures"] == [
        {"message": "often", "cells": 2, "digests": ["2", "3"]},
        {"message": "rare", "cells": 1, "digests": ["1"]},
    ]
    assert found["verdicts"] == {"settled": 1} and found["worker_seconds"] == 2.0
