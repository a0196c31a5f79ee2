"""Props: all that stands and hangs about, some of it looking back at you without being a face."""

from facetl.cartoons.props import household, lookalikes, outside, toys
from facetl.cartoons.props.prop import HOUSE, PROPS, Prop, PropDrawer, prop, props_for

__all__ = [
    "HOUSE",
    "PROPS",
    "Prop",
    "PropDrawer",
    "household",
    "lookalikes",
    "outside",
    "prop",
    "props_for",
    "toys",
]
