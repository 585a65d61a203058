"""Whether the model in the registers of a controller fits it: the checks of the firmware."""

from __future__ import annotations

from ...spec.cartpole import POLICY_INPUTS
from ..memory.layout import Layout
from ..memory.state import REGION_WORDS
from .core import Core

MULTIPLICITY = 5
"""Word of a region in the window ``state_regions``."""
MODEL = (
    "points",
    "features",
    "hidden",
    "regions",
    "region_groups",
    "rows_per_region",
    "min_free",
    "retries",
)


def model_of(core: Core) -> dict[str, int]:
    """Registers of the group ``model``."""
    return {name: core.get(f"model.{name}.value") for name in MODEL}


def model_fits(model: dict[str, int], layout: Layout, predicts: bool = False) -> bool:
    """As ``model_fits`` in firmware/src/chain.c. Predictions are of points in the memory; an
    evaluation may have more, if they are streamed."""
    group_rows = model["hidden"] + 1
    streamed = 0 if predicts else layout.max_streamed_points
    return (
        model["points"] <= max(layout.max_points, streamed)
        and 1 <= model["features"] <= layout.pairs - layout.entropy_pairs
        and group_rows <= layout.max_group_rows
        and 1 <= model["regions"] <= layout.max_regions
        and model["region_groups"] >= 4
        and model["region_groups"] * group_rows <= model["rows_per_region"]
        and model["regions"] * model["rows_per_region"] <= layout.rows
        and model["min_free"] >= 2
        and model["retries"] >= 1
    )


def judge_fits(core: Core, model: dict[str, int]) -> bool:
    """Proposals that are judged by episodes are linear policies."""
    if not core.get("model.options.external"):
        return True
    return model["features"] == POLICY_INPUTS and model["hidden"] == 0


def samples_in_array(core: Core, model: dict[str, int]) -> int:
    """Multiplicities of all samples in the array, summed: as in firmware/src/triage.c."""
    windows = core.map.windows
    held = core.access.read_words(windows["state_held"].address, windows["state_held"].words)
    words = REGION_WORDS * model["regions"]
    regions = core.access.read_words(windows["state_regions"].address, words)
    total = int(regions[MULTIPLICITY::REGION_WORDS].sum(dtype="i8"))
    group_rows, groups = model["hidden"] + 1, model["region_groups"]
    for region in range(model["regions"]):
        first = region * model["rows_per_region"]
        total += int(held[first : first + groups * group_rows : group_rows].sum(dtype="i8"))
    return total
