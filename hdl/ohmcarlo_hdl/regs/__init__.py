"""The register map: one SystemRDL source, and the hardware generated from it."""
