"""The cascade: three networks, their weights, the detector that runs them, what it finds."""
