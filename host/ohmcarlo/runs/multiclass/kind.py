"""The kind of run that tells more than two classes apart."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...boards import Say
from ...pages.content import HtmlPage
from ...tasks import MULTICLASS
from ..config import TrainConfig
from ..rows import Rows
from ..stored import read_evaluation
from . import result, rows
from .experiment import MulticlassExperiment, build_multiclass
from .figures import draw_figures
from .page import multiclass_page
from .predict import MulticlassPredictions, predict_file

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class MulticlassKind:
    """``ShownKind`` of several classes, which consists of a supervised run for each problem."""

    name = MULTICLASS
    result_keys = result.RESULT_KEYS

    def build(self, config: TrainConfig, say: Say) -> MulticlassExperiment:
        return build_multiclass(config, say)

    def title(self, values: Mapping[str, Any]) -> str:
        return rows.model_name(values)

    def rows(self, values: Mapping[str, Any]) -> Rows:
        return rows.result_rows(values)

    def warnings(self, values: Mapping[str, Any]) -> list[str]:
        return rows.result_warnings(values)

    def figures(self, path: Path, values: Mapping[str, Any]) -> dict[str, Figure]:
        return draw_figures(values, read_evaluation(path, result.check_evaluation))

    def page(self, path: Path, values: Mapping[str, Any]) -> HtmlPage:
        return multiclass_page(path, values)

    def predict(self, path: Path, data: Path) -> MulticlassPredictions:
        return predict_file(path, data)
