"""Sweeps: one run for every combination of settings and devices, and what their results show."""
