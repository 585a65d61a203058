"""The record stream of a controller, decoded into blocks."""
