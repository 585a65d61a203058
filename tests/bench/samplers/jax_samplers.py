"""NumPyro and BlackJAX: the log-density, compilation, and the draws of several chains at once."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .array_sampler import CHAINS
from .measuring import Run, Stopwatch
from .problems import Problem

WARM_UP = 500
ACCEPTANCE = 0.8
ONE_THREAD = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"


def import_jax(float64: bool) -> Any:
    """JAX on one thread of the processor."""
    os.environ["JAX_PLATFORMS"] = "cpu"
    os.environ["XLA_FLAGS"] = ONE_THREAD
    import jax

    jax.config.update("jax_enable_x64", float64)
    return jax


@dataclass
class JaxSampler:
    """A sampler of one chain, compiled for all chains.

    Attributes
    ----------
    warm_up : callable
        key → state after the adaptation.
    draw : callable
        state, key → the weights (draws, weights).
    together : bool
        Whether the chains run as one vectorised program, or one after the other.
    """

    name: str
    problem: Problem
    configuration: str
    warm_up: Callable[[Any], Any]
    draw: Callable[[Any, Any], Any]
    together: bool = True
    _compiled: tuple[Any, Any] | None = field(default=None, init=False)

    def compile(self) -> None:
        import jax

        warm_up, draw = self.warm_up, self.draw
        if self.together:
            warm_up, draw = jax.vmap(warm_up), jax.vmap(draw)
        key = self._keys(0)[0]
        first = jax.jit(warm_up).lower(key).compile()
        self._compiled = first, jax.jit(draw).lower(first(key), key).compile()

    def run(self, seed: int) -> Run:
        import jax

        assert self._compiled is not None
        warm_up, draw = self._compiled
        watch, keys = Stopwatch(), self._keys(seed)
        with watch.time("adaptation"):
            states = jax.block_until_ready([warm_up(key) for key in keys])
        with watch.time("sampling"):
            draws = [np.asarray(draw(state, key)) for state, key in zip(states, keys, strict=True)]
        found = draws[0] if self.together else np.stack(draws)
        return Run(found, watch.seconds["adaptation"], watch.seconds["sampling"])

    def _keys(self, seed: int) -> list[Any]:
        """The arguments of the calls: one for all chains, or one for each."""
        import jax

        keys = jax.random.split(jax.random.key(seed), CHAINS)
        return [keys] if self.together else list(keys)


def numpyro_nuts(problem: Problem, *, dense: bool, together: bool = True) -> JaxSampler:
    """NumPyro's NUTS."""
    import jax
    import numpyro
    import numpyro.distributions as dist
    from numpyro.infer import NUTS

    x, y = _arrays(problem)

    def model() -> None:
        prior = dist.Normal(0.0, problem.sigma_p).expand([x.shape[1]]).to_event(1)
        weights = numpyro.sample("w", prior)
        numpyro.sample("y", dist.Bernoulli(logits=x @ weights), obs=y)

    kernel = NUTS(model, target_accept_prob=ACCEPTANCE, dense_mass=dense)
    kernel.init(jax.random.key(0), WARM_UP, None, (), {})  # traces the model

    def warm_up(key: Any) -> Any:
        first = kernel.init(key, WARM_UP, None, (), {})
        return jax.lax.fori_loop(0, WARM_UP, lambda _, s: kernel.sample(s, (), {}), first)

    def draw(state: Any, key: Any) -> Any:
        def step(state: Any, _: Any) -> Any:
            state = kernel.sample(state, (), {})
            return state, state.z["w"]

        return jax.lax.scan(step, state, None, length=problem.draws)[1]

    return JaxSampler(
        "NumPyro NUTS", problem, _configuration(dense, together), warm_up, draw, together
    )


def blackjax_nuts(problem: Problem, *, dense: bool, together: bool = True) -> JaxSampler:
    """BlackJAX' NUTS after its window adaptation."""
    import blackjax

    return _blackjax(problem, "BlackJAX NUTS", blackjax.nuts, dense, together, {})


def blackjax_hmc(problem: Problem, *, leaps: int, together: bool = True) -> JaxSampler:
    """BlackJAX' HMC with so many leapfrog steps and a dense mass matrix."""
    import blackjax

    options = {"num_integration_steps": leaps}
    made = _blackjax(problem, "BlackJAX HMC", blackjax.hmc, True, together, options)
    made.configuration += f", {leaps} leapfrog steps"
    return made


def _blackjax(
    problem: Problem,
    name: str,
    algorithm: Any,
    dense: bool,
    together: bool,
    options: dict[str, Any],
) -> JaxSampler:
    import blackjax
    import jax
    from jax import numpy as jnp

    density, weights = log_density(problem)
    adaptation = blackjax.window_adaptation(
        algorithm,
        density,
        is_mass_matrix_diagonal=not dense,
        target_acceptance_rate=ACCEPTANCE,
        **options,
    )

    def warm_up(key: Any) -> Any:
        (state, found), _ = adaptation.run(key, jnp.zeros(weights), num_steps=WARM_UP)
        return state, {name: found[name] for name in ("step_size", "inverse_mass_matrix")}

    def draw(adapted: Any, key: Any) -> Any:
        state, found = adapted
        step = algorithm(density, **found, **options).step

        def one(state: Any, key: Any) -> Any:
            state, _ = step(key, state)
            return state, state.position

        return jax.lax.scan(one, state, jax.random.split(key, problem.draws))[1]

    return JaxSampler(name, problem, _configuration(dense, together), warm_up, draw, together)


def _arrays(problem: Problem) -> tuple[Any, Any]:
    from jax import numpy as jnp

    return jnp.asarray(problem.inputs), jnp.asarray(problem.y)


def log_density(problem: Problem) -> tuple[Callable[[Any], Any], int]:
    """Log-posterior of the weights, and their number."""
    from jax import numpy as jnp

    x, y = _arrays(problem)
    signed = jnp.where(y[:, None] == 1, x, -x)
    precision = 1 / problem.sigma_p**2

    def density(w: Any) -> Any:
        return -jnp.logaddexp(0.0, -(signed @ w)).sum() - 0.5 * precision * (w @ w)

    return density, x.shape[1]


def _configuration(dense: bool, together: bool) -> str:
    shape = "dense" if dense else "diagonal"
    return f"{shape} mass matrix" + ("" if together else ", one chain after the other")
