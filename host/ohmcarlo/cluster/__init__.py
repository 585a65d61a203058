"""Independent cells of work, computed by this process, by processes of this computer, or by a
Dask cluster.

A cell names a function of a module and its arguments (``cells.py``). Its result is a file of
numbers in a folder (``store.py``); such a file contains no code. ``open_cluster`` of ``engine.py``
returns the object that computes cells.
"""
