"""Annotating in the browser: a session over frames, kept on disk after every change, and its page.

What needs the network's library is in :mod:`facetl.annotating.server` alone.
"""
