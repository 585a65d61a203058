"""A logistic posterior by NumPyro's NUTS, in float64, for the reference programs of this folder."""

from __future__ import annotations

import os
import platform

import numpy as np


def posterior(
    inputs: np.ndarray,
    labels: np.ndarray,
    *,
    sigma_p: float,
    chains: int,
    warm_up: int,
    draws: int,
    seed: int,
) -> dict[str, np.ndarray]:
    """Moments and diagnostics of w ~ N(0, σ_p² I), y ~ Bernoulli(sigmoid(x·w)).

    ``inputs`` (n, m) and ``labels`` 0/1 (n,); ``draws`` are those of each chain.
    """
    os.environ["XLA_FLAGS"] = f"--xla_force_host_platform_device_count={chains}"
    import jax
    import numpyro
    import numpyro.distributions as dist
    from jax import numpy as jnp
    from numpyro.infer import MCMC, NUTS

    numpyro.enable_x64()
    x, y = jnp.asarray(inputs), jnp.asarray(labels)

    def model() -> None:
        w = numpyro.sample("w", dist.Normal(0, sigma_p).expand([x.shape[1]]).to_event(1))
        numpyro.sample("y", dist.Bernoulli(logits=x @ w), obs=y)

    sampler = MCMC(
        NUTS(model, target_accept_prob=0.9),
        num_warmup=warm_up,
        num_samples=draws,
        num_chains=chains,
        progress_bar=False,
    )
    sampler.run(jax.random.PRNGKey(seed))
    sampled = np.asarray(sampler.get_samples(group_by_chain=True)["w"])
    flat = sampled.reshape(-1, sampled.shape[-1])
    versions = [f"{m.__name__} {m.__version__}" for m in (numpyro, jax, np)]
    return {
        "mean": flat.mean(axis=0),
        "sd": flat.std(axis=0, ddof=1),
        "covariance": np.cov(flat.T),
        "ess": numpyro.diagnostics.effective_sample_size(sampled),
        "rhat": numpyro.diagnostics.split_gelman_rubin(sampled),
        "divergent": np.array(int(np.asarray(sampler.get_extra_fields()["diverging"]).sum())),
        "versions": np.array([*versions, f"python {platform.python_version()}"]),
    }
