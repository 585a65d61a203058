"""The controller as hardware: Amaranth components with bit-exact twins in the golden model."""
