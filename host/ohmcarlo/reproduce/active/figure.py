"""Learning from few labels: the array chooses which points of a pool to have labelled.

The array samples the posterior given the labels bought so far. Its samples give the doubt about
every point of the pool, and a batch of points with large doubts is labelled next. Lin et al.,
Nature Computational Science 5, 27 (2025), doi 10.1038/s43588-024-00744-y, do this with a deep
network that learns by stochastic gradient Langevin dynamics in memristors. Here the model is
logistic, and the posterior is that of an exact chain.

The measure of doubt was chosen on pools of seeds from 100 on, which are not reported.
"""

from __future__ import annotations

from ...datasets import ecg
from ..base import Bench, Figure, require_data
from .curves import STRATEGIES, curve
from .learners import BIAS_SIGMA, STEPS
from .pictures import picture
from .problems import ECG, ECG_POOL, ECG_TEST_EVERY, START_PER_CLASS, TITLES, WDBC, rounds
from .tables import cost_table, gains, quality_table, saving_table, savings


def make(bench: Bench) -> Figure:
    """Four strategies on two pools, and how many labels they need."""
    require_data(TITLES)
    bench.say("reading the beats of 44 records (half a minute the first time)")
    ecg.beat_table()
    cells = bench.map(
        f"{len(TITLES)} pools, {len(STRATEGIES)} strategies",
        curve,
        [
            {"task": task, "strategy": strategy, "seed": seed}
            for task in (ECG, WDBC)  # the slow ones first
            for strategy in STRATEGIES
            for seed in range(bench.seeds)
        ],
    )
    found = {
        task: {s: [c for c in cells if (c["task"], c["strategy"]) == (task, s)] for s in STRATEGIES}
        for task in TITLES
    }
    return Figure(
        title=f"Learning from few labels, {bench.seeds} pools each",
        tables=[
            table(task, found[task])
            for task in TITLES
            for table in (saving_table, quality_table, cost_table)
        ],
        pictures={"active": picture(found)},
        values={
            "labels": rounds(),
            "savings": {task: savings(found[task]) for task in TITLES},
            "gains": {task: gains(found[task]) for task in TITLES},
            "cells": cells,
        },
        notes=notes(),
    )


def notes() -> list[str]:
    return [
        f"Pools: {TITLES[WDBC]}: a random half, the other half is held out. {TITLES[ECG]}: "
        f"{ECG_POOL:,} random beats of {len(ecg.training_records())} patients in their natural "
        f"ratio; held out are one in {ECG_TEST_EVERY} of the normal and ventricular beats of "
        f"{len(ecg.DS2)} other patients.",
        f"Every strategy of a seed begins with the same {START_PER_CLASS} points of each class. "
        "Means and standard deviations of the features are those of the pool, which needs no "
        "label; features are selected by the labels bought so far.",
        "Doubt: entropy of the mean prediction, in batches that avoid points alike (see "
        "`ohmcarlo.runs.acquisition`). Logistic regression is scikit-learn's, with the prior width "
        "and the features of the array; its intercept has no prior. In the array, the prior of the "
        f"bias is that of the task on WDBC, and has a standard deviation of {BIAS_SIGMA[ECG]:g} on "
        "MIT-BIH, whose classes are unbalanced.",
        "Labels for an accuracy: those from which on the mean curve stays at it up to the number "
        "of random labels, with linear interpolation; 95 % intervals resample the seeds. "
        "Differences are paired by seed.",
        "All rounds of a seed are in one array. It adapts to the labels of a round by itself, "
        f"then makes {STEPS} steps of every chain. Energy of learning: all operations of both. "
        "Energy of choosing: the dot products of the pool with the samples, if the array computes "
        "them.",
    ]
