"""The chains of a run: traces, ranks, effective sample size and R-hat of every weight."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ... import diagnostics
from ...diagnostics import ESS_LIMIT, RHAT_LIMIT
from ...pages.charts import ranks, traces
from ...pages.charts_dots import dots
from ...pages.content import Chart, Section, Table
from ...readable import count

FloatArray = NDArray[np.float64]
MOST_WEIGHTS = 40
"""Weights of a chart; the table holds all of them."""


@dataclass(frozen=True, eq=False)
class Chains:
    """The chains of a run so far.

    Attributes
    ----------
    names : list of str
        Of the weights.
    draws : float32 or float64 (chains, steps, weights)
        Weights after the burn-in.
    log_posterior : float64 (chains, all steps)
        Of the current sample, nat.
    burn_in : int
        Steps that were left out.
    every : int
        Steps of the chain from one step of these arrays to the next.
    """

    names: list[str]
    draws: NDArray[np.floating]
    log_posterior: FloatArray
    burn_in: int
    every: int = 1

    @cached_property
    def bulk(self) -> FloatArray:
        """Bulk effective sample size of every weight."""
        return diagnostics.ess(self.draws)

    @cached_property
    def tail(self) -> FloatArray:
        """Tail effective sample size of every weight."""
        return diagnostics.tail_ess(self.draws)

    @cached_property
    def rhat(self) -> FloatArray:
        """Split R-hat of every weight."""
        return diagnostics.rhat(self.draws)

    @property
    def known(self) -> bool:
        """Whether there are enough steps for the diagnostics."""
        return bool(np.isfinite(self.bulk).all())

    @cached_property
    def fewest(self) -> FloatArray:
        """The smaller one of both effective sample sizes of every weight."""
        return np.minimum(self.bulk, self.tail)

    @property
    def worst(self) -> int:
        """The weight with the fewest effective samples, of those in the bulk and in the tails."""
        return int(np.nanargmin(self.fewest)) if np.isfinite(self.fewest).any() else 0


def chains_section(chains: Chains, prefix: str = "", title: str = "Chains") -> Section:
    """Traces, ranks, and a table of the diagnostics.

    ``prefix``: of the names of section and charts, for a page with several runs.
    """
    return Section(
        f"{prefix}chains",
        title,
        sentences=(_finding(chains),),
        charts=tuple(_charts(chains, prefix)),
        tables=(_table(chains),),
    )


def _finding(chains: Chains) -> str:
    number, steps = chains.log_posterior.shape
    every = chains.every
    what = (
        f"The run has {number} × {steps * every:,} steps (chains × steps). The first "
        f"{chains.burn_in * every:,} steps of each chain are left out as burn-in."
    )
    if every > 1:
        what = f"{what} One step in {every} is used here."
    if not chains.known:
        return f"{what} They are too few for an effective sample size."
    few = int((chains.fewest < ESS_LIMIT).sum())
    apart = int((chains.rhat > RHAT_LIMIT).sum())
    return (
        f"{what} {len(chains.names) - few} of {len(chains.names)} weights have the {ESS_LIMIT} "
        f"effective samples that an interval requires, in the bulk and in the tails; "
        f"{len(chains.names) - apart} have a split R-hat of at most {RHAT_LIMIT}."
    )


def _charts(chains: Chains, prefix: str) -> Iterator[Chart]:
    lp, worst = chains.log_posterior, chains.worst
    settled = lp[:, chains.burn_in :]
    agree = " Chains that agree overlap." if len(lp) > 1 else ""
    yield traces(
        f"{prefix}trace",
        "Log-posterior of the chains",
        f"After the burn-in the log-posterior lies between {settled.min():.1f} and "
        f"{settled.max():.1f} nat, with a mean of {settled.mean():.1f}.{agree}",
        lp,
        axis="log-posterior (nat, unnormalised)",
        burn_in=chains.burn_in,
        every=chains.every,
    )
    if not chains.known:
        return
    name, draws = chains.names[worst], chains.draws[:, :, worst]
    rhat = _rhat(chains.rhat[worst])
    yield traces(
        f"{prefix}worst-trace",
        f"Trace of the weight with the fewest effective samples: {name}",
        f"{name} has {chains.bulk[worst]:,.0f} effective samples in the bulk and "
        f"{chains.tail[worst]:,.0f} in the tails; its split R-hat is {rhat}.",
        draws,
        axis="weight",
        first=chains.burn_in + 1,
        every=chains.every,
    )
    if len(draws) > 1:  # the ranks of one chain among its own draws show nothing
        yield ranks(
            f"{prefix}ranks",
            f"Ranks of the weight with the fewest effective samples: {name}",
            f"The chart counts the draws of each chain by their rank among all draws. If the "
            f"chains sample the same distribution, the lines stay near 1. The split R-hat of this "
            f"weight is {rhat}.",
            draws,
        )
    yield from _sizes(chains, prefix)


def _sizes(chains: Chains, prefix: str) -> Iterator[Chart]:
    """Effective samples and R-hat of the weights that are worst in each."""
    names, shown = np.array(chains.names, object), len(chains.names)
    some = "" if shown <= MOST_WEIGHTS else f" The chart shows the worst {MOST_WEIGHTS} of {shown}."
    order = np.argsort(chains.fewest, kind="stable")[:MOST_WEIGHTS]
    yield dots(
        f"{prefix}ess",
        "Effective samples of every weight",
        f"The fewest are {chains.bulk.min():,.0f} in the bulk and {chains.tail.min():,.0f} in the "
        f"tails; an interval requires {ESS_LIMIT}.{some}",
        list(names[order]),
        {"bulk": chains.bulk[order], "tail": chains.tail[order]},
        axis="effective samples",
        limit=("needed for an interval", ESS_LIMIT),
        what="weight",
    )
    order = np.argsort(-chains.rhat, kind="stable")[:MOST_WEIGHTS]
    yield dots(
        f"{prefix}rhat",
        "Split R-hat of every weight",
        f"The largest split R-hat is {_rhat(chains.rhat.max())}; it should be at most "
        f"{RHAT_LIMIT}.{some}",
        list(names[order]),
        {"split R-hat": chains.rhat[order]},
        axis="split R-hat",
        limit=("limit", RHAT_LIMIT),
        what="weight",
    )


def _table(chains: Chains) -> Table:
    mean = chains.draws.mean(axis=(0, 1), dtype=np.float64)
    spread = chains.draws.std(axis=(0, 1), dtype=np.float64)
    columns = zip(chains.names, mean, spread, chains.bulk, chains.tail, chains.rhat, strict=True)
    rows = tuple(
        (name, f"{m:.3f}", f"{sd:.3f}", _size(bulk), _size(tail), _rhat(rhat))
        for name, m, sd, bulk, tail, rhat in columns
    )
    return Table(
        ("weight", "mean", "standard deviation", "ESS, bulk", "ESS, tail", "split R-hat"),
        rows,
        "Diagnostics of every weight after the burn-in.",
        folded=f"Diagnostics of {count(len(rows), 'weight')}",
    )


def _size(value: float) -> str:
    return f"{value:,.0f}" if np.isfinite(value) else "unknown"


def _rhat(value: float) -> str:
    """As text; infinite for a weight that never moved."""
    return "unknown" if np.isnan(value) else f"{value:.3f}" if np.isfinite(value) else "infinite"
