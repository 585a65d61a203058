"""Exit codes of the command line."""

DONE, FAILED, BAD_USE, INTERRUPTED = 0, 1, 2, 130
