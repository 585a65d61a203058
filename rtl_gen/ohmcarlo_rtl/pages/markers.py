"""Tables of Markdown pages that are written by code, between marker lines."""

from __future__ import annotations

import re
from collections.abc import Mapping

from ohmcarlo.errors import OhmcarloError

_TABLE = re.compile(r"<!-- table (\w+) -->\n.*?<!-- end -->", re.S)


def renewed(text: str, tables: Mapping[str, str]) -> str:
    """``text`` with each table between ``<!-- table NAME -->`` and ``<!-- end -->`` replaced.

    Raises OhmcarloError if the page lacks one of ``tables``, or has a marker that ``tables`` lacks.
    """
    names = [match[1] for match in _TABLE.finditer(text)]
    if sorted(names) != sorted(tables):
        raise OhmcarloError(f"the page has the tables {sorted(names)}, not {sorted(tables)}")
    return _TABLE.sub(lambda m: f"<!-- table {m[1]} -->\n{tables[m[1]]}\n<!-- end -->", text)
