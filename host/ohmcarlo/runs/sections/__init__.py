"""Sections of an HTML page that runs of all kinds share.

Each function takes stored values or arrays and returns a ``Section``, or None if there is nothing
of it. Pages of complete runs and of running ones call the same functions.
"""
