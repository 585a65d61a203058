"""The columns of a cell: values of its result, of several classes from the worst problem."""

import numpy as np
import pytest

from ohmcarlo.runs.verdict import Verdict
from ohmcarlo.sweeps.cell import _row, kept_steps


def chains(ess: float, rhat: float, burn_in: int, **errors: float) -> dict:
    return {
        "ess_min": ess,
        "ess_tail_min": 2 * ess,
        "ess_min_per_1000_steps": ess / 10,
        "rhat_max": rhat,
        "burn_in": burn_in,
        "posterior_error": {name: {"mean_sd": value} for name, value in errors.items()},
        "retired_rows": [burn_in],
    }


def test_several_classes_have_the_worst_of_their_problems() -> None:
    whole = {"verdict": Verdict.SETTLED, "energy_joules": 2e-6, "baseline": {"accuracy": 0.75}}
    row = _row(whole, [chains(50.0, 1.02, 10, window=0.1), chains(80.0, 1.00, 30)])
    worst = ("ess_bulk", "ess_tail", "ess_per_1000_steps", "rhat", "burn_in")
    assert [row[name] for name in worst] == [50.0, 100.0, 5.0, 1.02, 30]
    assert row["settled"] and row["retired_rows"] == 2 and row["baseline_accuracy"] == 0.75
    assert row["energy_per_sample_joules"] == pytest.approx(4e-8)
    assert row["predicted_error_sd"] is None and row["rmse"] is None
    unknown = _row(whole, [chains(50.0, 1.02, 10), {"rhat_max": None}])
    assert unknown["rhat"] is None and unknown["energy_per_sample_joules"] is None


def test_predicted_errors_add_in_squares() -> None:
    found = chains(50.0, 1.0, 10, window=0.3, read_noise=0.4)
    row = _row({**found, "verdict": Verdict.SETTLED, "energy_joules": 1e-6}, [found])
    assert row["predicted_error_sd"] == pytest.approx(0.5)


def test_draws_are_kept_up_to_their_number() -> None:
    """At equal distances after burn-in, all of them where there are fewer."""
    found = kept_steps(1003, 3, 7)
    assert len(found) == 7 and found[0] == 3 and set(np.diff(found)) == {142}
    assert kept_steps(10, 4, 100).tolist() == [4, 5, 6, 7, 8, 9]
