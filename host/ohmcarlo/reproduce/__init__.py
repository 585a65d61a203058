"""The paper's figures, one module each: ``ohmcarlo reproduce FIGURE``.

Dalgaty et al., Nature Electronics 4, 151 (2021). Each module has ``make(bench) -> Figure``.
It divides its computation into cells for ``Bench.map``. Cells run on every core, and an interrupted
run resumes with the missing cells.
"""

from .base import Bench, Figure, Goal, Table
from .catalogue import ALL, ENTRIES, maker, select
from .output import reproduce

__all__ = ["ALL", "ENTRIES", "Bench", "Figure", "Goal", "Table", "maker", "reproduce", "select"]
