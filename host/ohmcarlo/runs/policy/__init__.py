"""Runs that learn a policy from the episodes that it brings about: cartpole."""
