"""Reference posteriors of `ohmcarlo reproduce exactness`, from NumPyro's NUTS.

    python -m venv ref && ref/bin/pip install -e . numpyro
    OHMCARLO_DATA=... ref/bin/python tests/reference/nuts_problems.py

Writes host/ohmcarlo/reproduce/exactness/references.json. Target, in float64: w ~ N(0, σ_p² I),
y ~ Bernoulli(sigmoid(x·w)), x the standardised features and a column of ones. No sampler and no
encoder of ohmcarlo is used. The SHA-256 of the data is stored with the result.
"""

from __future__ import annotations

import json
import os
import platform
from pathlib import Path
from typing import Any

import numpy as np

import ohmcarlo
from ohmcarlo.reproduce.exactness.problems import PROBLEMS, Problem, digest, standardised

CHAINS, WARM_UP, DRAWS = 4, 1000, 10_000
NUTS_SEED = 2026
DIGITS = 6
OUT = Path(ohmcarlo.__file__).parent / "reproduce" / "exactness" / "references.json"


def sample(problem: Problem) -> dict[str, Any]:
    """Mean, sd and Monte Carlo error of the mean (in sd) of every weight, the bias last."""
    import jax
    import numpyro
    import numpyro.distributions as dist
    from jax import numpy as jnp
    from numpyro.infer import MCMC, NUTS

    x_data, y_data = problem.data()
    x, y = jnp.asarray(standardised(x_data)), jnp.asarray(y_data)

    def model() -> None:
        prior = dist.Normal(0, problem.sigma_p).expand([x.shape[1]])
        w = numpyro.sample("w", prior.to_event(1))
        numpyro.sample("y", dist.Bernoulli(logits=x @ w), obs=y)

    sampler = MCMC(
        NUTS(model, target_accept_prob=0.9),
        num_warmup=WARM_UP,
        num_samples=DRAWS,
        num_chains=CHAINS,
        progress_bar=False,
    )
    sampler.run(jax.random.PRNGKey(NUTS_SEED))
    draws = np.asarray(sampler.get_samples(group_by_chain=True)["w"])
    ess = numpyro.diagnostics.effective_sample_size(draws)
    rhat = numpyro.diagnostics.split_gelman_rubin(draws)
    divergent = int(np.asarray(sampler.get_extra_fields()["diverging"]).sum())
    print(f"{problem.name}: ESS {ess.min():.0f}, R-hat {rhat.max():.5f}, {divergent} divergent")
    flat = draws.reshape(-1, draws.shape[-1])
    return {
        "mean": _rounded(flat.mean(axis=0)),
        "sd": _rounded(flat.std(axis=0, ddof=1)),
        "error": _rounded(1 / np.sqrt(ess)),
        "rhat": round(float(rhat.max()), DIGITS),
        "divergent": divergent,
        "data_sha256": digest(x_data, y_data),
    }


def _rounded(values: np.ndarray) -> list[float]:
    return [round(float(value), DIGITS) for value in values]


def main() -> None:
    os.environ["XLA_FLAGS"] = f"--xla_force_host_platform_device_count={CHAINS}"
    import jax
    import numpyro

    numpyro.enable_x64()
    posteriors = {name: sample(problem) for name, problem in PROBLEMS.items()}
    versions = [f"{m.__name__} {m.__version__}" for m in (numpyro, jax, np)]
    content = {
        "sampler": "NumPyro NUTS",
        "chains": CHAINS,
        "warm_up": WARM_UP,
        "draws": DRAWS,
        "seed": NUTS_SEED,
        "versions": [*versions, f"python {platform.python_version()}"],
        "posteriors": posteriors,
    }
    OUT.write_text(json.dumps(content, indent=1) + "\n", encoding="ascii")


if __name__ == "__main__":
    main()
