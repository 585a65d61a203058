"""The IP core for other designs, as a folder with files for tool flows."""
