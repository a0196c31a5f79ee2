"""Choosing thresholds, image pyramid and score for an aim, by replaying cached scores."""
