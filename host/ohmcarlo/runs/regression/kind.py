"""The regression kind of run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from ...boards import Block, Say
from ...pages.content import HtmlPage
from ...tasks import REGRESSION
from ..config import TrainConfig
from ..rows import Rows
from ..stored import read_trace
from . import result, rows
from .experiment import RegressionExperiment, build_regression
from .figures import draw_figures
from .page import regression_page
from .predict import NumberPredictions, RegressionPredictor, predict_numbers

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class RegressionKind:
    """``RunKind`` of Bayesian linear regression."""

    name = REGRESSION
    result_keys = result.RESULT_KEYS

    def build(self, config: TrainConfig, say: Say) -> RegressionExperiment:
        return build_regression(config, say)

    def evaluate(
        self, experiment: RegressionExperiment, streamed: Block, seconds: float
    ) -> result.RegressionResult:
        return result.evaluate_regression(experiment, streamed, seconds)

    def check_evaluation(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        result.check_evaluation(arrays)

    def title(self, values: Mapping[str, Any]) -> str:
        return rows.model_name(values)

    def rows(self, values: Mapping[str, Any]) -> Rows:
        return rows.result_rows(values)

    def warnings(self, values: Mapping[str, Any]) -> list[str]:
        return rows.result_warnings(values)

    def figures(self, path: Path, values: Mapping[str, Any]) -> dict[str, Figure]:
        return draw_figures(values, read_trace(path), RegressionPredictor.of_run(path))

    def page(self, path: Path, values: Mapping[str, Any]) -> HtmlPage:
        return regression_page(path, values)

    def predict(self, path: Path, data: Path) -> NumberPredictions:
        return predict_numbers(path, data)
