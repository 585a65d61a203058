"""``python -m verif.testplan``: renew the table of the tiers in ``README.md``."""

from __future__ import annotations

from . import FOLDER, PAGE, promises_of, renewed

PAGE.write_text(renewed(PAGE.read_text("utf-8"), promises_of(FOLDER)), encoding="utf-8")
