"""Staging: who and what goes where, before anything is drawn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from random import Random

from facetl.cartoons.cast import CAST
from facetl.cartoons.pen import HEIGHT, WIDTH
from facetl.cartoons.props import Prop, props_for
from facetl.cartoons.strangers import dress_up, invent
from facetl.cartoons.toon import Toon, pose

UNKNOWN = "unknown"
"""The label of whoever is not a regular."""

Engage = Callable[[str, Random, bool], Toon]
"""Returns who goes by a label, in a pose of chance; from behind if the last argument says so."""

Footprint = tuple[float, float, float, float]

_SMALLEST, _LARGEST = 25.0, 200.0  # heads, in pixels
_HAIR_SHARE = 1.12  # hair and hats make a head look larger than its outline


@dataclass(frozen=True)
class Shot:
    """How close the camera is: who may be in it, and the range of heights of a head."""

    people: tuple[int, ...]
    smallest: float
    largest: float
    weight: int


SHOTS = {
    "close": Shot((1, 1, 2), 115, 200, weight=4),
    "medium": Shot((1, 2, 2, 3), 60, 118, weight=4),
    "wide": Shot((2, 3, 3, 4), 28, 62, weight=2),
}


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


def choose_shot(rng: Random) -> str:
    """Return the name of a shot."""
    return rng.choices(list(SHOTS), [shot.weight for shot in SHOTS.values()])[0]


def place_cast(
    shot_name: str, floor: float, rng: Random, engage: Engage | None = None
) -> list[Actor]:
    """Return who is in the frame; now and then one more, seen from behind."""
    shot = SHOTS[shot_name]
    count = rng.choice(shot.people)
    names = rng.sample(list(CAST), k=min(count, len(CAST)))
    size = shot.smallest * (shot.largest / shot.smallest) ** rng.random()
    actors: list[Actor] = []
    for i in range(count + (rng.random() < 0.22)):
        turned_away = i >= count
        regular = i < len(names) and rng.random() < 0.5
        label = names[i] if regular and engage is None else UNKNOWN
        toon = (engage or _engage)(label, rng, turned_away)
        height = min(_LARGEST, max(_SMALLEST, size * rng.uniform(0.8, 1.25)))
        actor = _find_room(toon, label, height, shot_name, count, floor, actors, rng)
        actors += [actor] if actor else []
    return actors


def _engage(label: str, rng: Random, turned_away: bool) -> Toon:
    who = invent(rng) if label == UNKNOWN else CAST[label]
    if turned_away:
        who = replace(who, hat=rng.choice([None, None, "beanie", "band", "bowler"]))
    return pose(who, dress_up(who, rng), rng, turned_away=turned_away)


def _find_room(
    toon: Toon,
    label: str,
    height: float,
    shot_name: str,
    count: int,
    floor: float,
    others: list[Actor],
    rng: Random,
) -> Actor | None:
    """Return the actor where it covers nobody else's head, or None if there is no room."""
    for _ in range(40):
        edge = 0.1 if count > 1 or shot_name == "wide" else 0.28
        x = rng.uniform(edge, 1 - edge) * WIDTH
        y, scale = _stand(toon, height, shot_name, floor, rng)
        faces_out = (x - WIDTH / 2) * toon.yaw > 0
        actor = Actor(toon, label, x, y, scale, mirrored=faces_out and rng.random() < 0.7)
        in_frame = scale * 0.98 < y < HEIGHT - scale * toon.bottom * 0.9
        if in_frame and _is_free(actor.footprint, [other.footprint for other in others], 0.12):
            return actor
    return None


def _stand(
    toon: Toon, height: float, shot_name: str, floor: float, rng: Random
) -> tuple[float, float]:
    """Return the height of the head's middle in the frame and the scale."""
    scale = _scale(toon, height)
    if shot_name == "close":
        return rng.uniform(0.36, 0.58) * HEIGHT, scale
    if shot_name == "medium":
        lowest = HEIGHT + scale * toon.soles * 0.75
        return rng.uniform(max(floor + 10, 260), lowest) - scale * toon.soles, scale
    foot = rng.uniform(max(floor + 6, 235), 350)
    nearness = 0.7 + 0.5 * (foot - floor) / max(40, HEIGHT - floor)
    scale = _scale(toon, max(_SMALLEST, min(_LARGEST, height * nearness)))
    return foot - scale * toon.soles, scale


def _scale(toon: Toon, height: float) -> float:
    return height / (toon.bottom - toon.top) * _HAIR_SHARE


def place_props(
    setting: str, shot_name: str, floor: float, actors: list[Actor], rng: Random
) -> list[PlacedProp]:
    """Return the props that stand and hang about without covering a face or each other."""
    heads = [actor.footprint for actor in actors]
    placed: list[PlacedProp] = []
    for _ in range(rng.randrange(2, 9)):
        prop = rng.choice(props_for(setting))
        closeness = 1.25 if shot_name == "close" else 1.0
        scale = rng.uniform(12, 36) * closeness * prop.size
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
