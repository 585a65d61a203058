"""The register map as a C header and as an HTML page."""
