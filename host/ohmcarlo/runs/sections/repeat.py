"""How to repeat a run: its command, versions and digests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...pages.content import Section, Table


def repeat_section(manifest: Mapping[str, Any], code: str) -> Section:
    """From the manifest of a run; ``code`` holds the commands that make it again."""
    versions = manifest["versions"]
    digests = [(name, digest) for name, digest in manifest["inputs"].items()]
    digests += [(file["path"], file["sha256"]) for file in manifest["files"].values()]
    return Section(
        "repeat",
        "How to repeat this run",
        sentences=(
            "Equal inputs, seed and version give the same chain on every board, bit for bit.",
        ),
        facts=[
            ("seed", str(manifest.get("seed", manifest["config"].get("seed", "")))),
            *((name, version) for name, version in versions.items()),
            ("commit", _commit(manifest.get("git"))),
            *_board(manifest.get("board") or {}),
        ],
        tables=(Table(("input", "SHA-256"), tuple(digests), "Digests of what decides the chain."),),
        code=code,
    )


def _commit(git: Mapping[str, Any] | None) -> str:
    if git is None:
        return "none: an installed package"
    return f"{git['commit']}{', with changes' if git['changed'] else ''}"


def _board(board: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [(f"board: {name.replace('_', ' ')}", str(value)) for name, value in board.items()]
