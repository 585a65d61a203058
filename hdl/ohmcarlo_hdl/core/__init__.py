"""The controller: Metropolis-Hastings steps in hardware."""
