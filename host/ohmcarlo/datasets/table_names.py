"""The columns of a table by their names."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence

from ..errors import UsageError
from ..readable import did_you_mean, first_few
from ..tables import Table

GAPS = re.compile(r"[\s_]+")


def column_of(table: Table, name: str) -> int | None:
    """The column with this name, in any case where only one column has it then; None without one.

    Raises UsageError if two columns have the name.
    """
    exact = [c for c, known in enumerate(table.header) if known == name]
    if len(exact) > 1:
        raise second_column(table, exact[1])
    if exact:
        return exact[0]
    alike = [c for c, known in enumerate(table.header) if _spelling(known) == _spelling(name)]
    return alike[0] if len(alike) == 1 else None


def named_column(table: Table, name: str, option: str) -> int:
    """``column_of``; UsageError, with similar names, if there is no such column."""
    found = column_of(table, name)
    if found is not None:
        return found
    names = [known for known in table.header if known]
    guess = did_you_mean(name.lower(), {known.lower(): known for known in names}, 0.6)
    raise UsageError(
        f"{table.path} has no column {name!r}{guess}: its columns are {first_few(names)}; "
        f"{option} takes one of them"
    )


def second_column(table: Table, column: int) -> UsageError:
    """The error about a name that another column has, too."""
    name = table.header[column]
    return table.header_error(column, f"a second column is called {name!r}; rename one of them")


def option(flag: str, names: Sequence[str]) -> str:
    """An option of the command line with names of columns, to be copied into a shell.

    >>> option("--drop", ["id", "mean radius"])
    "--drop 'id,mean radius'"
    """
    if any("," in name for name in names):
        return " ".join(f"{flag} {shlex.quote(name)}" for name in names)
    return f"{flag} {shlex.quote(','.join(names))}"


def _spelling(name: str) -> str:
    return GAPS.sub(" ", name.strip().lower())
