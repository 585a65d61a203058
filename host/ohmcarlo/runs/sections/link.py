"""The link to the board: bytes, frames and repairs."""

from __future__ import annotations

from collections.abc import Mapping

from ...pages.content import Section
from ...readable import count

NAMES = {
    "bytes_sent": "bytes sent",
    "bytes_received": "bytes received",
    "frames_sent": "frames sent",
    "frames_received": "frames received",
    "resent": "frames sent again",
    "damaged": "damaged frames received",
    "duplicates": "frames received twice",
    "out_of_order": "frames received out of order",
    "timeouts": "acknowledgements that did not arrive in time",
}
REPAIRS = ("resent", "damaged", "duplicates", "out_of_order", "timeouts")


def link_section(statistics: Mapping[str, int] | None) -> Section | None:
    """From ``link`` of a result; None for a run whose board has no link, or of an earlier
    version."""
    if statistics is None:
        return None
    damaged = statistics["damaged"]
    clean = not any(statistics[name] for name in REPAIRS)
    return Section(
        "link",
        "Link to the board",
        sentences=(
            "Every frame arrived once, in order and undamaged."
            if clean
            else f"The link corrected every error: {count(damaged, 'damaged frame')} arrived, and "
            f"the host sent {count(statistics['resent'], 'frame')} again. Frames have checksums "
            "and numbers, so no record was lost or changed.",
            "The counts start when `ohmcarlo train` or `ohmcarlo resume` opens the board.",
        ),
        facts=[(NAMES.get(name, name), f"{n:,}") for name, n in statistics.items()],
    )
