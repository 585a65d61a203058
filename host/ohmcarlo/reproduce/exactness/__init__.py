"""The sampled posterior against NUTS: seven problems, three arrays."""

from .figure import make

__all__ = ["make"]
