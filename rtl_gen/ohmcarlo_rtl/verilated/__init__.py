"""The board as a program: ``python -m ohmcarlo_rtl.verilated``."""
