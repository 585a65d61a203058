"""Digest of the package, so that results of other sources are not reused."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).parents[1]
SUFFIXES = {".py", ".json", ".csv", ".va"}
"""Of the files that results may depend on."""


@cache
def sources_digest() -> str:
    """Digest of the sources and the data of the package: 16 hexadecimal digits."""
    digest = hashlib.sha256()
    for path in sorted(path for path in PACKAGE.rglob("*") if path.suffix in SUFFIXES):
        digest.update(str(path.relative_to(PACKAGE)).encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]
