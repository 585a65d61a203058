"""The named configurations of the controller."""

from __future__ import annotations

from collections.abc import Mapping

from ohmcarlo.errors import UsageError
from ohmcarlo.spec import Geometry
from ohmcarlo_hdl.config import COMPACT, CoreConfig

REFERENCE = "reference"

CONFIGS: Mapping[str, CoreConfig] = {
    REFERENCE: CoreConfig(),
    "512x16": CoreConfig(Geometry(rows=512, pairs=16)),
    "128x64": CoreConfig(Geometry(rows=128, pairs=64)),
    # one bit of an input per access, for arrays whose word lines are on or off
    "one-bit-access": CoreConfig(Geometry(access_bits=1)),
    # logistic regression only, for the smallest FPGAs
    "compact": COMPACT,
}


def config_of(name: str) -> CoreConfig:
    if name not in CONFIGS:
        raise UsageError(f"configuration {name!r} is unknown: choose among {', '.join(CONFIGS)}")
    return CONFIGS[name]
