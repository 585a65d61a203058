"""Use a finished run: probabilities with their uncertainty, from its folder alone."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .datasets import Encoder
from .datasets.csvfile import LABEL_NAMES
from .errors import UsageError
from .golden import Registers, SamplerSettings, predict
from .runs import EVALUATION, read_arrays, read_manifest, read_result, read_trace
from .spec import Geometry
from .trace import Trace

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Predictor:
    """The posterior of a run, ready to answer.

    Attributes
    ----------
    encoder : Encoder
    registers : Registers
        Of the run's model; prediction needs neither its array nor its data.
    codes, counts : uint16 (n, devices), int64 (n,)
        Samples after burn-in, and how many steps each was current.
    feature_names, class_names, weight_names : list of str
        Columns of the data before encoding; classes 0 and 1; what ``weights`` holds.
    evaluation : dict
        ``inputs``, ``labels``, ``probability``, ``variance`` of the held-out points; ``wear``.
    """

    encoder: Encoder
    registers: Registers
    codes: NDArray[np.uint16]
    counts: NDArray[np.int64]
    feature_names: list[str]
    class_names: list[str]
    weight_names: list[str]
    evaluation: dict[str, NDArray[Any]]

    @classmethod
    def of_run(cls, path: Path) -> Predictor:
        """Raises UsageError when the run is not complete, OhmcarloError when it is damaged."""
        result, manifest = read_result(path), read_manifest(path)
        codes, counts = Trace.from_arrays(read_trace(path)).after(int(result["burn_in"]))
        return cls(
            encoder=Encoder.from_dict(manifest["encoder"]),
            registers=prediction_registers(result),
            codes=codes,
            counts=counts,
            feature_names=manifest["data"]["feature_names"],
            class_names=manifest["data"]["class_names"],
            weight_names=manifest["weight_names"],
            evaluation=read_arrays(path / EVALUATION),
        )

    def predict(self, x: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Mean and variance of P(class 1): x float64 (n, features) as in the data, (n,) each."""
        return predict(self.registers, self.encoder.encode(x), self.codes, self.counts)

    def weights(self) -> FloatArray:
        """Weights of the standardised features after burn-in, float64 (steps, weights)."""
        samples = self.encoder.weights_to_original(self.registers.weights(self.codes))
        return np.repeat(samples, self.counts, axis=0)


def prediction_registers(result: dict[str, Any]) -> Registers:
    """Registers that give a run's logits; what only a running chain needs is left at defaults."""
    shape = result["geometry"]
    geometry = Geometry(
        rows=shape["rows"],
        pairs=shape["pairs"],
        entropy_pairs=shape["entropy_pairs"],
        row_group=shape["row_group"],
    )
    settings = SamplerSettings(gamma_us=result["gamma_us"], hidden=result["hidden"])
    return settings.registers(geometry, result["features"] + 1, lambda g: 0.05 * g)


@dataclass(frozen=True, eq=False)
class Predictions:
    """Answers for new data.

    Attributes
    ----------
    probability, spread : float64 (n,)
        Posterior mean and standard deviation of P(class 1).
    class_names : list of str
    labels : int (n,) or None
        If the file had them.
    """

    probability: FloatArray
    spread: FloatArray
    class_names: list[str]
    labels: NDArray[np.int64] | None = None

    @property
    def answers(self) -> NDArray[np.int64]:
        return (self.probability >= 0.5).astype(np.int64)

    @property
    def accuracy(self) -> float | None:
        """Share of right answers, None without labels."""
        return None if self.labels is None else float((self.answers == self.labels).mean())

    def rows(self) -> Iterator[tuple[str, float, float]]:
        """Class name, probability of class 1 and spread of every point."""
        for answer, p, s in zip(self.answers, self.probability, self.spread, strict=True):
            yield self.class_names[answer], float(p), float(s)

    def values(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "class_names": self.class_names,
            "accuracy": self.accuracy,
            "predictions": [
                {"class": name, "probability": p, "spread": s} for name, p, s in self.rows()
            ],
        }


def predict_file(run: Path, data: Path) -> Predictions:
    """Answers for the rows of a CSV file.

    The run's features are found by the names in the first line, in any order; a label column may
    hold the truth. Raises UsageError naming line and column of what cannot be used.
    """
    predictor = Predictor.of_run(run)
    x, labels = read_table(data, predictor.feature_names, predictor.class_names)
    probability, variance = predictor.predict(x)
    return Predictions(probability, np.sqrt(variance), predictor.class_names, labels)


def read_table(
    path: Path, features: list[str], classes: list[str]
) -> tuple[FloatArray, NDArray[np.int64] | None]:
    """Columns ``features`` of a CSV file, float64 (n, features), and labels if there are any."""
    header, rows = _read_rows(path)
    missing = [name for name in features if name not in header]
    if missing:
        raise UsageError(
            f"{path} has no column {missing[0]!r} ({len(missing)} of the {len(features)} columns "
            "that the run was trained on are missing)"
        )
    x = np.empty((len(rows), len(features)))
    columns = [header.index(name) for name in features]
    for i, (line, row) in enumerate(rows):
        if len(row) != len(header):
            raise UsageError(f"{path}, line {line}: {len(row)} columns, expected {len(header)}")
        for j, column in enumerate(columns):
            x[i, j] = _number(path, line, features[j], row[column])
    lower = [name.lower() for name in header]
    named = [lower.index(name) for name in LABEL_NAMES if name in lower]
    if not named or header[named[0]] in features:
        return x, None
    labels = [_label(path, line, row[named[0]], classes) for line, row in rows]
    return x, np.array(labels, np.int64)


def _read_rows(path: Path) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """Header, and lines that are not blank with their numbers."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file, strict=True)
            rows = [(reader.line_num, [cell.strip() for cell in row]) for row in reader]
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not a text file: give a CSV file in UTF-8") from error
    except csv.Error as error:
        raise UsageError(f"{path} is not a CSV file: {error}") from error
    rows = [(line, row) for line, row in rows if any(row)]
    if len(rows) < 2:
        raise UsageError(f"{path} has no data: give a line with column names and rows of numbers")
    return rows[0][1], rows[1:]


def _number(path: Path, line: int, column: str, cell: str) -> float:
    try:
        value = float(cell)
    except ValueError:
        value = np.nan
    if not np.isfinite(value):
        raise UsageError(f"{path}, line {line}, column {column!r}: {cell!r} is no finite number")
    return value


def _label(path: Path, line: int, cell: str, classes: list[str]) -> int:
    if cell not in classes:
        raise UsageError(f"{path}, line {line}: label {cell!r} is none of {', '.join(classes)}")
    return classes.index(cell)
