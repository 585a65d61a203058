"""Pictures with matplotlib. They draw arrays and results; nothing here runs a chain."""
