"""The reference posterior of WDBC, from NumPyro's NUTS: writes tests/data/nuts_wdbc.npz.

    python -m venv ref && ref/bin/pip install -e . numpyro
    ref/bin/python tests/reference/nuts_wdbc.py

Target, in float64: w ~ N(0, σ_p² I), y ~ Bernoulli(sigmoid(x·w)), x the quantised inputs (int8 /
32) of the training half, bias included. No sampler of ohmcarlo is used. The data come from its
encoder. Their SHA-256 is stored with the result, so that a comparison with other data is detected.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import platform
from pathlib import Path

import numpy as np

SIGMA_P = 1.0
FEATURES = 15
SPLIT_SEED = 0
CHAINS, WARM_UP, DRAWS = 4, 2000, 25_000
NUTS_SEED = 2021
OUT = Path(__file__).parents[1] / "data" / "nuts_wdbc.npz"


def digest(inputs: np.ndarray, labels: np.ndarray) -> str:
    """SHA-256 of int8 inputs (n, m) followed by uint8 labels (n,)."""
    return hashlib.sha256(inputs.tobytes() + labels.tobytes()).hexdigest()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--draws", type=int, default=DRAWS, help="per chain")
    arguments = parser.parse_args()

    os.environ["XLA_FLAGS"] = f"--xla_force_host_platform_device_count={CHAINS}"
    import jax
    import numpyro
    import numpyro.distributions as dist
    from jax import numpy as jnp
    from numpyro.infer import MCMC, NUTS

    from ohmcarlo.datasets import Encoder, load, split_half

    numpyro.enable_x64()
    data = load("breast-cancer")
    train, _ = split_half(data.y, SPLIT_SEED)
    encoder = Encoder.fit(
        data.x[train], data.y[train], feature_names=data.feature_names, features=FEATURES
    )
    points = encoder.training_points(data.x[train], data.y[train])
    x, y = jnp.asarray(points.inputs / 32.0), jnp.asarray(points.labels)

    def model() -> None:
        w = numpyro.sample("w", dist.Normal(0, SIGMA_P).expand([x.shape[1]]).to_event(1))
        numpyro.sample("y", dist.Bernoulli(logits=x @ w), obs=y)

    sampler = MCMC(
        NUTS(model, target_accept_prob=0.9),
        num_warmup=WARM_UP,
        num_samples=arguments.draws,
        num_chains=CHAINS,
        progress_bar=False,
    )
    sampler.run(jax.random.PRNGKey(NUTS_SEED))
    draws = np.asarray(sampler.get_samples(group_by_chain=True)["w"])
    divergent = int(np.asarray(sampler.get_extra_fields()["diverging"]).sum())
    ess = numpyro.diagnostics.effective_sample_size(draws)
    rhat = numpyro.diagnostics.split_gelman_rubin(draws)
    flat = draws.reshape(-1, draws.shape[-1])
    arguments.out.parent.mkdir(exist_ok=True)
    np.savez(
        arguments.out,
        mean=flat.mean(axis=0),
        sd=flat.std(axis=0, ddof=1),
        covariance=np.cov(flat.T),
        ess=ess,
        rhat=rhat,
        names=np.array([*encoder.feature_names, "bias"]),
        data_sha256=np.array(digest(points.inputs, points.labels)),
        sigma_p=SIGMA_P,
        features=FEATURES,
        split_seed=SPLIT_SEED,
        points=len(points),
        chains=CHAINS,
        warm_up=WARM_UP,
        draws=arguments.draws,
        seed=NUTS_SEED,
        divergent=divergent,
        versions=np.array(
            [f"{m.__name__} {m.__version__}" for m in (numpyro, jax, np)]
            + [f"python {platform.python_version()}"]
        ),
    )
    print(f"{len(flat)} draws, ESS {ess.min():.0f} or more, R-hat {rhat.max():.5f} or less")
    print(f"{divergent} divergent; Monte Carlo error {1 / np.sqrt(ess.min()):.4f} sd or less")


if __name__ == "__main__":
    main()
