"""Energy of a training, in parts: cells, what they cost, tables, pictures."""

from .figure import make

__all__ = ["make"]
