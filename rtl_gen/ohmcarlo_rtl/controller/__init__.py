"""Verilog of the controller and the emulator, memory images, manifest, lint."""
