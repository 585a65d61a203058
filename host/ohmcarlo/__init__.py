"""ohmcarlo: memristor arrays that learn by themselves."""

__version__ = "0.1.0"
