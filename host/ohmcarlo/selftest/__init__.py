"""Self-tests of the sampling chain and of a board."""
