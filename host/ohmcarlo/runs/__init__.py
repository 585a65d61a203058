"""A training run: configuration, set-up, chain run, result, and the folder of the run."""
