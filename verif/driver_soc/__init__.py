"""A processor with an AXI4-Lite master, memory and the IP core, for the driver in C."""
