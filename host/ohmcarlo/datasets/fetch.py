"""Files that cannot ship: where they are, and how they are fetched with their checksum."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import pooch

from ..errors import OhmcarloError, UsageError

PHYSIONET = "https://physionet.org/files/mitdb/1.0.0/"
MITDB_RECORDS = (
    *range(100, 110), *range(111, 120), *range(121, 125), *range(200, 204), 205,
    *range(207, 211), *range(212, 216), 217, *range(219, 224), 228, *range(230, 235),
)  # fmt: skip
CHUNK = 1 << 20


@dataclass(frozen=True)
class Source:
    """A set of files under one folder name.

    Attributes
    ----------
    folder : str
        Name of the folder, in OHMCARLO_DATA as well as in the cache.
    url : str
        Base address; file names are appended.
    files : dict
        File name → SHA-256, or None where ``checksums`` (a file of the set) lists it.
    licence : str
    checksums : str or None
        A file of the set that holds the digests of the others, as ``sha256sum`` prints them.
    """

    folder: str
    url: str
    files: dict[str, str | None]
    licence: str
    checksums: str | None = None


SOURCES = {
    "breast-cancer-original": Source(
        "wbc-original",
        "https://archive.ics.uci.edu/ml/machine-learning-databases/breast-cancer-wisconsin/",
        {
            "breast-cancer-wisconsin.data": (
                "402c585309c399237740f635ef9919dc512cca12cbeb20de5e563a4593f22b64"
            )
        },
        "CC BY 4.0, doi 10.24432/C5HP4Z",
    ),
    "rram-set-sweep": Source(
        "rram-set-sweep",
        "https://raw.githubusercontent.com/akashlevy/RRAM-RADAR-Tuning/"
        "5038af308a4bf0d8ca233f9699f31019d6580985/exptdata/sweeps/data/",
        {
            "set-sweep-wl-inner-5-31-20.csv": (
                "29726a06fb35b2e7c0fa624b972eaa1fc9d9339b0fc8f0341b0ca7536ed280cc"
            )
        },
        "no licence stated: for your own fitting and checking; doi 10.1109/TED.2021.3097975",
    ),
    "mitdb": Source(
        "mitdb",
        PHYSIONET,
        {
            "SHA256SUMS.txt": "b61158a96d5f2ca80edfb354a9a66a6324836c390a84e1966dcee2b907d6be43",
            **{f"{r}.{e}": None for r in MITDB_RECORDS for e in ("hea", "dat", "atr")},
        },
        "ODC-By 1.0, doi 10.13026/C2F305",
        "SHA256SUMS.txt",
    ),
}


def source(name: str) -> Source:
    """Raises UsageError, with the names that exist."""
    if name not in SOURCES:
        raise UsageError(f"no data set {name!r} to fetch: choose {', '.join(SOURCES)}")
    return SOURCES[name]


def cache_folder() -> Path:
    """Where fetched files are kept."""
    return Path(pooch.os_cache("ohmcarlo"))


def find(name: str) -> Path | None:
    """The folder that holds all files of ``name``: in OHMCARLO_DATA, then in the cache."""
    wanted = source(name)
    roots = [cache_folder()]
    if os.environ.get("OHMCARLO_DATA"):
        roots.insert(0, Path(os.environ["OHMCARLO_DATA"]))
    for root in roots:
        folder = root / wanted.folder
        if all((folder / file).is_file() for file in wanted.files):
            return folder
    return None


def require(name: str) -> Path:
    """``find``, or a UsageError that says how to get the files."""
    found = find(name)
    if found is None:
        raise UsageError(
            f"the data of {name} are not here: run `ohmcarlo data fetch {name}`, or set "
            f"OHMCARLO_DATA to a folder that holds {source(name).folder}/"
        )
    return found


def fetch(name: str) -> Path:
    """Find or download the files of ``name``, check their SHA-256, and return their folder.

    Raises OhmcarloError when a file cannot be reached or is not what it should be; a file that
    failed its check is not kept.
    """
    wanted = source(name)
    folder = find(name) or cache_folder() / wanted.folder
    digests = dict(wanted.files)
    if wanted.checksums is not None:
        _retrieve(wanted, wanted.checksums, digests[wanted.checksums], folder)
        listed = (folder / wanted.checksums).read_text().split()
        digests |= {
            file: digest
            for digest, file in zip(listed[::2], listed[1::2], strict=True)
            if file in digests
        }
    for file, digest in digests.items():
        _retrieve(wanted, file, digest, folder)
    return folder


def _retrieve(wanted: Source, file: str, digest: str | None, folder: Path) -> None:
    try:
        pooch.retrieve(
            wanted.url + file, f"sha256:{digest}", fname=file, path=folder, progressbar=False
        )
    except ValueError as error:
        raise OhmcarloError(
            f"{file} from {wanted.url} is not what it should be (its SHA-256 differs): "
            "nothing was kept; try again, or get it by hand"
        ) from error
    except Exception as error:  # pooch lets the errors of its transport through, of many kinds
        raise OhmcarloError(
            f"cannot fetch {file} from {wanted.url}: {type(error).__name__}; check the network, "
            f"or put the files into a folder {wanted.folder}/ and set OHMCARLO_DATA to its parent"
        ) from error
