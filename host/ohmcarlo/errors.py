"""Errors that a person can act on; the command line maps them to exit codes."""

from __future__ import annotations


class OhmcarloError(Exception):
    """Something failed while working (exit code 1). The message says what to do."""

    exit_code = 1


class UsageError(OhmcarloError, ValueError):
    """The request itself is wrong: an unknown name, a bad file, an impossible geometry (exit 2)."""

    exit_code = 2
