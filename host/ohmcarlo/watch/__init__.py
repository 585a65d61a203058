"""The page of a run while its chains run, in a browser on the same computer.

A server reads the files of the run folder and nothing else. The run does not know of it, so that
either of the two can end and begin again.
"""
