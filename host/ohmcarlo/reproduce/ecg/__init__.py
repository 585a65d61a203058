"""Figure 5, heart arrhythmia, in parts: models, judging, five classes, tables, pictures."""

from .figure import make

__all__ = ["make"]
