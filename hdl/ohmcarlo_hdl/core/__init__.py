"""The Metropolis-Hastings step in logic."""
