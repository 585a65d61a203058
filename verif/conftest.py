"""Makes ``verif`` and the tests' shared problems importable, here and in the simulator."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
for path in (ROOT, ROOT / "tests" / "helpers"):
    if str(path) not in sys.path:
        sys.path.insert(0, str(path))
