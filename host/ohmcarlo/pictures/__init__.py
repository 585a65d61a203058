"""Plots of runs, devices and policies."""
