"""Characterization of an array: measurement, estimates, trim and fitted device model."""
