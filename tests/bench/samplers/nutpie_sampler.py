"""nutpie on a log-density of two kinds: compiled by Numba in float64, and by JAX.

nutpie can also take a model of PyMC. PyMC needs an older Numba than the golden model has here.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .array_sampler import CHAINS
from .measuring import Run, Stopwatch
from .problems import Problem

TUNE = {False: 400, True: 800}
"""Steps of adaptation with a diagonal and with a low-rank mass matrix: the defaults of nutpie."""
NUMBA, JAX = "Numba", "JAX"


@dataclass
class Nutpie:
    """nutpie's NUTS as a ``Sampler``.

    Its one call adapts and samples. The time of the call is divided by the numbers of gradient
    evaluations.
    """

    problem: Problem
    low_rank: bool
    kernel: str
    name: str = "nutpie NUTS"
    _model: Any = field(default=None, init=False)

    @property
    def configuration(self) -> str:
        return ("low-rank" if self.low_rank else "diagonal") + f" mass matrix, {self.kernel}"

    def compile(self) -> None:
        from nutpie.compiled_pyfunc import from_pyfunc

        density = numba_density(self.problem) if self.kernel == NUMBA else jax_density(self.problem)
        weights = self.problem.x.shape[1] + 1
        self._model = from_pyfunc(
            weights,
            lambda: density,
            lambda *_: lambda w, **_: {"w": w},
            [np.dtype(np.float64)],
            [(weights,)],
            ["w"],
        )
        density(np.zeros(weights))

    def run(self, seed: int) -> Run:
        import nutpie

        watch = Stopwatch()
        with watch.time("all"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = nutpie.sample(
                self._model, draws=self.problem.draws, tune=TUNE[self.low_rank], chains=CHAINS,
                cores=1, seed=seed, progress_bar=False,
                low_rank_modified_mass_matrix=self.low_rank,
            )  # fmt: skip
        before = float(found.warmup_sample_stats["n_steps"].sum())
        after = float(found.sample_stats["n_steps"].sum())
        share = before / (before + after)
        spent = watch.seconds["all"]
        draws = found.posterior["w"].to_numpy()
        return Run(draws, spent.times(share), spent.times(1 - share))


Density = Callable[..., tuple[float, Any]]


def numba_density(problem: Problem) -> Density:
    """Log-posterior of the weights and its gradient, compiled by Numba."""
    import numba

    x = np.where(problem.y[:, None] == 1, problem.inputs, -problem.inputs)
    precision = 1 / problem.sigma_p**2

    @numba.njit(fastmath=True)
    def density(w: Any, x: Any, precision: float) -> tuple[float, Any]:
        z = x @ w
        total = 0.0
        for i in range(len(z)):
            e = np.exp(-abs(z[i]))
            total -= np.log1p(e) + max(-z[i], 0.0)
            z[i] = (e if z[i] >= 0 else 1.0) / (1 + e)
        return total - 0.5 * precision * (w @ w), z @ x - precision * w

    return lambda w, **_: density(w, x, precision)


def jax_density(problem: Problem) -> Density:
    """The same compiled by JAX, in its precision."""
    import jax

    from .jax_samplers import log_density

    compiled = jax.jit(jax.value_and_grad(log_density(problem)[0]))

    def density(w: Any, **_: Any) -> tuple[float, Any]:
        value, gradient = compiled(w)
        return float(value), np.asarray(gradient, np.float64)

    return density
