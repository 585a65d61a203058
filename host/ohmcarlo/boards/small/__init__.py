"""Boards without a processor: the bit-serial controller behind a serial line."""
