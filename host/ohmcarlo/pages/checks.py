"""What is checked before a page is made, so that no work is lost."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from ..errors import UsageError
from ..files import check_file

NEEDED = ("altair", "vl_convert", "jinja2")


def check_page(path: Path) -> None:
    """Raise UsageError if a page cannot be made or ``path`` is no place for it, OhmcarloError if it
    may not be written."""
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        raise UsageError(f"a page needs {', '.join(missing)}: pip install 'ohmcarlo[report]'")
    check_file(path)
