"""Wake-up by doubt, in parts: cells, sweep of thresholds, host, costs, tables, pictures."""

from .figure import make

__all__ = ["make"]
