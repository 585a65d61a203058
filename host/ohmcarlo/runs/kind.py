"""The protocol of a kind of run: supervised learning, learning a policy.

The rest of the program handles every run through this protocol. A new kind is a package beside
``supervised`` and ``policy`` and an entry in ``kinds``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from numpy.typing import NDArray

from ..boards import Block, Say
from ..pages.content import HtmlPage
from .config import TrainConfig
from .live_notes import WeightMap
from .rows import Rows
from .setup import ChainSetup
from .trace import Trace

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Experiment(Protocol):
    """The inputs of a run: the set-up of its chains, and the data that it learns from."""

    @property
    def setup(self) -> ChainSetup: ...

    def description(self) -> list[str]:
        """Lines of text that describe the run."""
        ...

    def manifest(self) -> dict[str, Any]:
        """The part of the manifest that identifies configuration and data."""
        ...

    def inputs(self) -> dict[str, str]:
        """SHA-256 of all inputs, by name."""
        ...

    def after(self, setup: ChainSetup) -> Any:
        """The experiment with the set-up whose chain has sampled; an adaptation changes it."""
        ...

    def weight_map(self, setup: ChainSetup) -> WeightMap:
        """How the weights of the sampling chain follow from its codes, while it runs."""
        ...

    def close(self) -> None:
        """Release the board."""
        ...


class RunResult(Protocol):
    """The result of a run, for its files."""

    @property
    def values(self) -> dict[str, Any]:
        """Content of the JSON file."""
        ...

    @property
    def trace(self) -> Trace: ...

    @property
    def posterior(self) -> bytes:
        """NetCDF file."""
        ...

    def evaluation(self) -> dict[str, NDArray[Any]]:
        """The arrays that pictures need beside the trace."""
        ...


class Predictions(Protocol):
    """Answers for new data, as the command line writes them."""

    @property
    def header(self) -> Sequence[str]: ...

    def table(self) -> list[list[str]]:
        """Cells under ``header``, a row for every point."""
        ...

    def notes(self) -> list[str]:
        """Lines of text: the meaning of the columns, accuracy, extrapolated rows."""
        ...

    def values(self) -> dict[str, Any]:
        """Content of the JSON file."""
        ...


E = TypeVar("E", bound=Experiment)
R_co = TypeVar("R_co", bound=RunResult, covariant=True)


class ShownKind(Protocol):
    """How complete runs of one kind are shown and used."""

    @property
    def name(self) -> str:
        """As in ``Task.kind``."""
        ...

    @property
    def result_keys(self) -> Sequence[str]:
        """Keys that the result of a complete run must have."""
        ...

    def title(self, values: Mapping[str, Any]) -> str:
        """The model of a run, in a few words; ``values`` are those of its result."""
        ...

    def rows(self, values: Mapping[str, Any]) -> Rows:
        """The result as a table."""
        ...

    def warnings(self, values: Mapping[str, Any]) -> list[str]:
        """Warnings about conclusions that the result does not support, with a remedy each."""
        ...

    def figures(self, path: Path, values: Mapping[str, Any]) -> dict[str, Figure]:
        """Pictures of the complete run in ``path``, by name."""
        ...

    def page(self, path: Path, values: Mapping[str, Any]) -> HtmlPage:
        """The HTML page of the complete run in ``path``; UsageError without the extra
        ``report``."""
        ...

    def predict(self, path: Path, data: Path) -> Predictions:
        """Answers of the complete run in ``path`` for a CSV file; UsageError if the kind has
        none."""
        ...


class RunKind(ShownKind, Protocol[E, R_co]):
    """How runs of one kind are built, evaluated, shown and used; a run has one set of chains."""

    def build(self, config: TrainConfig, say: Say) -> E:
        """Set up a run with this configuration; close the result after use."""
        ...

    def evaluate(self, experiment: E, streamed: Block, seconds: float) -> R_co:
        """The result of a run whose last step is made."""
        ...

    def check_evaluation(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Raise KeyError or ValueError unless ``arrays`` are those of an ``evaluation``."""
        ...
