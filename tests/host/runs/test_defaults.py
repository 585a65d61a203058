"""The settings that a run gets when the user chooses none."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ohmcarlo.errors import UsageError
from ohmcarlo.runs.arrays import open_array
from ohmcarlo.runs.config import TrainConfig
from ohmcarlo.runs.defaults import complete
from ohmcarlo.runs.setup import choose_settings
from ohmcarlo.spec import Geometry
from ohmcarlo.tasks import get_task

OPEN: dict[str, Any] = {
    "kernel": "corrected", "rho": None, "whiten": None, "rows": 256, "pairs": 128, "chains": None,
    "steps": None, "hidden": None,
}  # fmt: skip


def chosen(task: str, *, paper: bool = False, **changes: Any) -> tuple[bool, int, int]:
    config = complete(get_task(task), OPEN | changes, paper).config
    assert config.task == task
    return config.whiten, config.chains, config.steps


def test_a_logistic_model_is_whitened_and_has_four_chains() -> None:
    assert chosen("breast-cancer") == (True, 4, 10_000)
    assert chosen("own.csv") == (True, 4, 10_000)
    assert chosen("toy2d", whiten=False, chains=3, steps=7) == (False, 3, 7)


def test_several_classes_have_a_rho_for_long_tails() -> None:
    def config(task: str, **changes: Any) -> TrainConfig:
        return complete(get_task(task), OPEN | changes).config

    assert config("wine").rho == 0.9 and config("wine").multi_class == "stick-breaking"
    assert config("wine", rho=0.7).rho == 0.7 and config("toy2d").rho is None
    assert config("wine", multi_class="one-vs-rest").multi_class == "one-vs-rest"
    with pytest.raises(UsageError, match="leave out --multi-class"):
        config("toy2d", multi_class="one-vs-rest")


def test_a_task_with_a_heavy_tail_has_its_own_rho() -> None:
    def rho(task: str, **changes: Any) -> float | None:
        return complete(get_task(task), OPEN | changes).config.rho

    assert rho("ecg", whiten=True) == 0.9 and rho("ecg", whiten=True, rho=0.8) == 0.8
    assert rho("ecg") is None  # an adaptation chooses it
    assert rho("breast-cancer") is None and rho("ecg", whiten=False) is None


@pytest.mark.parametrize(
    ("paper", "changes"), [(True, {}), (False, {"kernel": "published"}), (True, {"rho": 1.0})]
)
def test_the_way_of_the_paper_is_one_option(paper: bool, changes: dict[str, Any]) -> None:
    """It is the configuration that had no options in version 0.1.0."""
    plain = TrainConfig("breast-cancer")
    assert chosen("breast-cancer", paper=paper, **changes) == (
        plain.whiten, plain.chains, plain.steps,
    )  # fmt: skip
    assert chosen("breast-cancer", paper=True, chains=4) == (False, 4, 2000)
    with pytest.raises(UsageError, match="leave out --paper"):
        chosen("breast-cancer", paper=True, whiten=True)


def test_an_array_adapts_unless_a_fit_or_the_features_were_chosen() -> None:
    def config(task: str = "breast-cancer", **changes: Any) -> TrainConfig:
        return complete(get_task(task), OPEN | changes).config

    assert config().adapt and config().whiten and config().more_steps
    assert not config(steps=500).more_steps
    for fitted in (config(whiten=True), config(adapt=False)):
        assert fitted.whiten and not (fitted.adapt or fitted.more_steps)
    for plain in (config(whiten=False), config(rho=1.0), config(hidden=2), config("cartpole")):
        assert not (plain.whiten or plain.adapt)
    for impossible in ({"whiten": False}, {"rho": 1.0}, {"hidden": 2}, {"kernel": "published"}):
        with pytest.raises(UsageError, match="leave out --adapt"):
            config(adapt=True, **impossible)


def test_networks_policies_and_random_walks_are_not_whitened() -> None:
    assert chosen("toy2d", hidden=4) == (False, 4, 40_000)
    assert chosen("toy2d", rho=1.0)[:2] == (False, 4)
    assert chosen("cartpole") == chosen("cartpole", paper=True) == (False, 1, 299)


@pytest.mark.parametrize(
    ("changes", "paper", "rho"),
    [
        ({"hidden": 4}, False, 0.98),
        ({"hidden": 4, "rho": 1.0}, False, 1.0),
        ({"hidden": 4}, True, None),
        ({"hidden": 4, "kernel": "published"}, False, None),
        ({}, False, None),
    ],
)
def test_a_network_moves_around_its_prior(
    changes: dict[str, Any], paper: bool, rho: float | None
) -> None:
    config = complete(get_task("toy2d"), OPEN | changes, paper).config
    assert config.rho == rho
    assert config.pilot == (rho == 0.98), "a rho that the user chose stays"


def test_gamma_of_a_network_follows_from_rho_and_prior() -> None:
    """Sum and difference of two devices have the spread of the proposal alone: devices of 2 % at
    115 µS. A gamma or tau that the user chose stays, and so do those of the random walk."""
    task = get_task("toy2d").with_hidden(4)
    array = open_array("emulator", None, Geometry(row_group=5), 0, task.rel)
    spread = 2**0.5 * 115 * 0.02 / (1 - 0.9**2) ** 0.5
    for changes, gamma, tau in (
        ({"rho": 0.9}, spread / 0.5, spread),
        ({"rho": 0.9, "gamma": 20.0, "tau": 30.0}, 20.0, 30.0),
        ({"rho": 1.0}, 25.0, 40.0),
    ):
        config = TrainConfig("toy2d", hidden=4, sigma_p=0.5, **changes)
        found = choose_settings(config, task, array, 4, 1.0)
        assert (found.gamma_us, found.tau_us) == pytest.approx((gamma, tau))


@pytest.mark.parametrize(
    ("rows", "hidden", "chains"),
    [
        (256, 0, 4), (32, 0, 4), (31, 0, 2), (15, 0, 1), (4, 0, 1),
        (64, 4, 1), (160, 4, 4), (256, 7, 4), (256, 63, 1),
    ],
)  # fmt: skip
def test_a_small_array_gets_fewer_chains_and_says_so(rows: int, hidden: int, chains: int) -> None:
    completed = complete(get_task("toy2d"), OPEN | {"rows": rows, "hidden": hidden})
    assert completed.config.chains == chains
    assert len(completed.notes) == (chains < 4)
    if chains < 4:
        needed = 32 * (hidden + 1)
        assert f"--rows {needed} for 4" in completed.notes[0]
        again = complete(get_task("toy2d"), OPEN | {"rows": needed, "hidden": hidden})
        assert again.config.chains == 4 and not again.notes


def test_a_number_that_the_user_chose_is_never_changed() -> None:
    asked = complete(get_task("toy2d"), OPEN | {"rows": 16, "chains": 4})
    assert asked.config.chains == 4 and not asked.notes
    with pytest.raises(UsageError, match="fewer chains"):
        complete(get_task("toy2d"), OPEN | {"rows": 15, "chains": 4})


@pytest.mark.parametrize(
    ("least", "features", "pairs"),
    [(27, None, 32), (28, None, 48), (40, None, 48), (28, 20, 32), (4, 30, 40), (4, 251, 256)],
)
def test_a_row_is_as_wide_as_the_data_need(least: int, features: int | None, pairs: int) -> None:
    """4 pairs are the coin's and one is the bias's. A run keeps at least ``least`` of 41 features,
    and all of them may vary in its half of the rows."""
    task = replace(get_task("own.csv"), all_features=41, least_features=least)
    request = OPEN | {"pairs": None, "features": features}
    completed = complete(task, request)
    assert completed.config.pairs == pairs
    assert completed.notes == (
        () if pairs == 32 else (f"a row has {pairs} pairs instead of 32, so that all features fit",)
    )
    with pytest.raises(UsageError, match="do not fit"):
        complete(task, OPEN | {"pairs": 8, "features": features})


def test_boards_and_too_many_features_get_no_wider_row() -> None:
    task = replace(get_task("own.csv"), all_features=300, least_features=252)
    for backend in ("model", "rtl"):
        with pytest.raises(UsageError, match="a row has 32 pairs"):
            complete(task, OPEN | {"pairs": None, "features": None, "backend": backend})
    fits = replace(task, all_features=41, least_features=41)
    with pytest.raises(UsageError, match="a row has 32 pairs"):
        complete(fits, OPEN | {"pairs": None, "features": None, "backend": "rtl"})
