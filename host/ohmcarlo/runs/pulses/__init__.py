"""The list of the operations that a run gave to its array, and the check of such a list.

A run is made again from its manifest, on the golden model, with a tap between controller and array
(``runs.tap``). ``recorder`` writes what passes, ``checker`` compares it with a list.
"""
