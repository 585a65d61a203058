"""Properties that are proved, not simulated, and how to prove them."""
