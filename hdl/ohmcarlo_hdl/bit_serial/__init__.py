"""The controller's arithmetic and its emulated array with a few adders, a bit a clock."""
