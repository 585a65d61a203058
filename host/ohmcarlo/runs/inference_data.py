"""The posterior in the groups that ArviZ reads: draws, log-likelihoods, data, predictions.

The groups are an ``xarray.DataTree``, which is what ArviZ 1.x works with. ``diagnostics.to_arviz``
converts it for ArviZ 0.2x. Both versions read the same NetCDF file.

    tree = inference_data(
        {"w": (draws, ("weight",))},
        burn_in=burn_in,
        every=every,
        observations=Observations(labels, log_likelihood, predictive, rows),
        coords={"weight": names},
        attributes={"seed": 0, "rho": 0.8},
    )
    path.write_bytes(netcdf(tree))

A run of another kind calls it in the same way: every variable of the posterior has the dimensions
chain and step, and further ones that the caller names. ``every_of`` and ``kept_steps`` decide which
steps become draws. Compute log-likelihoods and predictions for these steps only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .. import __version__

if TYPE_CHECKING:
    import xarray

Variable = tuple[NDArray[Any], tuple[str, ...]]
"""An array and the names of its dimensions after chain and step (or after none, for data)."""

LIBRARY = {"inference_library": "ohmcarlo", "inference_library_version": __version__}
CHAIN, DRAW, ROW = "chain", "draw", "row"
MAX_VALUES = 2_500_000
"""Log-likelihoods in a file: 20 MB before compression. With more, not every step is a draw."""
MIN_DRAWS = 1000
"""Draws of all chains that thinning leaves at least: Pareto smoothing needs a tail of some 100."""
COMPRESSION = {"zlib": True, "complevel": 1, "shuffle": True}
COMPRESSED = ("log_likelihood", "posterior_predictive")


@dataclass(frozen=True, eq=False)
class Observations:
    """What a posterior was learnt from, and what it predicts for the same points.

    Attributes
    ----------
    observed : (n,)
        Labels or numbers.
    log_likelihood : float64 (chains, draws, n)
        Log-likelihood of every point under every draw, nat. The prior is no part of it. ArviZ
        computes in the precision of the array, and float32 is too coarse for Pareto smoothing:
        round the values to float32, so that they compress, and store them as float64.
    predictive : (chains, draws, n)
        One random answer for every point and draw, of the kind of ``observed``.
    rows : int (n,)
        Number of each point in the data of the user, from 1 as in the table of ``predict``.
    constant : mapping
        Inputs of the points by name, (n, …) and the names of the dimensions after the first.
    name : str
        Name of the variable in all groups.
    attributes : mapping
        Attributes of the observed variable: names of classes, unit.
    """

    observed: NDArray[Any]
    log_likelihood: NDArray[np.floating[Any]]
    predictive: NDArray[Any]
    rows: NDArray[np.integer[Any]]
    constant: Mapping[str, Variable] = field(default_factory=dict)
    name: str = "y"
    attributes: Mapping[str, Any] = field(default_factory=dict)


def every_of(chains: int, steps: int, points: int) -> int:
    """Steps from one draw to the next, so that the log-likelihoods stay below ``MAX_VALUES``.

    ``steps`` are those of every chain after burn-in. 1: every step is a draw.
    """
    wanted = -(-chains * steps * points // MAX_VALUES)
    most = max(1, chains * steps // MIN_DRAWS)
    return min(max(1, wanted), most)


def kept_steps(steps: int, burn_in: int, every: int) -> NDArray[np.int64]:
    """Numbers of the steps of a chain that become draws, from 0."""
    return np.arange(burn_in, steps, every)


def inference_data(
    posterior: Mapping[str, Variable],
    *,
    sample_stats: Mapping[str, Variable] | None = None,
    burn_in: int = 0,
    every: int = 1,
    distance: int = 1,
    observations: Observations | None = None,
    coords: Mapping[str, Sequence[Any]] | None = None,
    attributes: Mapping[str, Any] | None = None,
) -> xarray.DataTree:
    """The groups of a posterior.

    Parameters
    ----------
    posterior, sample_stats : mapping
        Variables by name, each (chains, steps, …) with the names of the dimensions after these.
    burn_in : int
        Steps of every chain that go into the warm-up groups.
    every : int
        Steps from one draw to the next (``every_of``), the same in all groups. The coordinate
        ``draw`` is the number of the step.
    distance : int
        Steps of the chain from one step of the arrays to the next (``Trace.every``).
    observations : Observations, optional
        Adds ``log_likelihood``, ``posterior_predictive``, ``observed_data`` and
        ``constant_data``.
    coords : mapping
        Names along the further dimensions.
    attributes : mapping
        Of the whole tree and of the posterior. Values are numbers, texts and lists of texts; None
        is left out, a mapping gives one attribute per entry.
    """
    import xarray

    labels = dict(coords or {})
    variables = {"posterior": posterior, "sample_stats": sample_stats or {}}
    chains, steps = next(iter(posterior.values()))[0].shape[:2]
    axes = {CHAIN: np.arange(chains), DRAW: kept_steps(steps, burn_in, every)}
    groups = {name: _drawn(found, axes, labels) for name, found in variables.items() if found}
    if burn_in:
        before = {**axes, DRAW: kept_steps(burn_in, 0, every)}
        for name, found in variables.items():
            if found:
                groups[f"warmup_{name}"] = _drawn(found, before, labels)
    if observations is not None:
        groups |= _observed_groups(observations, axes, labels)
    described = {**flat(attributes or {}), "draws_every": every * distance, **LIBRARY}
    if distance > 1:
        groups = {name: _numbered(found, distance) for name, found in groups.items()}

    groups["posterior"].attrs = described
    return xarray.DataTree.from_dict({"/": xarray.Dataset(attrs=described), **groups})


def _numbered(found: xarray.Dataset, distance: int) -> xarray.Dataset:
    """A group whose draws have the number of their step in the chain, from 0."""
    if DRAW not in found.coords:
        return found
    numbers = (found[DRAW].to_numpy() + 1) * distance - 1
    return found.assign_coords({DRAW: numbers})


def _drawn(
    variables: Mapping[str, Variable],
    axes: Mapping[str, NDArray[Any]],
    labels: Mapping[str, Sequence[Any]],
) -> xarray.Dataset:
    """The steps of ``variables`` that are the draws of ``axes``."""
    steps = axes[DRAW]
    kept = {name: (array[:, steps], dims) for name, (array, dims) in variables.items()}
    return _dataset(kept, axes, labels)


def flat(attributes: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Attributes that NetCDF can hold."""
    found: dict[str, Any] = {}
    for name, value in attributes.items():
        if isinstance(value, Mapping):
            found |= flat(value, f"{prefix}{name}_")
        elif isinstance(value, bool | np.bool_):
            found[prefix + name] = int(value)
        elif isinstance(value, list | tuple):
            found[prefix + name] = list(value)
        elif value is not None:
            found[prefix + name] = value
    return found


def _observed_groups(
    data: Observations, axes: Mapping[str, NDArray[Any]], labels: Mapping[str, Sequence[Any]]
) -> dict[str, xarray.Dataset]:
    rows = {ROW: np.asarray(data.rows)}
    every = {**axes, **rows}
    observed = _dataset({data.name: (data.observed, ())}, rows, labels)
    observed[data.name].attrs = flat(data.attributes)
    groups = {
        "log_likelihood": _dataset({data.name: (data.log_likelihood, ())}, every, labels),
        "posterior_predictive": _dataset({data.name: (data.predictive, ())}, every, labels),
        "observed_data": observed,
    }
    groups["log_likelihood"][data.name].attrs["units"] = "nat"
    if data.constant:
        groups["constant_data"] = _dataset(data.constant, rows, labels)
    return groups


def _dataset(
    variables: Mapping[str, Variable],
    axes: Mapping[str, NDArray[Any]],
    labels: Mapping[str, Sequence[Any]],
) -> xarray.Dataset:
    """Variables whose first dimensions are ``axes``, with the coordinates that they use."""
    import xarray

    dims_used = {name for _, dims in variables.values() for name in dims}
    used = {name: list(names) for name, names in labels.items() if name in dims_used}
    return xarray.Dataset(
        {name: ((*axes, *dims), array) for name, (array, dims) in variables.items()},
        coords={**axes, **used},
        attrs=LIBRARY,
    )


def netcdf(tree: xarray.DataTree) -> bytes:
    """The tree as a NetCDF file, without time stamps. Equal trees give equal files."""
    encoding = {
        f"/{group}": {str(name): COMPRESSION for name in tree[group].data_vars}
        for group in COMPRESSED
        if group in tree.children
    }
    return bytes(tree.to_netcdf(engine="h5netcdf", encoding=encoding))
