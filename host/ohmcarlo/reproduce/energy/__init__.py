"""Energy of a training, in parts: cells, their cost, tables, pictures."""

from .figure import make

__all__ = ["make"]
