"""Runs that learn to predict numbers: Bayesian linear regression."""
