"""Mutants: planted bugs for which a bench or a proof has to fail.

- ``source``: a copy of a module with changes, and that copy in the place of the original
- ``switch``: many mutants in one build, each behind a value of an input
- ``hardware``: the mutants of the benches, by block (``verif/test_mutants.py`` runs them)

The hardware itself contains no trace of them.
"""
