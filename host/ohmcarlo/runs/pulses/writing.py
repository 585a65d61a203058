"""Writers of lists: CSV, packed CSV, Parquet."""

from __future__ import annotations

import gzip
import io
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from ...errors import OhmcarloError, UsageError
from ...files import atomic, check_file, in_place
from .columns import (
    COLUMNS,
    EMPTY,
    MINUS,
    NAME,
    OPERATIONS,
    PLUS,
    VERSION,
    WITHOUT_DOT,
    Operations,
    Units,
)

CSV, PACKED, PARQUET = SUFFIXES = (".csv", ".csv.gz", ".parquet")
COMMENT = "# "
LEVEL = 5  # of gzip: as small as the usual 6 within 3 %, in two thirds of the time
Write = Callable[[Operations], None]


def suffix_of(path: Path) -> str:
    """One of SUFFIXES; UsageError for another name."""
    for suffix in SUFFIXES:
        if path.name.lower().endswith(suffix):
            return suffix
    raise UsageError(f"{path}: the name of a list must end in {', '.join(SUFFIXES)}")


def check_list(path: Path) -> None:
    """Raise an error, before any work is done, if a list cannot be written to ``path``."""
    suffix = suffix_of(path) if not in_place(path) else CSV
    check_file(path)
    if path.is_file():
        raise UsageError(f"{path} exists: choose another name, or remove it first")
    if suffix == PARQUET:
        arrow()


def arrow() -> Any:
    """The module ``pyarrow``; UsageError, which names the extra, without it."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise UsageError(
            "Parquet needs pyarrow: `pip install 'ohmcarlo[parquet]'`, or choose .csv.gz"
        ) from error
    return pyarrow


@contextmanager
def writer(
    path: Path | None, head: Mapping[str, str], units: Callable[[], Units], dots: bool
) -> Iterator[Write]:
    """Writes blocks of operations to ``path``, or to standard output.

    A file appears whole or not at all. ``units`` is called with the first block.
    """
    columns = tuple(COLUMNS) if dots else WITHOUT_DOT
    if path is None:
        with _standard_output() as file:
            yield _csv(file, head, units, columns)
        return
    suffix = suffix_of(path) if not in_place(path) else CSV
    with atomic(path) as temporary:
        if suffix == PARQUET:
            with _parquet(temporary, head, units, columns) as write:
                yield write
        else:
            opened = packed(temporary) if suffix == PACKED else temporary.open("wb")
            with opened as file:
                yield _csv(file, head, units, columns)


@contextmanager
def packed(path: Path) -> Iterator[IO[bytes]]:
    """A gzip file without a name and a time in it."""
    with path.open("wb") as raw, gzip.GzipFile("", "wb", LEVEL, raw, mtime=0) as file:
        buffer = io.BufferedWriter(file, 1 << 20)
        yield buffer
        buffer.flush()


@contextmanager
def _standard_output() -> Iterator[IO[bytes]]:
    sys.stdout.flush()
    try:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OhmcarloError(
            f"standard output: {error.strerror or error}: write the list to another place (--out)"
        ) from error


# -- CSV -----------------------------------------------------------------------------------------


def head_lines(head: Mapping[str, str]) -> str:
    """The comment lines before the columns."""
    lines = [f"{NAME} {VERSION}", *(f"{name}: {text}" for name, text in head.items())]
    return "".join(f"{COMMENT}{line}\n" for line in lines)


def _csv(
    file: IO[bytes], head: Mapping[str, str], units: Callable[[], Units], columns: tuple[str, ...]
) -> Write:
    cells: list[_Cells] = []

    def write(block: Operations) -> None:
        if not cells:
            known = units()
            cells.append(_Cells(known, DOT_COLUMN in columns))
            file.write(head_lines({**head, **known.sources}).encode())
            file.write((",".join(columns) + "\n").encode())
        file.write(cells[0].text(block).encode())

    return write


DOT_COLUMN = tuple(COLUMNS)[-1]


class _Cells:
    """Texts of codes; the last one of each list is that of EMPTY, which is -1."""

    def __init__(self, units: Units, dots: bool) -> None:
        self.row_devices = units.row_devices
        self.dots = dots
        sides = [f"{d // 2},{(PLUS, MINUS)[d % 2]}" for d in range(units.row_devices)]
        self.device = [*sides, ","]
        voltages = map(short, units.target_us), map(short, units.gate_v)
        self.dac = [f"{i},{t},{v}" for i, (t, v) in enumerate(zip(*voltages, strict=True))]
        self.dac.append(",,")
        self.code = [f"{i},{short(g)}" for i, g in enumerate(units.g_us)] + [","]
        self.width = [short(width) for width in units.width_ns]

    def text(self, block: Operations) -> str:
        address = np.where(
            block.device == EMPTY, EMPTY, block.row * self.row_devices + block.device
        )
        more = [f",{n}" for n in _texts(block.accesses)] if self.dots else [""] * len(block)
        rows = zip(
            _texts(block.number), block.phase, _texts(block.chain), block.step.tolist(),
            block.operation.tolist(), _texts(block.row), block.device.tolist(), _texts(address),
            block.dac.tolist(), block.code.tolist(), more, strict=True,
        )  # fmt: skip
        device, dac, code, width = self.device, self.dac, self.code, self.width
        return "".join(
            f"{n},{phase},{chain},{step},{OPERATIONS[op]},{row},{device[d]},{at},{dac[v]},"
            f"{width[op]},{code[c]}{end}\n"
            for n, phase, chain, step, op, row, d, at, v, c, end in rows
        )


def _texts(numbers: NDArray[np.int64]) -> list[Any]:
    found: list[Any] = numbers.tolist()
    return ["" if n == EMPTY else n for n in found] if (numbers == EMPTY).any() else found


def short(number: float) -> str:
    """A number with at most 7 digits, which hold every target; empty for NaN."""
    return "" if np.isnan(number) else f"{number:.7g}"


# -- Parquet -------------------------------------------------------------------------------------


@contextmanager
def _parquet(
    path: Path, head: Mapping[str, str], units: Callable[[], Units], columns: tuple[str, ...]
) -> Iterator[Write]:
    pa = arrow()
    with ExitStack() as stack:
        opened: list[Any] = []

        def write(block: Operations) -> None:
            known = units()
            if not opened:
                about = {NAME: json.dumps({"version": VERSION, **head, **known.sources})}
                schema = pa.schema([_field(pa, name) for name in columns], metadata=about)
                file = pa.parquet.ParquetWriter(path, schema, compression="zstd")
                opened.append(stack.enter_context(file))
            values = _values(pa, block, known)
            schema = opened[0].schema
            opened[0].write_table(pa.table({n: values[n] for n in columns}, schema=schema))

        yield write


TEXTS, REALS = ("phase", "operation", "side"), ("target_us", "gate_v", "width_ns", "g_us")


def _field(pa: Any, name: str) -> Any:
    if name in TEXTS:
        return pa.field(name, pa.dictionary(pa.int32(), pa.string()))
    kind = pa.float64() if name in REALS else pa.int64()
    return pa.field(name, kind, metadata={"about": COLUMNS[name]})


def _values(pa: Any, block: Operations, units: Units) -> dict[str, Any]:
    one = block.device != EMPTY

    def whole(values: NDArray[np.int64]) -> Any:
        return pa.array(values, mask=values == EMPTY)

    def real(table: NDArray[np.float64], at: NDArray[np.int64]) -> Any:
        found = table[at]
        return pa.array(found, mask=np.isnan(found) | (at == EMPTY))

    def text(names: tuple[str, ...], at: NDArray[np.int64]) -> Any:
        return pa.DictionaryArray.from_arrays(pa.array(at.astype(np.int32), mask=at < 0), names)

    phases = tuple(dict.fromkeys(block.phase))
    phase = np.array([phases.index(name) for name in block.phase])
    pair = np.where(one, block.device // 2, EMPTY)
    address = np.where(one, block.row * units.row_devices + block.device, EMPTY)
    return {
        "number": whole(block.number),
        "phase": text(phases, phase),
        "chain": whole(block.chain),
        "step": whole(block.step),
        "operation": text(OPERATIONS, block.operation),
        "row": whole(block.row),
        "pair": whole(pair),
        "side": text((PLUS, MINUS), np.where(one, block.device % 2, EMPTY)),
        "device": whole(address),
        "dac": whole(block.dac),
        "target_us": real(units.target_us, block.dac),
        "gate_v": real(units.gate_v, block.dac),
        "width_ns": real(units.width_ns, block.operation),
        "code": whole(block.code),
        "g_us": real(units.g_us, block.code),
        "accesses": whole(block.accesses),
    }
