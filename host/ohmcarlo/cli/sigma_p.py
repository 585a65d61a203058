"""The option ``--sigma-p``."""

from __future__ import annotations

from collections.abc import Sequence

from ..datasets.prior import OTHERS
from ..errors import UsageError
from ..runs.config import AUTO


def read_sigma_p(texts: Sequence[str] | None) -> float | dict[str, float] | str | None:
    """Widths of the prior: ``0.5`` for all weights, ``NAME=0.5`` for one feature or the bias.

    ``0.5`` beside names is the width of all others; ``auto`` stands alone. Raises UsageError for
    any other text.
    """
    if not texts:
        return None
    if list(texts) == [AUTO]:
        return AUTO
    found: dict[str, float] = {}
    for text in texts:
        name, equals, number = text.rpartition("=")
        name = name.strip() if equals else OTHERS
        if name in found:
            which = "all weights" if name == OTHERS else repr(name)
            raise UsageError(f"--sigma-p {text}: the width of {which} is given twice: give it once")
        try:
            found[name] = float(number)
        except ValueError as error:
            raise UsageError(
                f"--sigma-p {text}: give a number, or a feature and a number as in "
                '--sigma-p "mean radius=0.5"'
            ) from error
    return found[OTHERS] if list(found) == [OTHERS] else found
