"""A search of many pictures or of videos, on this machine or on many.

Pictures go in one after the other and are forgotten once they are searched
(:mod:`facetl.search.pipeline`); frames of a video are linked over time
(:mod:`facetl.search.video`).  On many machines the pictures are cut into blocks
(:mod:`facetl.search.blocks`), and each block is searched wherever there is room for it
(:mod:`facetl.search.block_search`, :mod:`facetl.search.ray_engine`).
"""
