"""The figure of several classes: its cells, and the comparison of its table."""

from __future__ import annotations

import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, log_loss
from sklearn.preprocessing import StandardScaler

from ohmcarlo.datasets import load
from ohmcarlo.reproduce.classes import cells, figure
from ohmcarlo.tasks import get_task


def test_a_split_of_wine(monkeypatch: pytest.MonkeyPatch) -> None:
    """scikit-learn's cell is its own result; the array's cells have the same rows."""
    monkeypatch.setattr(cells, "STEPS", 300)
    found = {method: cells.split("wine", method, 3) for method in figure.METHODS}
    data = load("wine")
    train, held_out = data.split(3)
    scaler = StandardScaler().fit(data.x[train])
    model = LogisticRegression(C=get_task("wine").sigma_p ** 2, max_iter=5000)
    model.fit(scaler.transform(data.x[train]), data.y[train])
    theirs = model.predict_proba(scaler.transform(data.x[held_out]))
    known = found[cells.MULTINOMIAL]
    assert known["log_loss"] == pytest.approx(log_loss(data.y[held_out], theirs), rel=1e-3)
    assert known["accuracy"] == accuracy_score(data.y[held_out], theirs.argmax(axis=1))
    for method in figure.MULTI_CLASS:
        assert found[method]["accuracy"] > 0.9 and found[method]["epistemic"] > 0


def test_differences_are_those_of_equal_splits() -> None:
    def cell(loss: float) -> cells.Cell:
        measures = dict.fromkeys(figure.MEASURES, loss)
        return {**measures, "aleatoric": 0.1, "epistemic": 0.01}

    losses = {
        figure.STICK_BREAKING: (0.1, 0.3),
        figure.ONE_VS_REST: (0.2, 0.5),
        cells.MULTINOMIAL: (0.1, 0.1),
    }
    table = figure.task_table(
        "wine", {("wine", m): [cell(loss) for loss in both] for m, both in losses.items()}
    )
    rows = {row.quantity: row for row in table.rows}
    difference = rows["log loss, stick-breaking less one against the rest"]
    assert difference.ours == pytest.approx([-0.1, -0.2])
    assert rows["accuracy, multinomial, scikit-learn"].mean == pytest.approx(0.1)
