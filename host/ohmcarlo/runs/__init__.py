"""A training run: configuration, set-up, sampling loop, outcome and its folder."""
