"""Threads of linear algebra, and of the collection of garbage, in a run."""

from __future__ import annotations

import gc

import numpy as np
import pytest
import scipy.linalg  # noqa: F401 (its library counts, too)
from threadpoolctl import ThreadpoolController, threadpool_info

from ohmcarlo.imports import BETWEEN_COLLECTIONS, rare_collection
from ohmcarlo.runs.algebra import MANY, few_threads
from ohmcarlo.spec import Points


def threads() -> list[int]:
    """Threads of each library of linear algebra in this process."""
    found = [lib["num_threads"] for lib in threadpool_info() if lib["user_api"] == "blas"]
    assert found
    return found


def points(n: int, features: int) -> Points:
    return Points.of(np.zeros((n, features), np.int8), np.zeros(n, np.uint8))


def test_the_products_of_a_usual_run_take_one_thread() -> None:
    with ThreadpoolController().limit(limits=2, user_api="blas"):
        before = threads()
        assert max(before) == 2
        with few_threads(points(284, 16)):
            assert set(threads()) == {1}
        assert threads() == before


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_an_error_leaves_the_number_of_threads(error: type[BaseException]) -> None:
    with ThreadpoolController().limit(limits=2, user_api="blas"):
        with pytest.raises(error), few_threads(points(10, 4)):
            raise error
        assert max(threads()) == 2


def test_large_products_take_all_threads() -> None:
    n = MANY // 256**2 + 1
    with ThreadpoolController().limit(limits=2, user_api="blas"), few_threads(points(n, 256)):
        assert max(threads()) == 2


def test_garbage_is_collected_rarely_inside_and_as_before_afterwards() -> None:
    before = gc.get_threshold()
    with rare_collection():
        assert gc.get_threshold()[0] == BETWEEN_COLLECTIONS > before[0]
    assert gc.get_threshold() == before
