"""The end of a run that its user interrupted."""

from __future__ import annotations

from ..errors import OhmcarloError


class Interrupted(OhmcarloError):
    """The user stopped the run; the message names the command that resumes it."""

    exit_code = 130
