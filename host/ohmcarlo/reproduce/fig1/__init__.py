"""Figure 1, in parts: strategies, their cells and table, pictures."""

from .figure import make

__all__ = ["make"]
