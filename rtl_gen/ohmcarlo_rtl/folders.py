"""Folders of results: the user's cache, and errors of writing in plain words."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ohmcarlo.errors import OhmcarloError

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
REFUSED = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST)


def user_cache() -> Path:
    """``ohmcarlo`` in the user's cache folder (``XDG_CACHE_HOME``, else ``~/.cache``)."""
    home = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(home).expanduser() / "ohmcarlo"


@contextmanager
def explained(folder: Path, needed: str, option: str) -> Iterator[None]:
    """Turn a full disk or a refused write below ``folder`` into an OhmcarloError of one line.

    ``needed``: the disk space that the work takes, as "100 MB". ``option``: the command-line option
    that names another folder.
    """
    try:
        yield
    except OSError as error:
        if error.errno in FULL:
            raise full(folder, needed, option) from error
        if error.errno in REFUSED:
            raise OhmcarloError(
                f"{error.filename or folder} cannot be written ({error.strerror}): give another "
                f"folder with {option}"
            ) from error
        raise


def full(folder: Path, needed: str, option: str) -> OhmcarloError:
    return OhmcarloError(
        f"the disk of {folder} is full: make room for {needed}, or give another folder with "
        f"{option}"
    )
