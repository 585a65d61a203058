"""Measurements of devices: one record of programming pulses, whatever file it comes from."""
