"""Whether a label column holds classes or numbers to predict."""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import UsageError

MOST_CLASSES = 20
"""A label with more distinct values is not taken for a class without being told."""
RULE = (
    f"a label is a number where more than {MOST_CLASSES} distinct values occur, some of them not "
    f"whole numbers; text, two distinct values and up to {MOST_CLASSES} whole numbers are classes"
)


def is_number(cells: Sequence[str], values: Sequence[float | None], where: str) -> bool:
    """Whether a label is a number to predict rather than a class, by ``RULE``.

    ``cells`` are the labels as text, ``values`` the number in each, None where there is none;
    ``where`` names the column. Raises UsageError, with advice, where the rule does not decide.
    """
    numbers = [value for value in values if value is not None]
    distinct = len(set(numbers))
    if len(numbers) < len(cells) or distinct <= 2:
        return False
    many, whole = distinct > MOST_CLASSES, all(value == int(value) for value in numbers)
    if many == whole:
        kind = "whole numbers" if whole else "numbers"
        raise UsageError(
            f"{where}: {distinct} distinct {kind} can be classes or numbers to predict: pass "
            "--regression to predict the number, --no-regression for classes"
        )
    return many
