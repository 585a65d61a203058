"""The error for an unknown name."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from ..errors import UsageError


def unknown(kind: str, name: str, known: Iterable[str], otherwise: str = "") -> UsageError:
    """An error with the most similar name, and with all names."""
    known = list(known)
    close = get_close_matches(name, known, n=2, cutoff=0.5)
    guess = f" (did you mean {' or '.join(close)}?)" if close else ""
    return UsageError(
        f"{kind} {name!r} is unknown{guess}: choose one of {', '.join(known)}"
        + (f", {otherwise}" if otherwise else "")
    )
