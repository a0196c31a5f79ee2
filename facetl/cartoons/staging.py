"""Staging: who and what goes where, before anything is drawn."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from random import Random

from facetl.cartoons.cast import CAST
from facetl.cartoons.pen import HEIGHT, WIDTH
from facetl.cartoons.props import HOUSE, Prop, props_for
from facetl.cartoons.strangers import dress_up, invent
from facetl.cartoons.toon import Toon, pose

UNKNOWN = "unknown"
"""The label of whoever is not a regular."""

Footprint = tuple[float, float, float, float]

ChooseToon = Callable[[str, Random, bool], Toon]
"""Returns who has a label, in a random pose; from behind if the last argument is true."""

HATS_FROM_BEHIND = (None, None, "beanie", "band", "bowler")
"""Hats that look the same from behind."""

_HAIR_SHARE = 1.12  # hair and hats make a head look larger than its outline


@dataclass(frozen=True)
class Shot:
    """How close the camera is, and who may be in it.

    Attributes:
        people: the numbers of them, one of which is chosen.
        smallest: the least height of a head, in pixels.
        largest: the greatest.
        weight: how often the shot is chosen.
        framing: where heads are: see ``FRAMINGS``.
        edge: how near the sides somebody alone may be, as a share of the width.
        cut_off: how much of the height of a head may be above or below the frame.
        overlap: how much of a head's room another head may take.
        closeness: how large props are, relative to other shots.
    """

    people: tuple[int, ...]
    smallest: float
    largest: float
    weight: int = 1
    framing: str = "head"
    edge: float = 0.28
    cut_off: float = 0.0
    overlap: float = 0.12
    closeness: float = 1.0

    def __post_init__(self) -> None:
        if self.framing not in FRAMINGS:
            known = ", ".join(FRAMINGS)
            raise ValueError(f"no framing {self.framing!r}; there are {known}")

    def edge_for(self, count: int) -> float:
        """Return how near the sides one of so many may be."""
        return min(0.1, self.edge) if count > 1 else self.edge


@dataclass(frozen=True)
class Actor:
    """Somebody at a place: the middle of the head is at (x, y), one head unit is ``scale``."""

    toon: Toon
    label: str
    x: float
    y: float
    scale: float
    mirrored: bool

    @property
    def depth(self) -> float:
        """Where the feet stand; whoever stands lower is nearer."""
        return self.y + self.scale * self.toon.soles

    @property
    def footprint(self) -> Footprint:
        """The room that the head takes."""
        half = self.toon.half_width * self.scale * 1.25
        return self.x - half, self.y - 1.3 * self.scale, self.x + half, self.y + 1.15 * self.scale


@dataclass(frozen=True)
class PlacedProp:
    """A prop around (x, y), about 2 ``scale`` wide."""

    prop: Prop
    x: float
    y: float
    scale: float

    @property
    def depth(self) -> float:
        """Where it stands; what hangs is behind everything."""
        return 0 if self.prop.hangs else self.y + self.scale

    @property
    def footprint(self) -> Footprint:
        """The room that it takes."""
        half = self.scale
        return self.x - half, self.y - half, self.x + half, self.y + half


# ---- framings: the height of the head's middle in the frame and the scale

Framing = Callable[[Toon, float, float, Random], tuple[float, float]]
"""Is given the toon, the height of its head, the height of the floor, and the random generator."""


def _show_head(toon: Toon, height: float, floor: float, rng: Random) -> tuple[float, float]:
    return rng.uniform(0.36, 0.58) * HEIGHT, _scale(toon, height)


def _show_waist(toon: Toon, height: float, floor: float, rng: Random) -> tuple[float, float]:
    scale = _scale(toon, height)
    lowest = HEIGHT + scale * toon.soles * 0.75
    return rng.uniform(max(floor + 10, 260), lowest) - scale * toon.soles, scale


def _show_feet(toon: Toon, height: float, floor: float, rng: Random) -> tuple[float, float]:
    foot = rng.uniform(max(floor + 6, 235), 350)
    nearness = 0.7 + 0.5 * (foot - floor) / max(40, HEIGHT - floor)
    scale = _scale(toon, max(_SMALLEST, min(_LARGEST, height * nearness)))
    return foot - scale * toon.soles, scale


def _show_anywhere(toon: Toon, height: float, floor: float, rng: Random) -> tuple[float, float]:
    share = rng.random()
    return (0.05 + 0.9 * share) * HEIGHT, _scale(toon, height * (0.85 + 0.3 * share))


def _scale(toon: Toon, height: float) -> float:
    return height / (toon.bottom - toon.top) * _HAIR_SHARE


_SMALLEST, _LARGEST = 25.0, 200.0  # heads, in pixels

FRAMINGS: dict[str, Framing] = {
    "head": _show_head,
    "waist": _show_waist,
    "feet": _show_feet,
    "anywhere": _show_anywhere,
}
"""What is sure to be in the frame; "anywhere" puts the lower heads nearer, as in a crowd."""


SHOTS = {
    "close": Shot((1, 1, 2), 115, 200, weight=4, closeness=1.25),
    "medium": Shot((1, 2, 2, 3), 60, 118, weight=4, framing="waist"),
    "wide": Shot((2, 3, 3, 4), 28, 62, weight=2, framing="feet", edge=0.1),
    "crowd": Shot(
        (8, 10, 12, 14), 31, 46, framing="anywhere", edge=0.04, cut_off=0.1, overlap=0.03
    ),
    "huddle": Shot((4, 5, 6), 50, 95, framing="anywhere", edge=0.06, cut_off=0.15, overlap=0.18),
    "row": Shot((3, 4, 5, 6), 34, 66, framing="feet", edge=0.06, overlap=0.15),
    "far": Shot((1, 2), 26, 34, framing="feet", edge=0.06),
    "extreme": Shot((1,), 230, 440, framing="anywhere", edge=0.3, cut_off=0.3, closeness=1.5),
    "off centre": Shot(
        (1, 1, 2), 100, 240, framing="anywhere", edge=0.08, cut_off=0.2, closeness=1.25
    ),
}
"""Shots by name; the built-in cartoon has the first three."""


@dataclass(frozen=True)
class Staging:
    """Who and what may go where; the defaults are those of the built-in cartoon.

    Attributes:
        shots: the shots, each chosen as often as its weight says.
        heads: the least and the greatest height of a head, in pixels.
        turned_away: how often one more is seen from behind.
        regulars: how often the next one is a regular.
        props: the least and the greatest number of props.
        prop_scales: half their least and half their greatest width, in pixels.
        small_props: whether they are small more often than large.
        prop_groups: the groups of props to be drawn.
        place_groups: the groups of places to be drawn.
        foreground: how often something stands in front of everybody.
    """

    shots: tuple[Shot, ...] = (SHOTS["close"], SHOTS["medium"], SHOTS["wide"])
    heads: tuple[float, float] = (_SMALLEST, _LARGEST)
    turned_away: float = 0.22
    regulars: float = 0.5
    props: tuple[int, int] = (2, 8)
    prop_scales: tuple[float, float] = (12, 36)
    small_props: bool = False
    prop_groups: tuple[str, ...] = (HOUSE,)
    place_groups: tuple[str, ...] = (HOUSE,)
    foreground: float = 0.3

    def prop_scale(self, rng: Random) -> float:
        """Return half the width of a prop."""
        least, most = self.prop_scales
        if self.small_props:
            return math.exp(rng.uniform(math.log(least), math.log(most)))
        return rng.uniform(least, most)


HOUSE_STAGING = Staging()
"""That of the built-in cartoon."""


def choose_shot(rng: Random, staging: Staging = HOUSE_STAGING) -> Shot:
    """Return a random shot."""
    return rng.choices(staging.shots, [shot.weight for shot in staging.shots])[0]


def choose_toon(label: str, rng: Random, turned_away: bool) -> Toon:
    """Return a regular or, if the label is "unknown", a stranger, in a random pose."""
    who = invent(rng) if label == UNKNOWN else CAST[label]
    if turned_away:
        who = replace(who, hat=rng.choice(HATS_FROM_BEHIND))
    return pose(who, dress_up(who, rng), rng, turned_away=turned_away)


def place_cast(
    shot: Shot,
    floor: float,
    rng: Random,
    staging: Staging = HOUSE_STAGING,
    choose_toon: ChooseToon = choose_toon,
) -> list[Actor]:
    """Return who is in the frame; now and then one more, seen from behind."""
    count = rng.choice(shot.people)
    names = rng.sample(list(CAST), k=min(count, len(CAST)))
    size = shot.smallest * (shot.largest / shot.smallest) ** rng.random()
    smallest, largest = staging.heads
    actors: list[Actor] = []
    for i in range(count + (rng.random() < staging.turned_away)):
        regular = i < len(names) and rng.random() < staging.regulars
        label = names[i] if regular else UNKNOWN
        toon = choose_toon(label, rng, i >= count)
        height = min(largest, max(smallest, size * rng.uniform(0.8, 1.25)))
        actor = _find_room(Actor(toon, label, 0, 0, height, False), shot, count, floor, actors, rng)
        actors += [actor] if actor else []
    return actors


def _find_room(
    unplaced: Actor, shot: Shot, count: int, floor: float, others: list[Actor], rng: Random
) -> Actor | None:
    """Return the actor where it covers nobody else's head, or None if there is no room.

    The scale of who is not placed yet is the height of the head.
    """
    toon, edge = unplaced.toon, shot.edge_for(count)
    taken = [other.footprint for other in others]
    for _ in range(40):
        x = rng.uniform(edge, 1 - edge) * WIDTH
        y, scale = FRAMINGS[shot.framing](toon, unplaced.scale, floor, rng)
        faces_out = (x - WIDTH / 2) * toon.yaw > 0
        mirrored = faces_out and rng.random() < 0.7
        actor = replace(unplaced, x=x, y=y, scale=scale, mirrored=mirrored)
        if _is_in_frame(actor, shot.cut_off) and _is_free(actor.footprint, taken, shot.overlap):
            return actor
    return None


def _is_in_frame(actor: Actor, cut_off: float) -> bool:
    scale, bottom, outside = actor.scale, actor.toon.bottom, 2 * cut_off * actor.scale
    return scale * 0.98 - outside < actor.y < HEIGHT - scale * bottom * 0.9 + outside


def place_props(
    setting: str,
    shot: Shot,
    floor: float,
    actors: list[Actor],
    rng: Random,
    staging: Staging = HOUSE_STAGING,
) -> list[PlacedProp]:
    """Return the props that stand and hang about without covering a face or each other."""
    heads = [actor.footprint for actor in actors]
    placed: list[PlacedProp] = []
    least, most = staging.props
    for _ in range(rng.randrange(least, most + 1)):
        prop = rng.choice(props_for(setting, staging.prop_groups))
        scale = staging.prop_scale(rng) * shot.closeness * prop.size
        for _ in range(12):
            spot = PlacedProp(prop, *_put(prop, scale, floor, rng), scale)
            taken = [each.footprint for each in placed]
            if _is_free(spot.footprint, heads, 0.1) and _is_free(spot.footprint, taken, 0.05):
                placed.append(spot)
                break
    return placed


def _put(prop: Prop, scale: float, floor: float, rng: Random) -> tuple[float, float]:
    x = rng.uniform(0.04, 0.96) * WIDTH
    if prop.hangs:
        return x, rng.uniform(0.12, 0.5) * HEIGHT
    return x, floor + rng.uniform(0, HEIGHT - floor - 10) - scale * 1.1


def _is_free(footprint: Footprint, taken: list[Footprint], limit: float) -> bool:
    return all(_overlap(footprint, other) < limit for other in taken)


def _overlap(one: Footprint, other: Footprint) -> float:
    """Return the shared area as a part of the smaller footprint."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    smaller = min((box[2] - box[0]) * (box[3] - box[1]) for box in (one, other))
    return max(0.0, width) * max(0.0, height) / smaller
