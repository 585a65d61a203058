"""The part of a run's result that does not depend on what was learnt."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from .. import diagnostics
from ..array.base import Ledger
from ..array.energy import energy
from ..boards import RUNNING, Block
from ..files import json_ready
from ..posterior_error import errors_to_dict
from ..spec import Geometry
from .inference_data import Variable, inference_data, netcdf
from .recordings import recording_in_json
from .setup import ChainSetup
from .trace import Trace
from .verdict import judge

if TYPE_CHECKING:
    import xarray

COMPLETE = "complete"
DRAWS_EVERY = "draws_every"
"""Key of the result of a long run: steps of a chain from one draw to the next."""
ATTRIBUTES = (  # of a posterior file
    "task", "backend", "array", "preset", "kernel", "rho", "wide_every", "whiten", "adapt",
    "gamma_us", "sigma_p", "dot_products", "repeats", "seed", "geometry", "hidden", "chains",
    "steps", "burn_in", "acceptance_rate", "verdict", "sha256",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class ChainResult:
    """The part of a finished run that every kind has; each kind adds its own fields.

    Attributes
    ----------
    EVALUATION : dict
        Name and number of dimensions of each array that ``evaluation`` returns.
    values : dict
        Content of the JSON file.
    trace : Trace
    burn_in : int
        Steps of every chain of the trace that are left out of all averages.
    wear : int32 (rows, row_devices)
        SET pulses of each device.
    draws : float32 (chains, steps, weights)
        The weights, step by step of the trace.
    weight_names : list of str
    """

    EVALUATION: ClassVar[Mapping[str, int]]

    values: dict[str, Any]
    trace: Trace
    burn_in: int
    wear: NDArray[np.int32]
    draws: NDArray[np.float32]
    weight_names: list[str]

    @property
    def posterior(self) -> bytes:
        """The posterior as a NetCDF file for ArviZ."""
        return netcdf(self.inference_data())

    def inference_data(self) -> xarray.DataTree:
        """The posterior in the groups that ArviZ reads."""
        return inference_data(
            {"w": (self.draws, ("weight",))},
            sample_stats=sample_stats(self.trace),
            burn_in=self.burn_in,
            distance=self.trace.every,
            coords={"weight": self.weight_names},
            attributes=attributes_of(self.values),
        )

    def evaluation(self) -> dict[str, NDArray[Any]]:
        """The arrays that the pictures of a report need beside the trace."""
        return {name: getattr(self, name) for name in self.EVALUATION}


def sample_stats(trace: Trace) -> dict[str, Variable]:
    """Log-posterior (nat) and decision of every step, for ``inference_data``."""
    return {"lp": (trace.log_posterior_nat(), ()), "accepted": (trace.accepted_by_chain(), ())}


def attributes_of(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values of a result that describe a posterior."""
    return {name: values[name] for name in ATTRIBUTES if name in values}


def burn_in_of(trace: Trace) -> int:
    """Steps to leave out: the burn-in of the slowest chain, at most all but two steps."""
    longest = max(int(diagnostics.burn_in(chain)) for chain in trace.log_posterior_nat())
    return max(0, min(longest, trace.steps - 2))


def request_of(setup: ChainSetup) -> dict[str, Any]:
    """The user's request, and the settings that were chosen."""
    config = setup.config
    return {
        "task": config.task,
        "kind": config.kind,
        "backend": config.backend,
        "array": config.array,
        "preset": config.preset,
        "recording": recording_in_json(config.array, config.preset),
        "kernel": config.kernel,
        "rho": setup.settings.rho,
        "wide_every": setup.settings.wide_every,
        "gamma_us": setup.registers.gamma_us,
        "trimmed": setup.trimmed,
        "dot_products": setup.settings.dot_products,
        "repeats": setup.settings.repeats,
        "seed": config.seed,
        "geometry": _shape(setup.registers.geometry),
    }


def _shape(geometry: Geometry) -> dict[str, int]:
    return {
        "rows": geometry.rows,
        "pairs": geometry.pairs,
        "row_group": geometry.row_group,
        "entropy_pairs": geometry.entropy_pairs,
        "devices": geometry.devices,
    }


def chain_of(trace: Trace, burn_in: int) -> dict[str, Any]:
    """Length and acceptance of the chains."""
    return {
        "chains": trace.chains,
        "steps": trace.steps if trace.long is None else trace.all_steps // trace.chains,
        "burn_in": burn_in * trace.every,
        "accepted": trace.all_accepted,
        "acceptance_rate": trace.acceptance_rate,
        "samples": len(trace.codes) if trace.long is None else trace.all_accepted + trace.chains,
        **({} if trace.long is None else {DRAWS_EVERY: trace.every}),
    }


def distance_in(values: Mapping[str, Any]) -> int:
    """Steps of a chain from one draw of a result to the next: 1, except for a long run."""
    return int(values.get(DRAWS_EVERY, 1))


def left_out(values: Mapping[str, Any]) -> int:
    """Steps of the trace of every chain that are left out of a result's averages."""
    return int(values["burn_in"]) // distance_in(values)


def cost_of(setup: ChainSetup, seconds: float) -> dict[str, Any]:
    """Pulses, wear, energy and time."""
    ledger: Ledger = setup.board.ledger
    report = energy(ledger, setup.registers.geometry)
    return {
        "pulses": pulses_of(ledger),
        "wear": {"mean": float(ledger.wear.mean()), "max": int(ledger.wear.max())},
        "energy_joules": report.total.joules,
        "energy": report.to_dict(),
        "wall_seconds": seconds,
        "clock_cycles": setup.board.clock_cycles(),
        "clock_hz": setup.board.clock_hz,
    }


def adaptation_of(setup: ChainSetup) -> dict[str, Any]:
    """The stages before the sampling chain, their cost and the encoding that they led to; nothing
    without an adaptation. The costs of the run include those of its adaptation."""
    record = setup.adaptation
    if record is None or record.before is None or record.after is None:
        return {}
    spent = Ledger(setup.registers.geometry)
    spent.counts[:] = record.after - record.before
    joules = energy(spent, setup.registers.geometry).total.joules
    cost = {"pulses": pulses_of(spent), "energy_joules": joules}
    return {"adaptation": record.to_dict() | cost, "encoder": setup.encoder.to_dict()}


def pulses_of(ledger: Ledger) -> dict[str, int]:
    """Operations by kind."""
    return {
        "set": ledger.set,
        "reset": ledger.reset,
        "read": ledger.read,
        "dot": ledger.dot,
        "digital_dot": ledger.digital,
    }


def mixing(draws: NDArray[np.float32], trace: Trace, burn_in: int) -> dict[str, Any]:
    """ESS and split R-hat of the worst weight, and the longest stay of a chain.

    float32 (chains, steps, weights) after the first ``burn_in`` steps of the trace. The effective
    samples of a long run are those of the draws that are kept.
    """
    ess, tail = diagnostics.ess(draws), diagnostics.tail_ess(draws)
    rhat = diagnostics.rhat(draws)
    steps = draws.shape[0] * draws.shape[1] * trace.every
    longest, expected = trace.stays(burn_in)
    return {
        "ess_min": float(np.min(ess)),
        "ess_median": float(np.median(ess)),
        "ess_tail_min": float(np.min(tail)),
        "ess_min_per_1000_steps": float(np.min(ess)) * 1000 / steps,
        "rhat_max": float(np.max(rhat)),
        "longest_stay": longest,
        "longest_stay_expected": expected,
    }


def judged(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values of a result, ready for JSON, with the verdict on them."""
    ready: dict[str, Any] = json_ready(values)
    return ready | judge(ready).to_dict()


def state_of(setup: ChainSetup, streamed: Block) -> dict[str, Any]:
    """Predicted errors of the posterior, entropy, retired rows, counts of the link, and whether the
    chains made all their steps."""
    settings = setup.settings
    coin = {"fold": settings.fold, "tested_min_entropy": settings.min_entropy}
    return {
        "posterior_error": errors_to_dict(setup.errors),
        "entropy": setup.board.entropy() | {"pseudo_random": setup.board.pseudo_random} | coin,
        "retired_rows": setup.board.retired_rows(),
        "link": setup.board.link_statistics(),
        "status": COMPLETE if streamed.status == RUNNING else streamed.status,
        **_boards_of(setup),
    }


def _boards_of(setup: ChainSetup) -> dict[str, Any]:
    """Each of several boards: its chains, clocks, energy, coin, link and rows out of service, which
    are counted from its own first row; nothing for one board."""
    if not setup.others:
        return {}
    chains, found = setup.registers.geometry.regions, []
    for number, part in enumerate(setup.parts()):
        board = part.board
        found.append(
            {
                "backend": part.config.backend,
                "array_seed": setup.config.array_seeds[number],
                "chains": list(range(number * chains, (number + 1) * chains)),
                "clock_cycles": board.clock_cycles(),
                "clock_hz": board.clock_hz,
                "energy_joules": energy(board.ledger, part.registers.geometry).total.joules,
                "entropy": board.entropy() | {"pseudo_random": board.pseudo_random},
                "link": board.link_statistics(),
                "retired_rows": board.retired_rows(),
            }
        )
    return {"boards": found}
