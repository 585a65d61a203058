"""MIT-BIH: ventricular against normal beats, with different patients for training and test.

The classes are those of AAMI EC57; training and test patients are those of de Chazal, O'Dwyer and
Reilly, IEEE Trans. Biomed. Eng. 51, 1196 (2004), doi 10.1109/TBME.2004.827359: DS1 and DS2, without
the four paced records. Records 201 (DS1) and 202 (DS2) are the same person (mitdbdir/intro.htm of
the database), so 201 is left out here and no patient is on both sides.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import OhmcarloError, UsageError
from . import beats
from .base import Dataset, GroupSplit
from .fetch import MITDB, SOURCES, cache_folder, find

# AAMI EC57: annotation codes of each class
AAMI = {"N": "NLRej", "S": "AaJS", "V": "VE", "F": "F", "Q": "/fQ"}
CLASSES = tuple(AAMI)
CLASS_OF = {code: name for name, codes in AAMI.items() for code in codes}
CLASS_NAMES = {
    "N": "normal",
    "S": "supraventricular",
    "V": "ventricular",
    "F": "fusion",
    "Q": "unknown",
}
DS1 = (
    101, 106, 108, 109, 112, 114, 115, 116, 118, 119, 122,
    124, 201, 203, 205, 207, 208, 209, 215, 220, 223, 230,
)  # fmt: skip
DS2 = (
    100, 103, 105, 111, 113, 117, 121, 123, 200, 202, 210,
    212, 213, 214, 219, 221, 222, 228, 231, 232, 233, 234,
)  # fmt: skip
PACED = (102, 104, 107, 217)
TWICE = 201  # the person of 202, which is in DS2
FIRST_LEAD = "MLII"  # in record 114 it is the second one
RATE_HZ = 360
PER_CLASS = 200


@dataclass(frozen=True, eq=False)
class BeatTable:
    """Every beat of the 44 records without a pacemaker.

    Attributes
    ----------
    x : float64 (n, features)
        As ``beats.FEATURES``.
    classes : str (n,)
        AAMI class of each, out of CLASSES.
    records : int64 (n,)
        Number of the record of each beat.
    samples : int64 (n,)
        Sample number in the record.
    """

    x: NDArray[np.float64]
    classes: NDArray[np.str_]
    records: NDArray[np.int64]
    samples: NDArray[np.int64]

    def among(self, records: Sequence[int], classes: str) -> NDArray[np.bool_]:
        """Beats of some records and classes (one letter each): bool (n,)."""
        return np.isin(self.records, records) & np.isin(self.classes, list(classes))


def training_records() -> tuple[int, ...]:
    """DS1 without the patient who is also in DS2."""
    return tuple(record for record in DS1 if record != TWICE)


def ventricular() -> Dataset:
    """Ventricular ectopic beats (V, class 1) against normal ones (N) of the same two leads."""
    table = beat_table()
    kept = table.among((*DS1, *DS2), "NV")
    records = table.records[kept]
    return Dataset(
        name="ecg",
        x=table.x[kept],
        y=(table.classes[kept] == "V").astype(np.int64),
        feature_names=beats.FEATURES,
        class_names=(CLASS_NAMES["N"], CLASS_NAMES["V"]),
        description="MIT-BIH: did a heart beat begin in a ventricle? rhythm and shape of a beat",
        source="Moody, Mark 2001; doi 10.13026/C2F305, ODC-By 1.0; PhysioNet",
        own_split=patient_split(records),
    )


def patient_split(records: NDArray[np.int64], per_class: int = PER_CLASS) -> GroupSplit:
    """Training beats out of DS1, all of DS2 held out: int64 (n,), the record of each beat."""
    return GroupSplit(
        groups=records,
        train=np.isin(records, training_records()),
        test=np.isin(records, DS2),
        per_class=per_class,
    )


# -- the table, and where it is kept -----------------------------------------------------------


@cache
def beat_table() -> BeatTable:
    """All beats with their features: from the user's cache, else extracted (half a minute).

    Raises UsageError if the records or the package that reads them are missing.
    """
    kept = cache_folder() / f"ecg-{table_digest()}.npz"
    found = _load(kept)
    if found is None:
        found = extract()
        _keep(kept, found)
    return found


def table_digest() -> str:
    """Digest of everything that the table depends on: the data and the extracting code."""
    digest = hashlib.sha256()
    for file, published in sorted(SOURCES[MITDB].digests.items()):
        digest.update(f"{file} {published}\n".encode())
    for source in (Path(__file__), Path(beats.__file__)):
        digest.update(source.read_bytes())
    return digest.hexdigest()[:16]


def extract() -> BeatTable:
    """Read every record and take the features of its beats."""
    folder = find(MITDB)
    x, classes, records, samples = [], [], [], []
    for record in sorted((*DS1, *DS2)):
        recording, found = read_record(record, folder)
        x.append(beats.features(recording))
        classes.append(found)
        records.append(np.full(len(found), record))
        samples.append(recording.beats)
    return BeatTable(*(np.concatenate(parts) for parts in (x, classes, records, samples)))


def read_record(
    record: int, folder: Path | None = None
) -> tuple[beats.Recording, NDArray[np.str_]]:
    """A record, MLII first, and the AAMI class of each of its beats, str (b,).

    Marks other than beats (rhythm, noise, flutter waves) are left out. Raises UsageError if wfdb is
    not installed or the record is missing.
    """
    wfdb = _wfdb()
    path = str((find(MITDB) if folder is None else folder) / str(record))
    try:
        read, marks = wfdb.rdrecord(path), wfdb.rdann(path, "atr")
    except (OSError, ValueError) as error:
        raise OhmcarloError(f"cannot read record {record} in {path}: {error}") from error
    leads = sorted(range(read.n_sig), key=lambda lead: read.sig_name[lead] != FIRST_LEAD)
    classes = np.array([CLASS_OF.get(code, "") for code in marks.symbol])
    signal = np.ascontiguousarray(read.p_signal[:, leads], np.float64)
    positions = np.asarray(marks.sample, np.int64)[classes != ""]
    return beats.Recording(signal, positions, float(read.fs)), classes[classes != ""]


def _wfdb():  # type: ignore[no-untyped-def]
    try:
        import wfdb
    except ImportError as error:
        raise UsageError(
            "reading ECG records needs wfdb: pip install 'ohmcarlo[reproduce]'"
        ) from error
    return wfdb


def _load(path: Path) -> BeatTable | None:
    """The stored table, or None if it is missing or damaged and must be made again."""
    try:
        with np.load(path) as kept:
            return BeatTable(kept["x"], kept["classes"], kept["records"], kept["samples"])
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None


def _keep(path: Path, table: BeatTable) -> None:
    """Store the table if possible. Without it, the next use takes half a minute."""
    content = io.BytesIO()
    np.savez_compressed(content, **vars(table))
    temporary = path.with_suffix(".partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_bytes(content.getvalue())
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
