"""The firmware: generated headers, the image of a board, programs for this machine."""
