"""Choosing how a detector searches: what is tried on annotated frames, and what is best."""
