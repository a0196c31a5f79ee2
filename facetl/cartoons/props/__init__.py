"""Props: things that stand and hang about, some of which resemble a face and are none."""

from facetl.cartoons.props import (
    animals,
    food,
    garments,
    household,
    limbs,
    lookalikes,
    machines,
    nature,
    outside,
    signs,
    toys,
)
from facetl.cartoons.props.prop import HOUSE, PROPS, Prop, PropDrawer, prop, props_for

GROUPS = (
    HOUSE,
    animals.ANIMALS,
    food.FOOD,
    garments.GARMENTS,
    limbs.LIMBS,
    machines.MACHINES,
    nature.NATURE,
    signs.SIGNS,
)
"""All groups of props; those after the first come in every colour."""

__all__ = [
    "GROUPS",
    "HOUSE",
    "PROPS",
    "Prop",
    "PropDrawer",
    "animals",
    "food",
    "garments",
    "household",
    "limbs",
    "lookalikes",
    "machines",
    "nature",
    "outside",
    "prop",
    "props_for",
    "signs",
    "toys",
]
