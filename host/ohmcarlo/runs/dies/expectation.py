"""A reference run on an array, and what to expect of a run with the default settings.

The reference run learns ``breast-cancer`` (16 weights) in whitened coordinates, with the proposal
that an array of this kind chooses when it adapts. Its chains begin at the mode, so that nearly all
of its steps count.
"""

from __future__ import annotations

from contextlib import closing
from copy import deepcopy
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ... import diagnostics
from ...array.base import Ledger
from ...array.energy import energy, monte_carlo
from ...boards import silent
from ...errors import OhmcarloError
from ...posterior_error import PosteriorError, errors_to_dict
from ...progress import Observer
from ...spec import Geometry
from ...spec.geometry import MIN_GROUPS
from ...tasks import get_task
from ..adaptation.choice import RHOS
from ..chain_run import ChainRun, Interrupted
from ..config import TrainConfig
from ..defaults import CHAIN_GROUPS, CHAINS
from ..device_errors import WHITENED_RHO_TRIMMED
from ..kinds import SUPERVISED
from ..setup import ChainSetup, devices_in_use
from ..summary import burn_in_of
from ..supervised.experiment import SupervisedExperiment
from ..trace import Trace

TASK = "breast-cancer"
STEPS = 1000
"""Steps of every chain of the reference run."""
ADAPTATION_STEPS = 640
"""Steps of every chain of an adaptation: 520 to 837 on seven sets (docs/results.md#adaptation)."""
WORST = 0.75
"""Effective samples of the worst-mixing weight of a default run over those of the median weight of
the reference run: 0.62 to 0.82 on three arrays (docs/results.md#expected-and-reached). The worst of
16 weights in a short run would be too low by chance, by half and more; the median is not."""
FACTOR = 1.5
"""The interval of an expected number of effective samples: from 1 / FACTOR to FACTOR times."""
KEPT = 0.75
"""Share of the sampling steps that count; the others are burn-in."""
UNEVEN = 0.25
"""The share by which the most used device exceeds the mean falls with the number of steps to this
power: 0.5 if devices are alike, 0 if some are always used more."""
DRAWS = 200
LEVEL = 0.95


@dataclass(frozen=True)
class Range:
    """A number with an interval of 95 %."""

    value: float
    low: float
    high: float

    def covers(self, other: float) -> bool:
        """Whether the interval contains ``other``."""
        return self.low <= other <= self.high


@dataclass(frozen=True)
class Wear:
    """SET pulses of a device in a run with the default settings.

    Attributes
    ----------
    trim, adaptation, sampling : float
        Of a device that holds weights, mean over the devices.
    most : float
        Of the device with the most, all three parts together.
    """

    trim: float
    adaptation: float
    sampling: float
    most: float

    @property
    def mean(self) -> float:
        """All parts together, of a device that holds weights."""
        return self.trim + self.adaptation + self.sampling


@dataclass(frozen=True)
class Expectation:
    """What a run with the default settings is expected to reach and to cost.

    Attributes
    ----------
    task : str
        Of the reference run.
    weights, chains, steps : int
        Of the reference run; ``steps`` of every chain.
    rho : float
    acceptance : float
    rhat : float
        Largest split R-hat.
    ess_per_1000_steps : Range
        Effective samples of the worst-mixing weight per 1,000 steps of all chains.
    ess_per_million_pulses : Range
        Effective samples per 10⁶ SET pulses of the whole array in a run with the default settings,
        burn-in and adaptation included.
    energy_per_ess_j : Range
        Array, converters and digital part, J for one effective sample of such a run.
    errors : tuple of PosteriorError
        Predicted for a run with the default settings.
    sampling_steps, run_steps : int
        Steps of all chains of such a run, without and with those of its adaptation.
    wear : Wear
        SET pulses of devices in such a run.
    """

    task: str
    weights: int
    chains: int
    steps: int
    rho: float
    acceptance: float
    rhat: float
    ess_per_1000_steps: Range
    ess_per_million_pulses: Range
    energy_per_ess_j: Range
    errors: tuple[PosteriorError, ...]
    sampling_steps: int
    run_steps: int
    wear: Wear

    def to_dict(self) -> dict[str, Any]:
        """Values for JSON."""
        return asdict(self) | {"errors": errors_to_dict(self.errors)}


@dataclass(frozen=True)
class Rows:
    """Rows of an array that a model can use, because none of its devices there is dead.

    Attributes
    ----------
    inputs : int
        Of the reference run, the bias included.
    good : int
        Rows for so many inputs.
    chains : int
        As many chains of the reference run as have enough rows each; 0: none.
    most_inputs : int
        Most inputs for which the default number of chains has enough rows; 0: none.
    """

    inputs: int
    good: int
    chains: int
    most_inputs: int

    @classmethod
    def of(cls, dead: NDArray[np.bool_], geometry: Geometry) -> Rows:
        """``dead`` devices of an array, (rows, row_devices)."""
        task = get_task(TASK)
        inputs = min((task.features or geometry.max_features) + 1, geometry.max_features)
        chains = CHAINS
        while chains and not _enough(dead, geometry, inputs, chains):
            chains //= 2
        fitting = (n for n in range(inputs, 1, -1) if _enough(dead, geometry, n, CHAINS))
        good = int(_working(dead, geometry, inputs).sum())
        return cls(inputs, good, chains, next(fitting, 0))


def _working(dead: NDArray[np.bool_], geometry: Geometry, inputs: int) -> NDArray[np.bool_]:
    """Rows whose devices in use all work, bool (rows,)."""
    return np.asarray(~dead[:, devices_in_use(geometry, inputs)].any(axis=1))


def _enough(dead: NDArray[np.bool_], geometry: Geometry, inputs: int, chains: int) -> bool:
    """Whether each of so many chains has enough rows; a smaller array needs fewer."""
    if len(dead) % chains:
        return False
    needed = CHAIN_GROUPS if len(dead) >= CHAIN_GROUPS else MIN_GROUPS
    working = _working(dead, geometry, inputs)
    return bool((working.reshape(chains, -1).sum(axis=1) >= needed).all())


def expect(config: TrainConfig, rows: Rows, ideal: bool, observer: Observer) -> Expectation:
    """Make the reference run, and scale its numbers to a run with the default settings.

    Parameters
    ----------
    config : TrainConfig
        Its task, array, board, geometry, seed and steps.
    rows : Rows
        With at least one chain.
    ideal : bool
        The devices are alike.

    Raises OhmcarloError, which says why, when the array cannot carry the run.
    """
    rho = RHOS[0] if ideal else WHITENED_RHO_TRIMMED
    config = replace(config, whiten=True, rho=rho, chains=rows.chains, features=rows.inputs - 1)
    return _expect(config, observer)


def _expect(config: TrainConfig, observer: Observer) -> Expectation:
    with closing(SUPERVISED.build(config, silent)) as experiment:
        setup = experiment.setup
        before = deepcopy(setup.board.ledger)
        run = ChainRun(setup, observer=observer)
        try:
            run.run()
        except (Interrupted, KeyboardInterrupt) as interrupt:
            raise Interrupted(
                "interrupted during the reference run, and nothing was written: --steps 0 leaves "
                "it out"
            ) from interrupt
        trace = Trace.of(run.streamed(), setup.board.current())
        made = trace.all_steps // trace.chains
        if made < config.steps:
            raise OhmcarloError(
                f"the chains ended after {made} of {config.steps} steps: too few rows work"
            )
        if not trace.accepted.any():
            raise OhmcarloError("none of the proposals of the reference run was accepted")
        spent = _difference(setup.board.ledger, before)
        return _scaled(experiment, trace, spent)


def _difference(after: Ledger, before: Ledger) -> Ledger:
    spent = deepcopy(after)
    spent.counts[:] = after.counts - before.counts
    spent.wear[:] = after.wear - before.wear
    return spent


def _scaled(experiment: SupervisedExperiment, trace: Trace, spent: Ledger) -> Expectation:
    setup, config = experiment.setup, experiment.setup.config
    burn_in = burn_in_of(trace)
    draws = experiment.weights(trace.codes)[trace.draws()][:, burn_in:]
    made = config.chains * config.steps
    kept = draws.shape[0] * draws.shape[1] * trace.every
    per_step = float(np.median(diagnostics.ess(draws))) / kept * WORST
    task = get_task(config.task)
    run_steps = CHAINS * (task.steps + ADAPTATION_STEPS)
    effective = per_step * made * KEPT * CHAINS * task.steps / run_steps
    geometry = setup.registers.geometry
    return Expectation(
        task=config.task,
        weights=draws.shape[2],
        chains=config.chains,
        steps=config.steps,
        rho=setup.settings.rho,
        acceptance=trace.acceptance_rate,
        rhat=float(np.max(diagnostics.rhat(draws))),
        ess_per_1000_steps=_spread(1000 * per_step),
        ess_per_million_pulses=_spread(1e6 * effective / max(spent.set, 1)),
        energy_per_ess_j=_energy_per_ess(spent, geometry, effective),
        errors=_errors(setup, task.steps),
        sampling_steps=CHAINS * task.steps,
        run_steps=run_steps,
        wear=_wear(setup, spent, run_steps / made, CHAINS * task.steps / made),
    )


def _spread(value: float) -> Range:
    return Range(value, value / FACTOR, value * FACTOR)


def _energy_per_ess(spent: Ledger, geometry: Geometry, effective: float) -> Range:
    """Energy of one effective sample, J: the constants and the number of samples vary."""
    rng = np.random.default_rng(0)
    drawn = monte_carlo(spent, geometry, draws=DRAWS)["total"]
    samples = effective * np.exp(rng.normal(0.0, np.log(FACTOR) / 1.96, DRAWS))
    low, high = np.quantile(drawn / samples, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    joules = energy(spent, geometry).total.joules
    return Range(joules / effective, float(low), float(high))


def _errors(setup: ChainSetup, steps: int) -> tuple[PosteriorError, ...]:
    """The errors that a run of so many steps predicts, without that of its data's encoding."""
    if setup.source is None:
        return ()
    config = replace(setup.config, steps=steps * CHAINS // setup.config.chains)
    spread = setup.encoder.spread
    return setup.source.errors(config, setup.settings, setup.points.features, spread, None)


def _wear(setup: ChainSetup, spent: Ledger, run: float, sampling: float) -> Wear:
    """SET pulses of devices; a run has ``run`` times the steps of the reference run, of which
    ``sampling`` times are not adaptation."""
    used = spent.wear[spent.wear.any(axis=1)]
    usual = float(used.mean(axis=0).max())
    excess = float(used.max()) / usual - 1
    weights = float(used[:, : 2 * setup.points.features].mean())
    trim = _trim_pulses(setup)
    most = usual * run * (1 + excess / run**UNEVEN)
    return Wear(trim, weights * (run - sampling), weights * sampling, trim + most)


def _trim_pulses(setup: ChainSetup) -> float:
    """SET pulses of every device for its trim."""
    found = None if setup.source is None else setup.source.found
    return 0.0 if found is None else float(found.cycles * len(found.targets_us))
