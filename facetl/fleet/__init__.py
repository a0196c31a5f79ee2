"""Many machines: a search cut into blocks, each searched where there is room for it.

The road of the data: pictures and videos become blocks (:mod:`facetl.fleet.blocks`); a block is
searched by the detectors that search everything else, and becomes a shard of each run
(:mod:`facetl.fleet.searching`); Ray Data hands blocks to machines and hears what became of them
(:mod:`facetl.fleet.ray_engine`).
"""
