"""Places: rooms, streets, gardens and stages, and what stands in front of everybody."""

from facetl.cartoons.places import any_colours, foregrounds, indoors, outdoors, stages
from facetl.cartoons.places.place import FOREGROUNDS, PLACES, Place, choose_place, place

__all__ = [
    "FOREGROUNDS",
    "PLACES",
    "Place",
    "any_colours",
    "choose_place",
    "foregrounds",
    "indoors",
    "outdoors",
    "place",
    "stages",
]
