"""The module that cocotb loads in a simulation: its tests are those that ``run_bench`` chose."""

from .cases import cocotb_tests

globals().update(cocotb_tests())
