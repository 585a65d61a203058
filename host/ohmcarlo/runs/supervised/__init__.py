"""Runs that learn from labelled data: Bayesian logistic regression and two-layer networks."""
