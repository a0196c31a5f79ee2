"""Manifests: what was written into a folder, how, from what, and whether it is still the same."""
