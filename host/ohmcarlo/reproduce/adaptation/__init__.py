"""Arrays that adapt themselves, beside chains around a fit on the computer."""

from .figure import make as make
