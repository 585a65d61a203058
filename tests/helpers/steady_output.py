"""Plugin of pytest: verbs that tests call in their process show no progress.

What takes two seconds depends on the load of the machine, and outputs are compared to the letter.
``test_progress.py`` tests what is shown; processes of their own show it as usual.
"""

from __future__ import annotations

import sys
from functools import partial


def pytest_collection_finish() -> None:
    app = sys.modules.get("ohmcarlo.cli.app")
    if app is not None:
        app.Display = partial(app.Display, threaded=False)  # type: ignore[attr-defined]
