"""Data that cannot be shipped with the package: search and download.

A data set is looked for in the folder that the environment variable OHMCARLO_DATA names, then in
the cache of the user, where ``fetch`` puts it. Its SHA-256 must be the published one in both
places.
"""

from __future__ import annotations

import csv
import hashlib
import os
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from ..errors import OhmcarloError, UsageError
from ..progress import phase, tracked
from .names import unknown

DATA_VARIABLE = "OHMCARLO_DATA"
TIMEOUT_S = 60
UCI = "https://archive.ics.uci.edu/ml/machine-learning-databases/breast-cancer-wisconsin/"
RADAR = (
    "https://raw.githubusercontent.com/akashlevy/RRAM-RADAR-Tuning/"
    "5038af308a4bf0d8ca233f9699f31019d6580985/exptdata/sweeps/data/"
)
PHYSIONET = "https://physionet.org/files/mitdb/1.0.0/"


@dataclass(frozen=True)
class Source:
    """Files of one data set.

    Attributes
    ----------
    folder : str
        Folder under OHMCARLO_DATA, and under the cache.
    url : str
        Address of the folder that holds the files.
    digests : dict of str to str
        SHA-256 of every file, hexadecimal.
    description : str
        One line, with the licence.
    """

    folder: str
    url: str
    digests: dict[str, str]
    description: str

    def path(self, base: Path) -> Path:
        """The result of ``find`` and ``fetch``: the file, or the folder of several files."""
        folder = base / self.folder
        return folder / next(iter(self.digests)) if len(self.digests) == 1 else folder


def _listed(resource: str) -> dict[str, str]:
    text = resources.files(__package__).joinpath(resource).read_text(encoding="ascii")
    return {row["file"]: row["sha256"] for row in csv.DictReader(text.splitlines())}


WBC, SWEEP, MITDB = "breast-cancer-original", "rram-set-sweep", "mitdb"
SOURCES: dict[str, Source] = {
    WBC: Source(
        folder="wbc-original",
        url=UCI,
        # the digest that several public projects pin for this address
        digests={
            "breast-cancer-wisconsin.data": (
                "402c585309c399237740f635ef9919dc512cca12cbeb20de5e563a4593f22b64"
            )
        },
        description="Breast Cancer Wisconsin (Original), UCI; CC BY 4.0",
    ),
    SWEEP: Source(
        folder="rram-set-sweep",
        url=RADAR,
        digests={
            "set-sweep-wl-inner-5-31-20.csv": (
                "29726a06fb35b2e7c0fa624b972eaa1fc9d9339b0fc8f0341b0ca7536ed280cc"
            )
        },
        description="SET sweeps of 50 RRAM cells (doi 10.1109/TED.2021.3097975); no licence file",
    ),
    MITDB: Source(
        folder="mitdb",
        url=PHYSIONET,
        digests=_listed("mitdb_sha256.csv"),  # as in PhysioNet's SHA256SUMS.txt
        description="MIT-BIH Arrhythmia Database 1.0.0, PhysioNet, 48 records (90 MB); ODC-By 1.0",
    ),
}


def cache_folder() -> Path:
    """The cache folder for fetched data."""
    import pooch

    return Path(pooch.os_cache("ohmcarlo"))


def find(name: str) -> Path:
    """Path of a data set on this machine: its file, or its folder if it has several files.

    Raises UsageError with advice if it is missing, OhmcarloError if a file is damaged.
    """
    source = _source(name)
    found = _present(source)
    if found is None:
        raise UsageError(
            f"the data set {name!r} is not on this machine: run `ohmcarlo data fetch {name}`, or "
            f"put {_what(source)} into a folder {source.folder!r} under the one that "
            f"{DATA_VARIABLE} names"
        )
    return found


def fetch(name: str) -> Path:
    """Like ``find``, but downloads a missing data set into the cache.

    Raises UsageError for an unknown name, OhmcarloError without a connection, if the cache cannot
    be written, or if a file is not the published one.
    """
    source = _source(name)
    found = _present(source)
    if found is not None:
        return found
    base = cache_folder()
    files = tracked(source.digests.items(), len(source.digests), f"downloading {name}", "files")
    for file, digest in files:
        with phase(f"downloading {file}"):
            _download(name, source, file, digest, base / source.folder)
    return source.path(base)


def _source(name: str) -> Source:
    if name not in SOURCES:
        raise unknown("data set", name, SOURCES)
    return SOURCES[name]


def _what(source: Source) -> str:
    if len(source.digests) == 1:
        return f"{next(iter(source.digests))} (from {source.url})"
    return f"the {len(source.digests)} files of {source.url}"


def _present(source: Source) -> Path | None:
    """The first folder with all files. They must be the published ones."""
    for base in _bases():
        files = {base / source.folder / file: digest for file, digest in source.digests.items()}
        if all(file.is_file() for file in files):
            for file, digest in files.items():
                _check(file, digest)
            return source.path(base)
    return None


def _bases() -> list[Path]:
    named = os.environ.get(DATA_VARIABLE)
    return [*([Path(named)] if named else []), cache_folder()]


def _check(file: Path, digest: str) -> None:
    try:
        with file.open("rb") as stream:
            got = hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise OhmcarloError(f"cannot read {file}: {error.strerror}") from error
    if got != digest:
        raise OhmcarloError(
            f"{file} is not the published file (SHA-256 {got[:12]}…, expected {digest[:12]}…): "
            "remove it and run `ohmcarlo data fetch` again"
        )


def _download(name: str, source: Source, file: str, digest: str, folder: Path) -> None:
    """Fetch one file. A damaged file is not kept."""
    import pooch

    pooch.get_logger().setLevel("WARNING")
    try:
        pooch.retrieve(
            url=source.url + file,
            known_hash=f"sha256:{digest}",
            fname=file,
            path=folder,
            downloader=pooch.HTTPDownloader(timeout=TIMEOUT_S),
        )
    except OSError as error:
        # network errors of requests and the PermissionError of pooch have no errno
        if error.errno is not None or isinstance(error, PermissionError):
            why = error.strerror or "permission denied"
            raise OhmcarloError(f"cannot write {folder / file}: {why}") from error
        raise OhmcarloError(
            f"cannot download {source.url}{file} ({type(error).__name__}): check the connection, "
            f"or copy the data into a folder {source.folder!r} under the one that "
            f"{DATA_VARIABLE} names"
        ) from error
    except ValueError as error:  # pooch raises it if the digest differs
        raise OhmcarloError(
            f"{source.url}{file} is not the published file (SHA-256 differs from "
            f"{digest[:12]}…): try again later, or get {name} elsewhere and put it under "
            f"{DATA_VARIABLE}"
        ) from error
