"""The board as a program: ``python -m rtl_gen.verilated``."""
