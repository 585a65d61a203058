"""The core for other people's designs, as a folder with entries for their tool flows."""
