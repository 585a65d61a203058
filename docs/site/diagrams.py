"""Mermaid diagrams of the pages as SVG, drawn while the site is built."""

from __future__ import annotations

import html
import re
from hashlib import sha256

HINT = "Select the diagram to enlarge it."
FENCE = re.compile(r'<div class="diagram">(.*?)</div>', re.S)


def drawn(page: str) -> str:
    """A page in HTML with its diagrams as SVG."""
    return FENCE.sub(lambda match: _figure(html.unescape(match[1])), page)


def _figure(source: str) -> str:
    import mermaidx

    name = f"diagram-{sha256(source.encode()).hexdigest()[:8]}"
    svg = mermaidx.render(source).svg().replace("my-svg", name)
    width = re.search(r'viewBox="0 0 ([\d.]+)', svg)
    if not width:
        raise ValueError(f"a diagram without a size: {source[:60]!r}")
    label = 'role="img" aria-label="Block diagram; the text below describes it"'
    svg = svg.replace('role="graphics-document document"', label)
    svg = svg.replace('width="100%"', f'width="{float(width[1]):.0f}"')
    return f'<div class="diagram" tabindex="0">{svg}</div><p class="hint">{HINT}</p>'
