"""Managers of the standard buses, and an independent model of the registers behind them."""
