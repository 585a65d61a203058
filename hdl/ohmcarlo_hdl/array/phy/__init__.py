"""Interface to a physical 1T1R array on a daughterboard."""
