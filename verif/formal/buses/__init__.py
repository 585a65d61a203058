"""Bridges from standard buses: the rules of each specification, and every access end to end."""
