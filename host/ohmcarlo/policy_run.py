"""A run that learns a policy: what it works with, and what it amounts to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .array.energy import energy
from .boards import RUNNING, Block, Board, open_board
from .bring_up import calibration_of, open_array
from .config import TrainConfig
from .errors import UsageError
from .experiment import choose_settings, devices_in_use, git_state, versions
from .golden import Calibration, EpisodeLikelihood, Registers, SamplerSettings
from .policy import TEST_EPISODES, Policy, environment, gymnasium_returns
from .results import COMPLETE, burn_in_of, mixing, plain, posterior_file, shape_of
from .spec import CODE_LSB_US, Geometry, Points
from .spec.cartpole import EPISODE_STEPS, INPUT_NAMES, POLICY_INPUTS, beta
from .tasks import get_task
from .trace import Trace

RULE = "mean weights of the samples after burn-in, each as often as it was current"
NO_DATA = ("whiten", "features", "hidden")


@dataclass(frozen=True, eq=False)
class PolicyExperiment:
    """Everything a run works with; two built from equal configurations are equal.

    Attributes
    ----------
    config : TrainConfig
    settings : SamplerSettings
    registers : Registers
    board : Board
        Configured, not started.
    judge : EpisodeLikelihood
    trimmed : bool
        The array was characterised and its devices corrected.
    """

    config: TrainConfig
    settings: SamplerSettings
    registers: Registers
    board: Board
    judge: EpisodeLikelihood
    trimmed: bool

    @property
    def points(self) -> Points:
        """There are none."""
        return no_points()

    def close(self) -> None:
        """Let go of the board."""
        self.board.close()

    def manifest(self) -> dict[str, Any]:
        """What a run folder says about how it was made."""
        return {
            "config": self.config.to_dict(),
            "seed": self.config.seed,
            "versions": versions(),
            "git": git_state(),
            "board": self.board.identify(),
            "data": {"sha256": "", "episodes": vars(self.judge)},
            "weight_names": list(INPUT_NAMES),
        }

    def require_same_data(self, manifest: dict[str, Any]) -> None:
        """Refuse to go on with a run whose episodes are not what they were."""
        if manifest["data"].get("episodes") != vars(self.judge):
            raise UsageError(
                f"the episodes of {self.config.task} are not those that this run began with: use "
                "the version of ohmcarlo that wrote it, or start a new run"
            )

    def description(self) -> list[str]:
        """What is about to happen, for a person."""
        geometry = self.registers.geometry
        chains = "1 chain" if geometry.regions == 1 else f"{geometry.regions} chains"
        return [
            f"{self.config.task}: {self.judge.episodes} episodes a policy, the same start states "
            f"for all; {self.judge.episodes * (self.config.steps + 1):,} episodes a chain",
            f"array: {geometry.rows} rows × {geometry.pairs} pairs "
            f"({geometry.devices:,} devices), {chains} of "
            f"{self.config.steps:,} steps, rho {self.settings.rho:g}, "
            f"gamma {self.registers.gamma_us:.3g} µS",
        ]


@dataclass(frozen=True, eq=False)
class PolicyResult:
    """A finished run.

    Attributes
    ----------
    values : dict
        What goes into the JSON.
    trace : Trace
    burn_in : int
        Steps of every chain that are left out of the policy.
    policy : Policy
    returns : int64 (samples, episodes)
        Steps that each sample's training episodes lasted.
    played : int64 (steps of all chains,)
        Training episodes so far, all chains together, after each step.
    tested : int64 (test episodes,)
        Returns in Gymnasium.
    wear : int32 (rows, row_devices)
        SET pulses that each device has seen.
    posterior : bytes
        NetCDF file.
    """

    values: dict[str, Any]
    trace: Trace
    burn_in: int
    policy: Policy
    returns: NDArray[np.int64]
    played: NDArray[np.int64]
    tested: NDArray[np.int64]
    wear: NDArray[np.int32]
    posterior: bytes

    def evaluation(self) -> dict[str, NDArray[Any]]:
        """What the pictures of a report need beside the trace."""
        return {name: getattr(self, name) for name in ("returns", "played", "tested", "wear")}


def no_points() -> Points:
    return Points.of(np.zeros((0, POLICY_INPUTS), np.int8))


def _silent(_: str) -> None: ...


def build_policy(config: TrainConfig, say: Callable[[str], None] = _silent) -> PolicyExperiment:
    """Open and calibrate the array, and have its board judge proposals by their episodes.

    Close the result in the end. Raises UsageError for whatever cannot be done, OhmcarloError when
    the board cannot be reached.
    """
    task = get_task(config.task)
    for name in NO_DATA:
        if getattr(config, name):
            raise UsageError(f"{task.name} learns from no data: leave out --{name}")
    environment().close()  # whoever cannot test a policy hears of it now
    geometry = Geometry(
        rows=config.rows,
        pairs=config.pairs,
        entropy_pairs=config.entropy_pairs,
        regions=config.chains,
    )
    geometry.require_features(POLICY_INPUTS)
    opened = open_array(config.array, config.preset, geometry, config.seed, task.rel)
    settings = choose_settings(config, task, opened, 0, 1.0)
    sigma, calibration = opened.array.sigma_us, Calibration()
    trimmed = config.trim and not opened.ideal
    judge = EpisodeLikelihood(config.seed)
    board = open_board(config.backend, opened.array, say)
    try:
        if trimmed:
            say("characterising the array first: offsets, spreads, dead devices (--no-trim skips)")
            found = opened.characterize(devices_in_use(geometry, POLICY_INPUTS))
            sigma, calibration = found.sigma_us, calibration_of(found)
        registers = settings.registers(geometry, POLICY_INPUTS, sigma, calibration)
        board.configure(registers, no_points(), judge)
    except BaseException:
        board.close()
        raise
    return PolicyExperiment(config, settings, registers, board, judge, trimmed)


def evaluate_policy(
    experiment: PolicyExperiment, streamed: Block, sampling_seconds: float
) -> PolicyResult:
    """Everything there is to say about a run whose last step is made."""
    board, registers, config = experiment.board, experiment.registers, experiment.config
    trace = Trace.of(streamed, board.current())
    burn_in = burn_in_of(trace)
    policy = Policy.of(*trace.after(burn_in))
    returns = np.array([experiment.judge.steps(codes) for codes in trace.codes])
    # a proposal outside the valid window is turned down without an episode
    played = experiment.judge.episodes * (trace.chains + np.cumsum(streamed.valid))
    tested = gymnasium_returns(policy, config.seed)
    draws = registers.weights(trace.codes).astype(np.float32)[trace.draws()]
    ledger = board.ledger
    report = energy(ledger, registers.geometry)
    means = returns.mean(axis=1)[trace.draws()]
    values = {
        "task": config.task,
        "backend": config.backend,
        "array": config.array,
        "preset": config.preset,
        "kernel": config.kernel,
        "rho": experiment.settings.rho,
        "gamma_us": registers.gamma_us,
        "trimmed": experiment.trimmed,
        "seed": config.seed,
        "geometry": shape_of(registers.geometry),
        "chains": trace.chains,
        "steps": trace.steps,
        "burn_in": burn_in,
        "accepted": int(trace.accepted.sum()),
        "acceptance_rate": float(trace.accepted.mean()),
        "samples": len(trace.codes),
        "training": {
            "episodes": int(played[-1]),
            "episodes_of_a_policy": experiment.judge.episodes,
            "beta": beta,
            "first_return": float(means[:, 0].mean()),
            "mean_return_after_burn_in": float(means[:, burn_in:].mean()),
            "episodes_to_full_return": _episodes_to_full_return(played, trace, means),
        },
        "policy": {
            "rule": RULE,
            "weights_us": dict(zip(INPUT_NAMES, policy.mean * CODE_LSB_US, strict=True)),
        },
        "test": {"episodes": TEST_EPISODES, **summary_of(tested)},
        "pulses": {name: getattr(ledger, name) for name in ("set", "reset", "read", "dot")},
        "wear": {"mean": float(ledger.wear.mean()), "max": int(ledger.wear.max())},
        "energy_joules": report.total.joules,
        "energy": report.to_dict(),
        "wall_seconds": sampling_seconds,
        "clock_cycles": board.clock_cycles(),
        "clock_hz": board.clock_hz,
        **mixing(draws[:, burn_in:]),
        "entropy": board.entropy() | {"pseudo_random": board.pseudo_random},
        "retired_rows": board.retired_rows(),
        "status": COMPLETE if streamed.status == RUNNING else streamed.status,
    }
    return PolicyResult(
        values=plain(values),
        trace=trace,
        burn_in=burn_in,
        policy=policy,
        returns=returns,
        played=played,
        tested=tested,
        wear=ledger.wear.copy(),
        posterior=posterior_file(trace, draws, burn_in, list(INPUT_NAMES)),
    )


def summary_of(tested: NDArray[np.int64]) -> dict[str, Any]:
    """Returns in Gymnasium, in short."""
    return {
        "mean_return": float(tested.mean()),
        "sd": float(tested.std(ddof=1)),
        "least": int(tested.min()),
        "full": float((tested == EPISODE_STEPS).mean()),
    }


def _episodes_to_full_return(
    played: NDArray[np.int64], trace: Trace, means: NDArray[np.float64]
) -> int | None:
    """Training episodes after which some chain's current policy never fell; None: not yet."""
    for step in range(len(played)):
        if means[trace.chain[step], step // trace.chains] == EPISODE_STEPS:
            return int(played[step])
    return None
