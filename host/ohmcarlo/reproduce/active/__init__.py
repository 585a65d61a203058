"""Learning from few labels, in parts: pools, learners, curves, tables, pictures."""

from .figure import make

__all__ = ["make"]
