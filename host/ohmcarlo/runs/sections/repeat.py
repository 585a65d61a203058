"""How to repeat a run: its command, versions and digests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...pages.content import Section, Table
from ..config import TrainConfig
from ..config_writing import config_text


def repeat_section(manifest: Mapping[str, Any], code: str) -> Section:
    """From the manifest of a run; ``code``: the commands that make it again (``repeating``)."""
    versions = manifest["versions"]
    digests = [*manifest["inputs"].items()]
    digests += [(file["path"], file["sha256"]) for file in manifest["files"].values()]
    return Section(
        "repeat",
        "How to repeat this run",
        sentences=(
            "Equal inputs, seed and version give the same chain on every board, bit for bit.",
        ),
        facts=[
            ("seed", str(manifest["config"]["seed"])),
            *versions.items(),
            ("commit", _commit(manifest.get("git"))),
            *_board(manifest.get("board") or {}),
        ],
        tables=(
            Table(
                ("input", "SHA-256"),
                tuple(digests),
                "Digests of all inputs that determine the chain.",
            ),
        ),
        code=code,
    )


def settings_section(manifest: Mapping[str, Any]) -> Section | None:
    """The settings of a run as a file that repeats it; None for one of several problems, which the
    run of all classes repeats."""
    if manifest["config"].get("problem") is not None:
        return None
    return Section(
        "settings",
        "Settings as a file",
        sentences=(
            "Save these lines as run.toml. `ohmcarlo train --config run.toml` then repeats this "
            "run without its folder.",
        ),
        code=config_text(TrainConfig.from_dict(manifest["config"])),
        folded=True,
    )


def _commit(git: Mapping[str, Any] | None) -> str:
    if git is None:
        return "none: an installed package"
    return f"{git['commit']}{', with changes' if git['changed'] else ''}"


def _board(board: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [(f"board: {name.replace('_', ' ')}", str(value)) for name, value in board.items()]
