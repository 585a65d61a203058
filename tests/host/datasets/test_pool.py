"""Encoders of few labelled points in a pool of others."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.preprocessing import StandardScaler

from ohmcarlo.datasets import Encoder, load
from ohmcarlo.errors import UsageError


def labelled(n: int = 2, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """WDBC: ``n`` points of each class, their classes, and all other points."""
    data = load("breast-cancer")
    rng = np.random.default_rng(seed)
    rows = np.concatenate([rng.choice(np.flatnonzero(data.y == c), n, False) for c in (0, 1)])
    return data.x[rows], data.y[rows], np.delete(data.x, rows, axis=0)


@pytest.mark.parametrize("whiten", [True, False])
@pytest.mark.parametrize("seed", range(3))
def test_a_pool_fits_into_the_inputs(whiten: bool, seed: int) -> None:
    """Four labelled points alone make an encoder that cuts off many points of the pool."""
    x, y, pool = labelled(seed=seed)
    known = Encoder.fit(x, y, features=15, whiten=whiten, pool=pool)
    assert known.error.trusted and known.saturates(pool).mean() < 0.02
    alone = Encoder.fit(x, y, features=15, whiten=whiten)
    assert alone.saturates(pool).mean() > known.saturates(pool).mean()


def test_scales_are_those_of_all_points() -> None:
    x, y, pool = labelled()
    encoder = Encoder.fit(x, y, pool=pool)
    scaler = StandardScaler().fit(np.concatenate([x, pool]))
    assert encoder.mean == pytest.approx(scaler.mean_) and encoder.scale == pytest.approx(
        scaler.scale_
    )
    other = Encoder.fit(x[::-1], y[::-1], pool=pool[::-1])
    assert other.mean.tobytes() == encoder.mean.tobytes()


def test_the_pool_gives_no_label_and_no_point() -> None:
    """Labels of the pool do not matter; a column that is constant in x is a feature of the pool."""
    x, y, pool = labelled()
    x[:, 3] = 7.0
    encoder = Encoder.fit(x, y, pool=pool)
    assert 3 in encoder.columns and len(encoder.training_points(x, y)) >= len(y)
    assert 3 not in Encoder.fit(x, y).columns


def test_a_pool_with_other_columns() -> None:
    x, y, pool = labelled()
    with pytest.raises(UsageError, match="the pool has 29 columns, the training points 30"):
        Encoder.fit(x, y, pool=pool[:, :29])
