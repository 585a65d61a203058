"""Generated outputs: Verilog, memory images, C header, register page, manifest."""
