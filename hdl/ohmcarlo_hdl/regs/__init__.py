"""The register map: one SystemRDL source, and what is made from it."""
