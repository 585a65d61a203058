"""The five AAMI classes, one against the rest."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...datasets import Encoder, ecg
from ...datasets.base import take_turns
from ...datasets.beats import FEATURES
from ...spec import FEATURE_FRAC
from ...tasks import get_task
from ..base import Cell
from .models import ARRAY_MODELS, LOGISTIC, TASK, sampled

PER_CLASS_AAMI = 200


def five_classes(seed: int) -> Cell:
    """A cell: the AAMI classes, one against the rest, and multinomial logistic regression.

    Five chains run one after the other on the same beats; the largest probability decides.
    """
    from sklearn.linear_model import LogisticRegression

    table = ecg.beat_table()
    rng = np.random.default_rng(seed)
    rows = np.concatenate(
        [
            _some(table.among(ecg.training_records(), c), table.records, PER_CLASS_AAMI, rng)
            for c in ecg.CLASSES
        ]
    )
    x, truth = table.x[rows], table.classes[rows]
    tested = table.among(ecg.DS2, "".join(ecg.CLASSES))
    probability = np.stack(
        [
            sampled(
                ARRAY_MODELS[LOGISTIC], x, (truth == c).astype(np.int64), table.x[tested], seed
            ).probability
            for c in ecg.CLASSES
        ],
        axis=1,
    )
    encoder = Encoder.fit(x, (truth == "V").astype(np.int64), feature_names=FEATURES, scaled=False)
    scale = 1 << FEATURE_FRAC
    multinomial = LogisticRegression(C=get_task(TASK).sigma_p ** 2, max_iter=3000)
    multinomial.fit(encoder.encode(x).inputs / scale, truth)
    theirs = multinomial.predict(encoder.encode(table.x[tested]).inputs / scale)
    ours = np.array(ecg.CLASSES)[probability.argmax(axis=1)]
    return {
        "seed": seed,
        "learnt": {c: int((truth == c).sum()) for c in ecg.CLASSES},
        "ours": _confusion(table.classes[tested], ours),
        "multinomial": _confusion(table.classes[tested], theirs),
    }


def _some(
    among: NDArray[np.bool_],
    groups: NDArray[np.int64],
    n: int,
    rng: np.random.Generator,
) -> NDArray[np.int64]:
    """Up to ``n`` random rows of ``among``, one of each group in turn."""
    rows = rng.permutation(np.flatnonzero(among))
    return rows[take_turns(groups[rows], rng)[:n]]


def _confusion(truth: NDArray[np.str_], predicted: NDArray[np.str_]) -> list[list[int]]:
    """Beats by true class (row) and prediction (column)."""
    return [
        [int(((truth == t) & (predicted == a)).sum()) for a in ecg.CLASSES] for t in ecg.CLASSES
    ]
