"""Errors for the user; the command line maps them to exit codes."""

from __future__ import annotations


class OhmcarloError(Exception):
    """A failure during the work (exit code 1). The message names a remedy."""

    exit_code = 1


class UsageError(OhmcarloError, ValueError):
    """A wrong request: an unknown name, a bad file, an impossible geometry (exit code 2)."""

    exit_code = 2


class Interrupted(OhmcarloError):
    """The user stopped the work; the message names the command that resumes it (exit code 130)."""

    exit_code = 130
