"""The draws of a sweep in one NetCDF file."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
import xarray

from ohmcarlo.diagnostics import arviz
from ohmcarlo.errors import OhmcarloError
from ohmcarlo.sweeps.posteriors import Shape, write_posteriors

FIRST = np.random.default_rng(0).normal(size=(2, 30, 2)).astype(np.float32)
SECOND = np.random.default_rng(1).normal(size=(1, 20, 3)).astype(np.float32)
SHAPES = [
    Shape("aa", 2, 30, ("x", "bias"), {"rows": 64, "task": "mine", "trim": True, "rho": None}),
    Shape("bb", 1, 20, ("x", "y: 2", "bias"), {"rows": 8, "task": "µ", "trim": False, "rho": 0.5}),
]


@pytest.fixture
def written(tmp_path: Path) -> Path:
    path = tmp_path / "posteriors.nc"
    cells = iter([(FIRST, FIRST[..., 0]), (SECOND, SECOND[..., 0])])
    write_posteriors(path, SHAPES, cells, {"sweep": "study"})
    return path


def test_unequal_cells_share_a_file(written: Path) -> None:
    with xarray.open_dataset(written, group="posterior") as found:
        w = found["w"].load()
        assert dict(w.sizes) == {"cell": 2, "chain": 2, "draw": 30, "weight": 3}
        one = w.sel(cell="aa").dropna("weight", how="all")
        assert list(one["weight"].to_numpy()) == ["x", "bias"]
        assert (one.to_numpy() == FIRST).all()
        other = w.sel(cell="bb", weight=["x", "y: 2", "bias"]).to_numpy()
        assert (other[:1, :20] == SECOND).all()
        assert np.isnan(other[1:]).all() and np.isnan(other[:, 20:]).all()
        assert found["rows"].to_numpy().tolist() == [64, 8]
        assert found["task"].to_numpy().tolist() == ["mine", "µ"]
        assert found["trim"].to_numpy().tolist() == [1, 0]
        np.testing.assert_equal(found["rho"].to_numpy(), [np.nan, 0.5])
    with xarray.open_dataset(written, group="sample_stats") as stats:
        assert (stats["lp"].sel(cell="aa").to_numpy() == FIRST[..., 0]).all()


def test_arviz_opens_the_file(written: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = arviz().from_netcdf(written)
        cell = found.posterior.sel(cell="aa").dropna("weight", how="all")
        ess = arviz().ess(cell)["w"].to_numpy()
    assert ess.shape == (2,) and (ess > 10).all()


def test_a_file_that_cannot_be_written_leaves_the_old_one(written: Path) -> None:
    before = written.read_bytes()
    cells = iter([(FIRST, FIRST[..., 0])])  # the second one is missing
    with pytest.raises((OhmcarloError, ValueError)):
        write_posteriors(written, SHAPES, cells, {})
    assert written.read_bytes() == before
    assert [path.name for path in written.parent.iterdir()] == [written.name]
