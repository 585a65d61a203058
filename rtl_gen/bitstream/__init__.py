"""Bitstreams for boards: ``python -m rtl_gen.bitstream BOARD``, or ``ohmcarlo build BOARD``."""
