"""What an array is good for: a reference run on it, a verdict, and a report."""
