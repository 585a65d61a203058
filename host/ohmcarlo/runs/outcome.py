"""What a run amounts to: accuracy on held-out data, diagnostics, cost, and the posterior file."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import __version__, diagnostics
from ..array.base import Ledger
from ..array.energy import energy
from ..boards import RUNNING, Block
from ..golden import predict
from ..spec import Geometry
from .setup import Equipped, Experiment
from .trace import Trace

Z_95 = 1.96  # normal quantile of a 95 % interval
COMPLETE = "complete"
RHAT_LIMIT = 1.05
ESS_LIMIT = 100
REFERRED = 0.1  # share of the most uncertain cases that a person would be asked about


@dataclass(frozen=True, eq=False)
class Result:
    """A finished run.

    Attributes
    ----------
    values : dict
        What goes into the JSON.
    trace : Trace
    burn_in : int
        Steps of every chain that are left out of all averages.
    probability, variance : float64 (held-out points,)
        Posterior mean and variance (epistemic) of the probability of class 1.
    inputs, labels : float64 (held-out points, features), int (held-out points,)
        The held-out points themselves, before encoding.
    wear : int32 (rows, row_devices)
        SET pulses that each device has seen.
    posterior : bytes
        NetCDF file.
    """

    values: dict[str, Any]
    trace: Trace
    burn_in: int
    probability: NDArray[np.float64]
    variance: NDArray[np.float64]
    inputs: NDArray[np.float64]
    labels: NDArray[np.integer[Any]]
    wear: NDArray[np.int32]
    posterior: bytes

    def evaluation(self) -> dict[str, NDArray[Any]]:
        """What the pictures of a report need beside the trace."""
        names = ("probability", "variance", "inputs", "labels", "wear")
        return {name: getattr(self, name) for name in names}


def evaluate(experiment: Experiment, streamed: Block, sampling_seconds: float) -> Result:
    """Everything there is to say about a run whose last step is made."""
    trace = Trace.of(streamed, experiment.board.current())
    burn_in = burn_in_of(trace)
    codes, counts = trace.after(burn_in)
    probability, variance = predict(experiment.registers, experiment.test_points, codes, counts)
    weights = experiment.weights(trace.codes).astype(np.float32)
    draws = weights[trace.draws()]
    values = {
        **_request(experiment),
        **chain_of(trace, burn_in),
        **quality(experiment.test_labels, probability, variance),
        "baseline": experiment.baseline(),
        **_cost(experiment, streamed, sampling_seconds),
        **mixing(draws[:, burn_in:]),
        "entropy": experiment.board.entropy() | {"pseudo_random": experiment.pseudo_random},
        "retired_rows": experiment.board.retired_rows(),
        "status": COMPLETE if streamed.status == RUNNING else streamed.status,
    }
    return Result(
        values=plain(values),
        trace=trace,
        burn_in=burn_in,
        probability=probability,
        variance=variance,
        inputs=experiment.test_inputs,
        labels=experiment.test_labels,
        wear=experiment.board.ledger.wear.copy(),
        posterior=posterior_file(trace, draws, burn_in, experiment.weight_names),
    )


def burn_in_of(trace: Trace) -> int:
    """Steps to leave out: what the slowest chain needs, at most all but two steps."""
    longest = max(int(diagnostics.burn_in(chain)) for chain in trace.log_posterior_nat())
    return max(0, min(longest, trace.steps - 2))


def request_of(run: Equipped) -> dict[str, Any]:
    """What was asked for and what was chosen, whatever is learnt."""
    config = run.config
    return {
        "task": config.task,
        "backend": config.backend,
        "array": config.array,
        "preset": config.preset,
        "kernel": config.kernel,
        "rho": run.settings.rho,
        "gamma_us": run.registers.gamma_us,
        "trimmed": run.trimmed,
        "seed": config.seed,
        "geometry": _shape(run.registers.geometry),
    }


def _request(experiment: Experiment) -> dict[str, Any]:
    return request_of(experiment) | {
        "whiten": experiment.config.whiten,
        "features": experiment.registers.features - 1,
        "hidden": experiment.registers.hidden,
        "train_points": experiment.train_count,
        "test_points": len(experiment.test_labels),
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
    """How the chains went."""
    return {
        "chains": trace.chains,
        "steps": trace.steps,
        "burn_in": burn_in,
        "accepted": int(trace.accepted.sum()),
        "acceptance_rate": float(trace.accepted.mean()),
        "samples": len(trace.codes),
    }


def quality(
    labels: NDArray[np.integer[Any]],
    probability: NDArray[np.float64],
    variance: NDArray[np.float64],
) -> dict[str, Any]:
    """How good predictions are: labels 0/1 (n,), mean and variance of P(1), (n,) each."""
    right = (probability >= 0.5) == (labels == 1)
    certain = certain_first(probability, variance)[: max(1, round((1 - REFERRED) * len(labels)))]
    return {
        "accuracy": diagnostics.accuracy(labels, probability),
        "accuracy_interval_95": wilson_interval(float(right.mean()), len(labels)),
        "balanced_accuracy": diagnostics.balanced_accuracy(labels, probability),
        "log_loss": diagnostics.log_loss(labels, probability),
        "ece": diagnostics.ece(labels, probability),
        "referral": {
            "fraction": REFERRED,
            "points": len(labels) - len(certain),
            "accuracy": float(right[certain].mean()),
            "errors": int((~right).sum()),
            "errors_kept": int((~right[certain]).sum()),
        },
        "epistemic_sd_mean": float(np.sqrt(variance).mean()),
    }


def wilson_interval(share: float, n: int, z: float = Z_95) -> tuple[float, float]:
    """Wilson's score interval of a share that was observed in ``n`` cases; it holds the share.

    ``z`` is the normal quantile: 1.96 for 95 %, 1.645 for 90 %. Source: Wilson 1927, doi
    10.1080/01621459.1927.10502953.
    """
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * np.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    # rounding may leave the share itself outside by an ulp
    return float(min(share, max(0.0, centre - half))), float(max(share, min(1.0, centre + half)))


def certain_first(
    probability: NDArray[np.float64], variance: NDArray[np.float64]
) -> NDArray[np.intp]:
    """Indices of cases, those first whose answer is many posterior spreads away from 1/2."""
    distance = np.abs(probability - 0.5) / np.sqrt(variance + 1e-12)
    return np.argsort(-distance, kind="stable")


def _cost(experiment: Experiment, streamed: Block, seconds: float) -> dict[str, Any]:
    per_point = experiment.accesses_per_point
    return {
        "accesses": int(streamed.points.sum(dtype=np.int64)) * per_point,
        "accesses_without_early_reject": int(streamed.valid.sum())
        * len(experiment.points)
        * per_point,
    } | cost_of(experiment, seconds)


def cost_of(run: Equipped, seconds: float) -> dict[str, Any]:
    """Pulses, wear, energy and time."""
    ledger: Ledger = run.board.ledger
    report = energy(ledger, run.registers.geometry)
    return {
        "pulses": {
            "set": ledger.set,
            "reset": ledger.reset,
            "read": ledger.read,
            "dot": ledger.dot,
        },
        "wear": {"mean": float(ledger.wear.mean()), "max": int(ledger.wear.max())},
        "energy_joules": report.total.joules,
        "energy": report.to_dict(),
        "wall_seconds": seconds,
        "clock_cycles": run.board.clock_cycles(),
        "clock_hz": run.board.clock_hz,
    }


def mixing(draws: NDArray[np.float32]) -> dict[str, Any]:
    """ESS and split R-hat, worst weight: float32 (chains, steps, weights)."""
    ess = diagnostics.ess(draws)
    rhat = diagnostics.rhat(draws)
    steps = draws.shape[0] * draws.shape[1]
    return {
        "ess_min": float(np.min(ess)),
        "ess_median": float(np.median(ess)),
        "ess_min_per_1000_steps": float(np.min(ess)) * 1000 / steps,
        "rhat_max": float(np.max(rhat)),
    }


def posterior_file(
    trace: Trace, draws: NDArray[np.float32], burn_in: int, names: list[str]
) -> bytes:
    """ArviZ InferenceData as NetCDF: draws float32 (chains, steps, weights), burn-in apart."""
    az = diagnostics.arviz()
    lp, accepted = trace.log_posterior_nat(), trace.accepted_by_chain()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # more chains than draws in a very short run
        data = az.from_dict(
            posterior={"w": draws[:, burn_in:]},
            sample_stats={"lp": lp[:, burn_in:], "accepted": accepted[:, burn_in:]},
            warmup_posterior={"w": draws[:, :burn_in]},
            warmup_sample_stats={"lp": lp[:, :burn_in], "accepted": accepted[:, :burn_in]},
            save_warmup=True,
            coords={"weight": names},
            dims={"w": ["weight"]},
        )
    tree = data.to_datatree()
    for node in tree.subtree:
        node.attrs = {"inference_library": "ohmcarlo", "inference_library_version": __version__}
    return bytes(tree.to_netcdf(engine="h5netcdf"))


def plain(value: Any) -> Any:
    """Python's own numbers and lists, for JSON; what is not finite becomes None."""
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value
