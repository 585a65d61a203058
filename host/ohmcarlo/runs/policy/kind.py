"""The policy kind of run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from ...boards import Block, Say
from ...errors import UsageError
from ...pages.content import HtmlPage
from ...tasks import POLICY
from ..config import TrainConfig
from ..kind import Predictions
from ..rows import Rows
from ..stored import read_evaluation, read_trace
from . import result, rows
from .experiment import PolicyExperiment, build_policy
from .figures import draw_policy_figures
from .page import MODEL, policy_page

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class PolicyKind:
    """``RunKind`` of a linear policy."""

    name = POLICY
    result_keys = result.RESULT_KEYS

    def build(self, config: TrainConfig, say: Say) -> PolicyExperiment:
        return build_policy(config, say)

    def evaluate(
        self, experiment: PolicyExperiment, streamed: Block, seconds: float
    ) -> result.PolicyResult:
        return result.evaluate_policy(experiment, streamed, seconds)

    def check_evaluation(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        result.check_evaluation(arrays)

    def title(self, values: Mapping[str, Any]) -> str:
        return MODEL

    def rows(self, values: Mapping[str, Any]) -> Rows:
        return rows.policy_rows(values)

    def warnings(self, values: Mapping[str, Any]) -> list[str]:
        return rows.policy_warnings(values)

    def figures(self, path: Path, values: Mapping[str, Any]) -> dict[str, Figure]:
        evaluation = read_evaluation(path, result.check_evaluation)
        return draw_policy_figures(values, read_trace(path), evaluation)

    def page(self, path: Path, values: Mapping[str, Any]) -> HtmlPage:
        return policy_page(path, values)

    def predict(self, path: Path, data: Path) -> Predictions:
        raise UsageError(f"the run in {path} learnt a policy: it makes no predictions for data")
