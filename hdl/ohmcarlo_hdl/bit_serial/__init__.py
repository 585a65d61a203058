"""The bit-serial controller: it multiplies with a few adders, one bit per clock."""
