"""The scripts that draw charts in a browser, as one text.

Vega, Vega-Lite and Vega-Embed come from ``vl_convert``, which needs seconds to bundle them. The
bundle is kept in the user's cache, under the versions that it was made from.
"""

from __future__ import annotations

import functools
import hashlib
import os
import re
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ..errors import OhmcarloError, UsageError
from ..files import write_bytes

DIGEST_BYTES = 64  # of a cached file: the digest of the rest, in hexadecimal digits
ENDS = re.compile(r"<(?=/script|!--)", re.IGNORECASE)


@functools.cache
def bundle() -> str:
    """The scripts; they define ``vega``, ``vegaLite`` and ``vegaEmbed``.

    Raises UsageError, which names what to install, without ``vl_convert``.
    """
    try:
        import vl_convert
    except ImportError as error:
        raise UsageError("pages need vl-convert: pip install 'ohmcarlo[report]'") from error
    path = cache_folder() / f"vega-{version('vl-convert-python')}.js"
    found = _cached(path)
    if found is None:
        found = safe(_bundled(vl_convert))
        _keep(path, found)
    return found


def _bundled(vl_convert: Any) -> str:
    return vl_convert.javascript_bundle()


def cache_folder() -> Path:
    """Where bundles are kept."""
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(root) / "ohmcarlo" / "pages"


def safe(script: str) -> str:
    r"""A script whose text cannot end the element that contains it.

    >>> safe("'</script>'")
    "'\\x3c/script>'"
    """
    return ENDS.sub(r"\\x3c", script).replace("\r\n", "\n").replace("\r", "\n")


def _cached(path: Path) -> str | None:
    """The content of a file in the cache; None if it is missing, unreadable or damaged."""
    try:
        content = path.read_bytes()
    except OSError:
        return None
    digest, script = content[:DIGEST_BYTES], content[DIGEST_BYTES:]
    if digest != hashlib.sha256(script).hexdigest().encode():
        return None
    return script.decode()


def _keep(path: Path, script: str) -> None:
    """Put a script into the cache, unless the cache cannot be written."""
    content = script.encode()
    with suppress(OSError, OhmcarloError):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(path, hashlib.sha256(content).hexdigest().encode() + content)
