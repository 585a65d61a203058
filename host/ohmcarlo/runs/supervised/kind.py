"""The supervised kind of run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from ...boards import Block, Say
from ...pages.content import HtmlPage
from ...tasks import SUPERVISED
from ..config import TrainConfig
from ..rows import Rows
from ..stored import read_trace
from . import result, rows
from .experiment import SupervisedExperiment, build_supervised
from .figures import draw_figures
from .page import supervised_page
from .predict import ClassPredictions, Predictor, predict_file

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class SupervisedKind:
    """``RunKind`` of Bayesian logistic regression and two-layer networks."""

    name = SUPERVISED
    result_keys = result.RESULT_KEYS

    def build(self, config: TrainConfig, say: Say) -> SupervisedExperiment:
        return build_supervised(config, say)

    def evaluate(
        self, experiment: SupervisedExperiment, streamed: Block, seconds: float
    ) -> result.SupervisedResult:
        return result.evaluate_supervised(experiment, streamed, seconds)

    def check_evaluation(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        result.check_evaluation(arrays)

    def title(self, values: Mapping[str, Any]) -> str:
        return rows.model_name(values)

    def rows(self, values: Mapping[str, Any]) -> Rows:
        return rows.result_rows(values)

    def warnings(self, values: Mapping[str, Any]) -> list[str]:
        return rows.result_warnings(values)

    def figures(self, path: Path, values: Mapping[str, Any]) -> dict[str, Figure]:
        return draw_figures(values, read_trace(path), Predictor.of_run(path))

    def page(self, path: Path, values: Mapping[str, Any]) -> HtmlPage:
        return supervised_page(path, values)

    def predict(self, path: Path, data: Path) -> ClassPredictions:
        return predict_file(path, data)
