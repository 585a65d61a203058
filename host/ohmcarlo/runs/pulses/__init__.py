"""The list of the operations that a run gave to its array, and the check of such a list.

A run is repeated from its manifest, on the golden model, with a tap between controller and array
(``runs.tap``). ``recorder`` writes the operations, ``checker`` compares them with a list.
"""
