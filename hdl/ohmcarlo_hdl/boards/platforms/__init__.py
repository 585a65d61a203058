"""Platforms that amaranth-boards lacks: tool flows of FPGA families, and tables of pins."""
