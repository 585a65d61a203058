"""Benches of the hardware: cocotb on Verilator, called by pytest."""
