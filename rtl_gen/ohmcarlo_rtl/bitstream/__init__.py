"""Bitstreams for boards: ``ohmcarlo build BOARD``, ``python -m ohmcarlo_rtl.bitstream BOARD``."""
