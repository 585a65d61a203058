"""Data sets, known by name or read from a CSV file, and their encoding to int8."""

from __future__ import annotations

from pathlib import Path

from ..progress import phase
from .base import Dataset as Dataset
from .base import GroupSplit as GroupSplit
from .base import split_half as split_half
from .builtin import BUILTIN
from .csvfile import load_csv as load_csv
from .encode import Encoder as Encoder
from .encode import hardest_first as hardest_first
from .names import unknown


def is_path(name: str | Path) -> bool:
    """Whether a name means a file: it has the form of a path, or the file exists."""
    path = Path(name)
    return bool(path.suffix) or len(path.parts) > 1 or path.exists()


def load(
    name_or_path: str | Path,
    label: str | None = None,
    regression: bool | None = None,
    drop: tuple[str, ...] = (),
    positive: str | None = None,
) -> Dataset:
    """A data set known by name, or a CSV file (``load_csv`` has the rules for its columns).

    ``label`` names the label column of a CSV file; ``regression`` decides whether it holds numbers
    or classes (None: by ``labels.RULE``); ``drop`` names columns to leave out, ``positive`` the
    class of two that is 1.

    Raises
    ------
    UsageError
        In one line, for an unknown name or a file that cannot be used.

    Examples
    --------
    >>> from ohmcarlo.datasets import load
    >>> data = load("breast-cancer")
    >>> data.x.shape, data.class_names
    ((569, 30), ('benign', 'malignant'))
    """
    if isinstance(name_or_path, str) and name_or_path in BUILTIN:
        with phase(f"reading {name_or_path}"):
            return BUILTIN[name_or_path]()
    if is_path(name_or_path):
        with phase(f"reading {name_or_path}"):
            return load_csv(Path(name_or_path), label, regression, drop, positive)
    raise unknown("data set", str(name_or_path), [*BUILTIN], "or give a CSV file")
