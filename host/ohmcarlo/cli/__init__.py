"""The command line: verbs, options, and what a person sees on a terminal."""
