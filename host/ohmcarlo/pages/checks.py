"""What is checked before a page is made, so that no work is lost."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from ..errors import UsageError
from ..files import check_file

NEEDED = ("altair", "vl_convert", "jinja2")


def check_page(path: Path) -> None:
    """Raise UsageError if a page cannot be made or ``path`` is no place for it, OhmcarloError if it
    may not be written."""
    if missing := not_installed(NEEDED):
        raise UsageError(f"a page needs {', '.join(missing)}: pip install 'ohmcarlo[report]'")
    check_file(path)


def not_installed(packages: Sequence[str]) -> list[str]:
    """Those of the packages that cannot be found; none is imported, which takes long."""
    return [name for name in packages if not _installed(name)]


def _installed(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except (ImportError, ValueError):  # ValueError: a name that ``sys.modules`` holds as None
        return False
