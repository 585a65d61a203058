"""Standard buses in front of the register bus."""
