"""Standard buses in front of the register bus, and AXI4-Stream."""
