"""The draws of all cells as one NetCDF file, which xarray and ArviZ open.

The variable ``w`` of the group ``posterior`` has the dimensions cell, chain, draw and weight. Cells
with fewer chains, draws or weights than others have NaN in the rest. The swept parameters are
variables along ``cell``. The file is written cell by cell, so its size may exceed the memory.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..files import atomic
from ..runs.inference_data import LIBRARY
from .meaning import meaning_of, unit_of
from .table import TEXT, kind_of_values

POSTERIOR, STATS = "posterior", "sample_stats"
CELL, CHAIN, DRAW, WEIGHT = "cell", "chain", "draw", "weight"
COMPRESSION: dict[str, Any] = {"compression": "gzip", "compression_opts": 1, "shuffle": True}
VARIABLE_LENGTH = np.dtype("O", metadata={"vlen": str})
"""The type that HDF5 stores texts of any length as."""
ABOUT = {
    "w": {"long_name": "weight per standardised feature", "units": "1"},
    "lp": {"long_name": "log-posterior", "units": "nat"},
    CELL: {"long_name": "digest of the cell, as in the table"},
    DRAW: {"long_name": "number of the draw that was kept, at equal distances after burn-in"},
    WEIGHT: {"long_name": "feature, or bias"},
}
"""Attributes of variables and coordinates."""


@dataclass(frozen=True)
class Shape:
    """What is known of the draws of a cell before they are read.

    Attributes
    ----------
    digest : str
    chains, draws : int
    weights : tuple of str
        Names.
    parameters : dict
        Swept parameters of the cell.
    """

    digest: str
    chains: int
    draws: int
    weights: tuple[str, ...]
    parameters: Mapping[str, Any]


PER_CELL, OVERHEAD = 1024, 1 << 16
"""Bytes of the file beside the draws: those of names and indices, at most."""
Draws = tuple[NDArray[np.float32], NDArray[np.float32]]
"""Weights (chains, draws, weights) and log-posteriors (chains, draws) of a cell."""


def write_posteriors(
    path: Path, shapes: Sequence[Shape], cells: Iterator[Draws], attributes: Mapping[str, Any]
) -> None:
    """Write the draws of all cells, atomically; ``cells`` are in the order of ``shapes``.

    Raises OhmcarloError where the file cannot be written.
    """
    import h5netcdf

    weights = list(dict.fromkeys(name for shape in shapes for name in shape.weights))
    place = {name: number for number, name in enumerate(weights)}
    sizes = {
        CELL: len(shapes),
        CHAIN: max(shape.chains for shape in shapes),
        DRAW: max(shape.draws for shape in shapes),
        WEIGHT: len(weights),
    }
    with atomic(path) as temporary, _room(temporary, sizes), h5netcdf.File(temporary, "w") as file:
        file.attrs.update({**LIBRARY, **attributes})
        w = _variable(file, POSTERIOR, sizes, "w", (CELL, CHAIN, DRAW, WEIGHT))
        lp = _variable(file, STATS, sizes, "lp", (CELL, CHAIN, DRAW))
        for group in (POSTERIOR, STATS):
            _coordinates(file[group], shapes, weights if group == POSTERIOR else None)
        for number, (shape, (drawn, log)) in enumerate(zip(shapes, cells, strict=True)):
            whole = np.full(w.shape[1:], np.nan, np.float32)
            at = [place[name] for name in shape.weights]
            whole[: shape.chains, : shape.draws, at] = drawn
            w[number] = whole
            logs = np.full(lp.shape[1:], np.nan, np.float32)
            logs[: shape.chains, : shape.draws] = log
            lp[number] = logs


@contextmanager
def _room(path: Path, sizes: Mapping[str, int]) -> Iterator[None]:
    """Raise OSError before the block if the file will not fit, and for an error of HDF5 inside.

    HDF5 ends the process if the disk is full when it closes a file.
    """
    each = sizes[CHAIN] * sizes[DRAW] * (sizes[WEIGHT] + 1) * np.dtype(np.float32).itemsize
    if hasattr(os, "posix_fallocate"):
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o666)
        try:
            os.posix_fallocate(descriptor, 0, sizes[CELL] * (each + PER_CELL) + OVERHEAD)
        finally:
            os.close(descriptor)
    try:
        yield
    except RuntimeError as error:
        raise OSError(errno.EIO, str(error)) from error


def _variable(
    file: Any, group: str, sizes: Mapping[str, int], name: str, dims: tuple[str, ...]
) -> Any:
    found = file.create_group(group)
    found.attrs.update(LIBRARY)
    found.dimensions = {dim: sizes[dim] for dim in dims}
    chunks = (1, *(sizes[dim] for dim in dims[1:]))
    variable = found.create_variable(
        name, dims, np.float32, chunks=chunks, fillvalue=np.float32(np.nan), **COMPRESSION
    )
    variable.attrs.update(ABOUT[name])
    return variable


def _coordinates(group: Any, shapes: Sequence[Shape], weights: Sequence[str] | None) -> None:
    """Names and numbers along the dimensions, and the parameters along the cells."""
    _along(group, CELL, CELL, [shape.digest for shape in shapes])
    for dim in (CHAIN, DRAW):
        _along(group, dim, dim, list(range(group.dimensions[dim].size)))
    if weights is None:
        return
    _along(group, WEIGHT, WEIGHT, weights)
    names = [name for name in shapes[0].parameters if name not in (CELL, CHAIN, DRAW, WEIGHT, "w")]
    for name in names:
        _along(group, name, CELL, [shape.parameters[name] for shape in shapes])
        group[name].attrs["long_name"] = meaning_of(name)
        if unit := unit_of(name):
            group[name].attrs["units"] = unit
    group["w"].attrs["coordinates"] = " ".join(names)


def _along(group: Any, name: str, dim: str, values: Sequence[Any]) -> None:
    """A variable along one dimension: numbers, or texts."""
    if kind_of_values(values) == TEXT:
        texts = np.array(["" if value is None else str(value) for value in values], object)
        group.create_variable(name, (dim,), VARIABLE_LENGTH, data=texts)
    elif None in values:
        group.create_variable(
            name, (dim,), data=np.array([np.nan if v is None else v for v in values], np.float64)
        )
    else:
        array = np.array(values)
        group.create_variable(
            name, (dim,), data=array.astype(np.int8) if array.dtype == bool else array
        )
    group[name].attrs.update(ABOUT.get(name, {}))
