"""ohmcarlo: memristor arrays that learn by themselves.

Messages go to the log ``ohmcarlo`` of ``logging``; a program that wants them adds a handler.
"""

import logging

__version__ = "0.1.0"
logging.getLogger(__name__).addHandler(logging.NullHandler())
