"""The text in a file: compression and encoding, recognised by content."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import re
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any

from ..errors import UsageError
from ..readable import did_you_mean
from .workbook import EXCEL, beginning, kind_of, sheets_of, unpacked_size

CSV_ADVICE = "save the table as CSV in UTF-8"
PANDAS = 'convert it with pandas: pandas.{reader}("{name}").to_csv("table.csv", index=False)'
UNPACK = "unpack it and give the table in it"
EXPORT = "export the data as CSV with the program that wrote it"
PARQUET_MARK = b"PAR1"
OTHER_FORMATS: tuple[tuple[bytes, str, str], ...] = (
    (b"ARROW1", "an Arrow file", PANDAS.replace("{reader}", "read_feather")),
    (b"FEA1", "a Feather file", PANDAS.replace("{reader}", "read_feather")),
    (
        b"\x93NUMPY",
        "an array of NumPy (npy)",
        'convert it with NumPy, with the names of its columns: numpy.savetxt("table.csv", '
        'numpy.load("{name}"), delimiter=",", header="a,b,label")',
    ),
    (b"%PDF", "a PDF", "copy the table into a spreadsheet and save it as CSV"),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file", EXPORT),
    (b"CDF\x01", "a NetCDF file", EXPORT),
    (b"CDF\x02", "a NetCDF file", EXPORT),
    (b"MATLAB ", "a MATLAB file", "save the table with writematrix or writetable as CSV"),
    (b"SQLite format 3\0", "an SQLite database", EXPORT),
    (b"TDSm", "a LabVIEW file (TDMS)", EXPORT),
    (b"CPY", "an Origin project", EXPORT),
    (b"{\\rtf", "a rich text document", "save it as plain text"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", UNPACK),
    (b"Rar!", "a RAR archive", UNPACK),
    (b"\x28\xb5\x2f\xfd", "a file compressed with zstd", "unpack it with `zstd -d`"),
    (b"\x1f\x9d", "a file compressed with compress (Z)", "unpack it with `uncompress`"),
    (b"\x89PNG", "a picture (PNG)", "give the table of numbers"),
    (b"\xff\xd8\xff", "a picture (JPEG)", "give the table of numbers"),
    (b"GIF8", "a picture (GIF)", "give the table of numbers"),
    (b"\x7fELF", "a program", "give the table of numbers"),
)
COMPRESSIONS = {b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zXZ\0": "xz", b"PK\x03\x04": "zip"}
TAR_MARK, TAR_PLACE = b"ustar", 257
OASIS = b"application/vnd.oasis"
OTHER_TEXTS: tuple[tuple[str, str, str], ...] = (
    (r"\s*<(!doctype html|html|head|body|table)\b", "a web page (HTML)", EXPORT),
    (r"\s*<\?xml\b", "an XML document", EXPORT),
    (
        r"(\s*%[^\n]*\n)*\s*@relation\b",
        "an ARFF file of Weka",
        "remove the lines up to @data, and put the names of the columns into line 1",
    ),
    (
        r"\s*[-+.\deE]+( +\d+:[-+.\deE]+)+\s*\n",
        "in the format of LIBSVM",
        "convert it with sklearn.datasets.load_svmlight_file and numpy.savetxt, delimiter=',' and "
        "the names of the columns as header",
    ),
)
LARGEST = 2 << 30  # bytes, also after unpacking; the values alone take as much again
BOMS = (
    (b"\xff\xfe\x00\x00", "utf-32", "UTF-32"),
    (b"\x00\x00\xfe\xff", "utf-32", "UTF-32"),
    (b"\xef\xbb\xbf", "utf-8-sig", ""),
    (b"\xff\xfe", "utf-16", "UTF-16"),
    (b"\xfe\xff", "utf-16", "UTF-16"),
)
VALUE = 8  # bytes of a number
SAMPLE = 4096  # bytes that show how a text without a mark is encoded
WIDE_SHARE = 0.4  # NUL bytes at one parity, of UTF-16
BINARY_SHARE = 0.01  # other control characters
CONTROLS = re.compile(rb"[\x01-\x08\x0e-\x19\x1b-\x1f]")


@dataclass(frozen=True)
class Text:
    """The text of a file.

    Attributes
    ----------
    path : Path
    text : str
        With ``\\n`` at the end of every line.
    recognised : tuple of str
        Compression and encoding, where they are not the usual ones.
    """

    path: Path
    text: str
    recognised: tuple[str, ...] = ()

    @property
    def lines(self) -> list[str]:
        """The lines, without their ends."""
        lines = self.text.split("\n")
        return lines[:-1] if lines[-1] == "" else lines


def read_text(path: Path) -> Text:
    """The text of a file, uncompressed and decoded.

    Recognised: gzip, bzip2, xz and zip with one member; UTF-8, UTF-16 and UTF-32 with a byte order
    mark, UTF-16 without one, otherwise Windows-1252, of which Latin-1 is a part; lines that end
    in CR, LF or both. The table of a Parquet file (with pyarrow) and the sheet of a workbook (with
    python-calamine) become text.

    Raises UsageError, which names the format and a remedy, for a file that is no text.
    """
    texts = read_texts(path)
    if len(texts) == 1:
        return texts[0]
    names = [text.recognised[0] for text in texts]
    listed = ", ".join(names[:3]) + (", …" if len(names) > 3 else "")
    held = f"{len(names)} sheets ({listed})" if names else "no filled sheet"
    raise UsageError(f"{path} is a workbook with {held}: save the one with the table as CSV")


def read_texts(path: Path) -> list[Text]:
    """As ``read_text``, with a text for every filled sheet of a workbook.

    The path of one of several sheets ends in the name of the sheet, as in ``a.xlsx[Run1]``.
    """
    content = _content(path)
    if not kind_of(content):
        return [_text_of(path, content)]
    if unpacked_size(content) > LARGEST:
        raise _too_large(path)
    sheets = sheets_of(path, content)
    several = len(sheets) > 1
    return [
        Text(path.with_name(f"{path.name}[{name}]") if several else path, text, (f"sheet {name}",))
        for name, text in sheets.items()
    ]


def _text_of(path: Path, content: bytes) -> Text:
    content, packed = _unpacked(path, content)
    if content.startswith(PARQUET_MARK):
        return Text(path, _text_of_parquet(path, content), ("Parquet",))
    _refuse_other_formats(path, content)
    text, encoding = _decoded(path, content)
    _refuse_other_texts(path, text)
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return Text(path, text, tuple(word for word in (packed, encoding) if word))


def _text_of_parquet(path: Path, content: bytes) -> str:
    """The table of a Parquet file as CSV."""
    advice = PANDAS.replace("{reader}", "read_parquet").replace("{name}", path.name)
    try:
        import pyarrow as pa
        import pyarrow.csv
        import pyarrow.parquet
    except ImportError as error:
        raise UsageError(
            f"{path} is a Parquet file, which needs pyarrow: `pip install 'ohmcarlo[parquet]'`, or "
            f"{advice}"
        ) from error
    out = io.BytesIO()
    try:
        data = pa.parquet.ParquetFile(io.BytesIO(content)).metadata
        if data.num_rows * data.num_columns * VALUE > LARGEST:  # repeated values pack well
            raise _too_large(path)
        table = pa.parquet.read_table(io.BytesIO(content))
        pa.csv.write_csv(table, out, pa.csv.WriteOptions(quoting_style="needed"))
    except pa.ArrowException as error:
        problem = str(error).split("\n", 1)[0]
        raise UsageError(f"{path} is a Parquet file without a plain table ({problem})") from error
    return out.getvalue().decode("utf-8")


def _content(path: Path) -> bytes:
    """The bytes of a file, or of a pipe; UsageError beyond LARGEST, of a file before reading."""
    try:
        with path.open("rb") as file:
            known = path.stat().st_size
            content = b"" if known > LARGEST else file.read(LARGEST + 1)
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}{_near(path)}") from error
    except MemoryError as error:
        raise UsageError(f"{path} is too large for the memory: give a part of it") from error
    if max(known, len(content)) > LARGEST:
        raise _too_large(path)
    return content


def _too_large(path: Path) -> UsageError:
    return UsageError(f"{path} holds more than {LARGEST >> 30} GiB: give a part of it")


def _near(path: Path) -> str:
    """A remedy for a path that cannot be read: files with similar names, or those of a folder."""
    try:
        if path.is_dir():
            names = sorted(p.name for p in path.iterdir() if p.suffix.lower() in (".csv", ".txt"))
            return "; give a file in it" + (f", as {names[0]}" if names else "")
        if path.exists() or not path.parent.is_dir():
            return ""
        files = {p.stem.lower(): str(p) for p in path.parent.iterdir() if p.is_file()}
    except OSError:
        return ""
    return did_you_mean(path.stem.lower(), files, 0.7)


def _unpacked(path: Path, content: bytes) -> tuple[bytes, str]:
    """The content without compression, and the name of the compression, empty if there is none."""
    name = next((name for mark, name in COMPRESSIONS.items() if content.startswith(mark)), "")
    if not name:
        return content, ""
    try:
        with _opened(path, name, io.BytesIO(content)) as stream:
            inner = stream.read(LARGEST + 1)
    except (OSError, EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile) as error:
        raise UsageError(f"{path} is a damaged {name} file ({error}): copy it again") from error
    except (RuntimeError, NotImplementedError) as error:  # a password, an unusual compression
        raise UsageError(f"{path} is a zip file that cannot be opened: {UNPACK}") from error
    if len(inner) > LARGEST:
        raise _too_large(path)
    return inner, name


def _opened(path: Path, name: str, file: io.BytesIO) -> IO[bytes]:
    """A compressed file, opened for reading."""
    if name == "zip":
        return _single_member(path, zipfile.ZipFile(file))
    module: Any = {"gzip": gzip, "bzip2": bz2, "xz": lzma}[name]
    return module.open(file)


def _single_member(path: Path, archive: zipfile.ZipFile) -> IO[bytes]:
    """The only file in a zip archive."""
    names = archive.namelist()
    if kind := _office(archive, names):
        raise UsageError(f"{path} is {kind}")
    members = [
        name
        for name in names
        if not name.endswith("/")
        and not name.startswith("__MACOSX/")
        and not PurePosixPath(name).name.startswith(".")
    ]
    if len(members) == 1:
        return archive.open(members[0])
    listed = ", ".join(members[:3]) + (", …" if len(members) > 3 else "")
    held = f"{len(members)} files ({listed})" if members else "no file"
    raise UsageError(f"{path} is a zip archive with {held}: unpack it and give one of them")


def _office(archive: zipfile.ZipFile, names: list[str]) -> str:
    """What kind of document a zip archive is, with a remedy; empty if it is none."""
    if any(name.startswith("word/") for name in names):
        return "a Word document: copy the table into a spreadsheet and save it as CSV"
    if "mimetype" in names and beginning(archive, "mimetype").startswith(OASIS):
        return f"an OpenDocument file: {EXCEL}"
    if names and all(name.endswith(".npy") for name in names):
        return (
            "a set of NumPy arrays (npz): write one as text with numpy.savetxt, delimiter=',' and "
            "the names of its columns as header"
        )
    return ""


def _refuse_other_formats(path: Path, content: bytes) -> None:
    for mark, kind, advice in OTHER_FORMATS:
        if content.startswith(mark):
            raise UsageError(f"{path} is {kind}, not a table of text: "
                             f"{advice.replace('{name}', path.name)}")  # fmt: skip
    if content[TAR_PLACE : TAR_PLACE + len(TAR_MARK)] == TAR_MARK:
        raise UsageError(f"{path} is a tar archive: {UNPACK}")


def _refuse_other_texts(path: Path, text: str) -> None:
    for pattern, kind, advice in OTHER_TEXTS:
        if re.match(pattern, text[:SAMPLE], re.I):
            raise UsageError(f"{path} is {kind}, not a table: {advice}")
    if text.lstrip().startswith(("{", "[")) and (
        _is_json(text) or _is_json(text.lstrip().partition("\n")[0])
    ):
        raise UsageError(f"{path} is JSON, not a table of text: {CSV_ADVICE}")


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _decoded(path: Path, content: bytes) -> tuple[str, str]:
    """The text and the name of its encoding, empty for UTF-8."""
    encoding, name = _encoding(content)
    if encoding == "utf-8" and b"\0" in content:
        raise _no_text(path, f"; line {_line_of(content, 0)} has a NUL byte")
    controls = len(CONTROLS.findall(content[:SAMPLE]))
    if encoding.startswith("utf-8") and controls > BINARY_SHARE * len(content[:SAMPLE]):
        raise _no_text(path)
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        if encoding not in ("utf-8", "utf-8-sig"):
            raise _no_text(path, f"; its {name} ends or breaks off at byte {error.start}") from None
        text, name = content.decode("cp1252", errors="replace"), "Windows-1252 (Latin-1)"
    if "\0" in text:
        raise _no_text(path, f"; line {text[: text.index(chr(0))].count(chr(10)) + 1} has a NUL")
    return text, name


def _encoding(content: bytes) -> tuple[str, str]:
    """The encoding that the first bytes show, and its name, which is empty for UTF-8."""
    for mark, encoding, name in BOMS:
        if content.startswith(mark):
            return encoding, name
    sample = content[: SAMPLE - SAMPLE % 2]
    half = max(len(sample) // 2, 1)
    first, second = sample[::2].count(0) / half, sample[1::2].count(0) / half
    if second > WIDE_SHARE and first < second / 8:
        return "utf-16-le", "UTF-16"
    if first > WIDE_SHARE and second < first / 8:
        return "utf-16-be", "UTF-16"
    return "utf-8", ""


def _line_of(content: bytes, byte: int) -> int:
    return content[: content.index(byte)].count(b"\n") + 1


def _no_text(path: Path, reason: str = "") -> UsageError:
    return UsageError(f"{path} is not a text file{reason}: {CSV_ADVICE}")
