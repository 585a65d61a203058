"""Formal proofs: properties of the hardware, and the tools that prove them."""
