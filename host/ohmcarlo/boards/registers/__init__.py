"""A controller on a memory-mapped bus: accesses, and a controller driven by its registers."""
