"""The command that makes a run again, from its configuration."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from ...datasets.prior import OTHERS
from ...golden import PUBLISHED
from ...tasks import MULTICLASS, REGRESSION, TASKS
from ..config import AUTO, TrainConfig

PLAIN = (  # options that are left out where they have their usual value
    "backend", "array", "preset", "kernel", "wide_every", "rows", "pairs", "entropy_pairs",
    "access_bits", "seed", "train_points", "features", "hidden", "gamma", "tau", "dot_products",
    "repeats", "multi_class", "label", "positive",
)  # fmt: skip
USUAL = {f.name: f.default for f in fields(TrainConfig) if f.name in PLAIN}


def repeating(path: Path, manifest: Mapping[str, Any]) -> str:
    """Lines that make the run in ``path`` again, in another folder."""
    config = manifest["config"]
    again = f"{path.name}-again"
    lines = [f"# ohmcarlo {manifest['versions']['ohmcarlo']}"]
    if git := manifest.get("git"):
        lines = [f"git checkout {git['commit']}"]
    if config.get("problem") is not None:
        again = f"{path.parent.name}-again"
        lines.append(f"# this run is problem {config['problem'] + 1} of")
    return "\n".join([*lines, train_command(config, again)])


def train_command(config: Mapping[str, Any], out: str) -> str:
    """``ohmcarlo train`` with the options of a configuration, as ``TrainConfig.to_dict`` has it.

    The program chooses again what it chose for the run, with the same result.
    """
    options = [*_plain(config), *_method(config), *_prior(config), *_columns(config)]
    words = ["ohmcarlo", "train", config["task"], *options, "--out", out]
    return " ".join(shlex.quote(word) for word in words)


def _plain(config: Mapping[str, Any]) -> Iterator[str]:
    for name in PLAIN:
        value = config.get(name, USUAL[name])
        if value is not None and value != USUAL[name]:
            yield from (f"--{name.replace('_', '-')}", _text(value))
    for name in ("early_reject", "trim"):
        if not config.get(name, True):
            yield f"--no-{name.replace('_', '-')}"


def _method(config: Mapping[str, Any]) -> Iterator[str]:
    """Coordinates, proposal, chains and steps."""
    if config["whiten"] and not config.get("adapt"):
        yield "--whiten"
    elif not config["whiten"] and config["kernel"] != PUBLISHED:
        yield "--no-whiten"
    if config.get("rho") is not None and not config.get("pilot"):
        yield from ("--rho", _text(config["rho"]))
    yield from ("--chains", str(config["chains"]))
    if not config.get("more_steps"):
        yield from ("--steps", str(config["steps"]))


def _prior(config: Mapping[str, Any]) -> Iterator[str]:
    width = config.get("sigma_p")
    if config.get("sigma_p_choice") is not None:
        width = AUTO
    if isinstance(width, Mapping):
        for name, value in width.items():
            yield from ("--sigma-p", _text(value) if name == OTHERS else f"{name}={_text(value)}")
    elif width is not None:
        yield from ("--sigma-p", _text(width))


def _columns(config: Mapping[str, Any]) -> Iterator[str]:
    for name in config.get("drop", ()):
        yield from ("--drop", name)
    if config["task"] not in TASKS and config.get("kind") in (REGRESSION, MULTICLASS):
        yield "--regression" if config["kind"] == REGRESSION else "--no-regression"


def _text(value: Any) -> str:
    return repr(value) if isinstance(value, float) else str(value)
