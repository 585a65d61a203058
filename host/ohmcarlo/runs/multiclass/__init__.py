"""Runs that tell more than two classes apart: one ordinary run for each binary problem."""
