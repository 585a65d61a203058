"""What was recognised in the data of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...pages.content import Section, Table
from ...readable import count


def data_section(values: Mapping[str, Any], manifest: Mapping[str, Any]) -> Section | None:
    """From a result and the manifest of its run; None if the run has no data of its own (a
    policy)."""
    data = manifest["data"]
    names = data.get("feature_names")
    if not names:
        return None
    origin = values.get("data") or data
    recognised = origin.get("recognised")
    used = _used(values, manifest)
    facts = [("label column", origin["label"])] if origin.get("label") else []
    if data.get("class_names"):
        facts.append(("classes", ", ".join(data["class_names"])))
    if origin.get("positive"):
        facts.append(("positive class", origin["positive"]))
    if "train_points" in values:
        facts.append(("rows to learn from", f"{values['train_points']:,}"))
        facts.append(("rows held out", f"{values['test_points']:,}"))
    facts.append(("columns left out", ", ".join(origin.get("left_out") or ()) or "none"))
    facts.append(("features", f"{len(used)} of {len(names)} used"))
    for role, file in manifest["files"].items():
        facts.append((role, file["path"]))
    return Section(
        "data",
        "What was recognised in the data",
        sentences=(f"The program recognised {recognised}.",) if recognised else (),
        facts=facts,
        tables=(_columns(names, used),),
    )


def _used(values: Mapping[str, Any], manifest: Mapping[str, Any]) -> list[int]:
    """Indices of the features that the model uses."""
    encoder = values.get("encoder") or manifest.get("encoder") or {}
    columns = encoder.get("columns")
    if columns is None:
        problems = values.get("problems") or ()
        found = {c for p in problems for c in (p.get("encoder") or {}).get("columns", ())}
        return sorted(found) or list(range(len(manifest["data"]["feature_names"])))
    return [int(c) for c in columns]


def _columns(names: Sequence[str], used: Sequence[int]) -> Table:
    kept = set(used)
    rows = tuple(
        (name, "used" if i in kept else "left out: little information about the class, or constant")
        for i, name in enumerate(names)
    )
    return Table(
        ("column", "use"),
        rows,
        "Features of the data, in their order.",
        folded=f"Use of {count(len(rows), 'feature')}",
    )
