"""Generated parts of the documentation, and constraints for other FPGA flows."""
