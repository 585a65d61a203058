"""The generator: Verilog, headers, firmware, simulated board, bitstreams, pages."""
