"""The command line: verbs, options, output on a terminal."""
