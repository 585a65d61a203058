"""Several boards at once: each has an array of its own and a share of the chains."""
