"""Figure 5, heart arrhythmia, in parts: models, evaluation, five classes, tables, pictures."""

from .figure import make

__all__ = ["make"]
