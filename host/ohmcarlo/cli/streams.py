"""Standard streams that cannot write every character, such as those of an ASCII terminal."""

from __future__ import annotations

import codecs
import io
import sys

PLAIN = "ohmcarlo-plain"
"""Name of the error handler of the standard streams."""
SUBSTITUTES = {
    "µ": "u", "Ω": "Ohm", "σ": "sigma", "ρ": "rho", "γ": "gamma", "τ": "tau", "χ": "chi",
    "Σ": "sum", "√": "sqrt", "×": "x", "·": "-", "±": "+/-", "−": "-", "–": "-", "—": "-",
    "…": "...", "→": "->", "←": "<-", "≤": "<=", "≥": ">=", "≈": "~", "²": "^2", "³": "^3",
    "°": " deg", "•": "*", "’": "'", "“": '"', "”": '"',
}  # fmt: skip
"""ASCII for the symbols of tables and messages."""


def _plain(error: UnicodeError) -> tuple[str, int]:
    """Substitutes for symbols, Python's escapes for the characters of names and data."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = error.object[error.start : error.end]
    shown = (
        SUBSTITUTES.get(character) or character.encode("ascii", "backslashreplace").decode()
        for character in text
    )
    return "".join(shown), error.end


codecs.register_error(PLAIN, _plain)


def replace_what_cannot_be_written() -> None:
    """From now on, no character that a standard stream lacks is an error."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=PLAIN)


def writable(text: str) -> bool:
    """Whether standard output can write every character of ``text``."""
    try:
        text.encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        return False
    return True


def write_data(text: str) -> None:
    """Write a file's text to standard output: in UTF-8, as the file would be, unless somebody
    reads it on a terminal."""
    if sys.stdout.isatty() or not isinstance(sys.stdout, io.TextIOWrapper):
        print(text, end="")
        return
    sys.stdout.flush()
    sys.stdout.buffer.write(text.encode("utf-8", "surrogateescape"))
    sys.stdout.flush()
