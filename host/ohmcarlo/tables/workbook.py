"""Workbooks of Excel, LibreOffice and instruments: the text of their sheets."""

from __future__ import annotations

import csv
import io
import zipfile
from pathlib import Path
from typing import Any

from ..errors import UsageError

OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
ZIP = b"PK\x03\x04"
SHEET_MIME = b"application/vnd.oasis.opendocument.spreadsheet"
EXCEL = "save the sheet as CSV in Excel or LibreOffice (File > Save As)"
INSTALL = "or `pip install 'ohmcarlo[excel]'`, which reads workbooks"


def kind_of(content: bytes) -> str:
    """What kind of workbook a file is; empty for other files."""
    if content.startswith(OLE):
        return "an Excel workbook (xls)"
    if not content.startswith(ZIP):
        return ""
    try:
        archive = zipfile.ZipFile(io.BytesIO(content))
        names = archive.namelist()
        if any(name.startswith("xl/") for name in names):
            return "an Excel workbook (xlsx)"
        if "mimetype" in names and beginning(archive, "mimetype").startswith(SHEET_MIME):
            return "an OpenDocument workbook (ods)"
    except (zipfile.BadZipFile, OSError, RuntimeError, NotImplementedError):
        pass
    return ""


def beginning(archive: zipfile.ZipFile, member: str) -> bytes:
    """The first bytes of a member, which may unpack to any size."""
    with archive.open(member) as file:
        return file.read(len(SHEET_MIME))


def unpacked_size(content: bytes) -> int:
    """Bytes of a workbook after unpacking, as its directory states them."""
    if not content.startswith(ZIP):
        return len(content)
    return sum(member.file_size for member in zipfile.ZipFile(io.BytesIO(content)).infolist())


def sheets_of(path: Path, content: bytes) -> dict[str, str]:
    """Each sheet that is not empty as CSV, by its name.

    Raises UsageError without python-calamine, and for a workbook that cannot be read.
    """
    kind = kind_of(content)
    try:
        from python_calamine import CalamineError, CalamineWorkbook
    except ImportError as error:
        raise UsageError(f"{path} is {kind}: {EXCEL}, {INSTALL}") from error
    try:
        book = CalamineWorkbook.from_filelike(io.BytesIO(content))
        sheets = {name: book.get_sheet_by_name(name).to_python() for name in book.sheet_names}
    except (CalamineError, ValueError, OSError) as error:
        problem = str(error).split("\n", 1)[0]
        raise UsageError(f"{path} is {kind} that cannot be read ({problem}): {EXCEL}") from error
    return {name: _csv(rows) for name, rows in sheets.items() if rows}


def _csv(rows: list[list[Any]]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows([[_cell(cell) for cell in row] for row in rows])
    return out.getvalue()


def _cell(cell: Any) -> str:
    """A cell as text; whole numbers without a point, on one line."""
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < 2**53:
        return str(int(cell))
    return " ".join(str(cell).split())
