"""The coin of a run: its health tests, and the entropy of its raw bits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...pages.content import Section, Table
from ...readable import count
from ...spec import APT_WINDOW, SYMBOL_BITS, health_cutoffs

Arrays = Mapping[str, NDArray[Any]]


def coin_section(entropy: Mapping[str, Any], state: Arrays | None = None) -> Section:
    """From ``entropy`` of a result, and the state of the board if one is kept."""
    per_bit, raw = entropy["min_entropy"], entropy["raw_bits"]
    return Section(
        "coin",
        "Coin",
        sentences=(_health(entropy), _source(entropy)),
        facts=[
            ("min-entropy", f"{per_bit:.3f} bit per raw bit (NIST SP 800-90B, 6.3.1: most common "
             f"value, {SYMBOL_BITS}-bit symbols)"),
            ("min-entropy that the health tests assume", f"{entropy['tested_min_entropy']:.2f} "
            "bit per raw bit"),
            ("raw bits", f"{raw:,}"),
            ("raw bits per bit of the coin", _fold(entropy["fold"])),
            ("alarms", f"{entropy['alarms']}"),
        ],
        tables=(_tests(entropy), *_symbols(state)),
    )  # fmt: skip


def _health(entropy: Mapping[str, Any]) -> str:
    alarms = entropy["alarms"]
    if not alarms:
        return f"The health tests checked all {entropy['raw_bits']:,} raw bits and raised no alarm."
    return (
        f"The health tests raised {count(alarms, 'alarm')}. The controller accepts no proposal "
        "with bits that failed a test; `ohmcarlo characterize` shows what is wrong with the "
        "entropy devices."
    )


def _source(entropy: Mapping[str, Any]) -> str:
    if entropy["pseudo_random"]:
        return (
            "The array is emulated: the bits are pseudo-random by construction, and are no "
            "evidence about a real array."
        )
    return "The bits come from the cycle-to-cycle variation of real devices."


def _fold(fold: int) -> str:
    return "1" if fold == 1 else f"{fold}, combined by exclusive or"


def _tests(entropy: Mapping[str, Any]) -> Table:
    rct, rct_symbol, apt = health_cutoffs(float(entropy["tested_min_entropy"]))
    rows = (
        ("repetition count, raw bits (4.4.1)", f"{rct} equal bits in succession"),
        (
            "repetition count, symbols of one device (4.4.1)",
            f"{rct_symbol} equal {SYMBOL_BITS}-bit symbols in succession",
        ),
        (
            "adaptive proportion, raw bits (4.4.2)",
            f"{apt} of {APT_WINDOW:,} bits equal to the first of their window",
        ),
    )
    return Table(("test", "raises an alarm at"), rows, "Health tests of NIST SP 800-90B.")


def _symbols(state: Arrays | None) -> tuple[Table, ...]:
    """How often the coin saw each symbol, if a state is kept."""
    counts = np.zeros(0) if state is None else state.get("controller.symbol_counts", np.zeros(0))
    total = int(counts.sum())
    if not total:
        return ()
    rows = tuple(
        (f"{symbol:0{SYMBOL_BITS}b}", f"{int(n):,}", f"{n / total:.2%}")
        for symbol, n in enumerate(counts)
    )
    return (
        Table(
            ("symbol", "seen", "share"),
            rows,
            f"Symbols of the entropy devices; equal shares would be {1 / len(counts):.1%}.",
        ),
    )
