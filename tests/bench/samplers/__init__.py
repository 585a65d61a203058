"""Effective samples per second of arrays and of samplers on ordinary computers."""
