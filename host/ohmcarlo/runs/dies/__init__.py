"""The verdict on an array: a reference run on it, what to expect of a run, and a report."""
