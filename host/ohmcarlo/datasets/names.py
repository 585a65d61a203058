"""The error for an unknown name."""

from __future__ import annotations

from collections.abc import Iterable

from ..errors import UsageError
from ..readable import did_you_mean


def unknown(kind: str, name: str, known: Iterable[str], otherwise: str = "") -> UsageError:
    """An error with the most similar name, and with all names."""
    known = list(known)
    guess = did_you_mean(name, {each: each for each in known})
    return UsageError(
        f"{kind} {name!r} is unknown{guess}: choose one of {', '.join(known)}"
        + (f", {otherwise}" if otherwise else "")
    )
