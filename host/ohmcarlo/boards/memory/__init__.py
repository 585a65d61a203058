"""Contents of a controller's registers and memory windows."""
