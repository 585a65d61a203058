"""Building blocks that all components share: arithmetic, FIFOs, pipelines, tables, windows."""
