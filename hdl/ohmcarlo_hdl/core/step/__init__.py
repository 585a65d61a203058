"""The step controller."""
