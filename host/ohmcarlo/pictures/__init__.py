"""Pictures of arrays and results with matplotlib. No module here runs a chain."""
