"""Figure 2, in parts: cells, tables, picture."""

from .figure import make

__all__ = ["make"]
