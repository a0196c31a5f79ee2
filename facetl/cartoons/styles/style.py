"""A style: the tables and probabilities from which the people of one frame are made."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from random import Random

from facetl.cartoons.arms import hand
from facetl.cartoons.cast import MOODS, Character, Mood
from facetl.cartoons.clothes import decoration
from facetl.cartoons.colours import Colour, darken
from facetl.cartoons.eyes import EYE_STYLES
from facetl.cartoons.hair import HAIR_STYLES
from facetl.cartoons.hats import hat
from facetl.cartoons.heads import HEADS, head_outline
from facetl.cartoons.look import HOUSE_LOOK, Look, Tint
from facetl.cartoons.masks import mask
from facetl.cartoons.noses import nose
from facetl.cartoons.outfit import Outfit, choose_outfit
from facetl.cartoons.paths import Path
from facetl.cartoons.profiles import choose_profile
from facetl.cartoons.staging import HATS_FROM_BEHIND, HOUSE_STAGING, Staging
from facetl.cartoons.strangers import SPECTACLES
from facetl.cartoons.styles.palettes import (
    HOUSE_CLOTH,
    HOUSE_EYE_WHITE,
    HOUSE_HAIR,
    HOUSE_SKIN,
    MaybePalette,
    Palette,
    Span,
    house_gloves,
    house_iris,
)
from facetl.cartoons.styles.tints import turned
from facetl.cartoons.toon import Anatomy, Toon
from facetl.registry import Registry


@dataclass(frozen=True)
class Chances:
    """The probabilities, 0 to 1, of what not everybody has."""

    kid: float = 0.4
    hat: float = 0.25
    tie: float = 0.15
    skirt: float = 0.3
    freckles: float = 0.1
    blush: float = 0.1
    moustache: float = 0.1
    beard: float = 0.08
    stubble: float = 0.08
    lipstick: float = 0.12
    jaw: float = 0.0
    wrinkles: float = 0.05
    mask: float = 0.0
    hair_of_skin: float = 0.0
    own_mouth: float = 0.6
    ears: float = 1.0
    profile: float = 0.08
    angular: float = 0.05


@dataclass(frozen=True)
class Build:
    """The ranges of a face's and a body's measures; see ``Anatomy``."""

    eye_height: Span = (-0.2, -0.04)
    eye_size: Span = (0.85, 1.15)
    eye_gap: Span = (1.0, 1.0)
    nose_size: Span = (0.8, 1.3)
    mouth_height: Span = (0.46, 0.56)
    mouth_width: Span = (0.85, 1.15)
    head_width: Span = (0.95, 1.05)
    head_height: Span = (0.95, 1.05)
    body: Span = (0.95, 1.1)
    breadth: Span = (0.95, 1.1)
    outline: Span = (1.0, 1.0)
    shade: float = 0.1
    hand: Span = (0.9, 1.9)
    tilt: float = 9.0
    steepest: float = 35.0
    yaw: Span = (0.1, 1.0)

    def anatomy(self, outline: Path, rng: Random, *, ears: bool = True) -> Anatomy:
        """Return the measures of one face; in flat ones eyes are smaller and below the fringe."""
        top, bottom = float(outline[:, 1].min()), float(outline[:, 1].max())
        return Anatomy(
            eye_height=max(rng.uniform(*self.eye_height), top + 0.62),
            eye_size=rng.uniform(*self.eye_size) * min(1.0, (bottom - top) / 1.85),
            eye_gap=rng.uniform(*self.eye_gap),
            nose_size=rng.uniform(*self.nose_size),
            mouth_height=rng.uniform(*self.mouth_height),
            mouth_width=rng.uniform(*self.mouth_width),
            outline=rng.uniform(*self.outline),
            shade=self.shade,
            ears=ears,
        )


@dataclass(frozen=True)
class Scenery:
    """How what is behind people is drawn: places and props.

    Attributes:
        look: that of the people if left out.
        tints: how often a prop is of other colours than usual.
        tint: makes the colours of a place or a prop.
        paint: finishes of the place alone and the probability of each.
        blur: how far the background is out of focus, in pixels.
    """

    look: Look | None = None
    tints: float = 0.0
    tint: Callable[[Random], Tint] = turned
    paint: Mapping[str, float] = field(default_factory=dict)
    blur: float = 0.0


@dataclass(frozen=True)
class Style:
    """How the people of one frame look; names are those of the registries.

    ``moods`` and ``mouths`` are all there are if left empty; ``jaw`` is the colour of shaven
    chins or, with ``muzzles``, of the bulge around the mouth.  ``look`` is that of the people;
    ``finishes`` and ``overlays`` have the probability of each.
    """

    skin: Palette = HOUSE_SKIN
    hair_colour: Palette = HOUSE_HAIR
    cloth: Palette = HOUSE_CLOTH
    heads: tuple[str, ...] = tuple(HEADS.common)
    hair: tuple[str, ...] = tuple(HAIR_STYLES.common)
    hats: tuple[str, ...] = tuple(hat.common)
    eyes: tuple[str, ...] = tuple(EYE_STYLES.common)
    noses: tuple[str, ...] = tuple(nose.common)
    mouths: tuple[str, ...] = ()
    moods: tuple[str, ...] = tuple(MOODS)
    masks: tuple[str, ...] = tuple(mask)
    mask_colour: Palette = HOUSE_CLOTH
    eye_white: Palette = HOUSE_EYE_WHITE
    iris: MaybePalette = house_iris
    jaw: Palette | None = None
    muzzles: bool = False
    hands: tuple[str, ...] = tuple(hand)
    decorations: tuple[str, ...] = tuple(decoration.common)
    gloves: MaybePalette = house_gloves
    chances: Chances = Chances()
    build: Build = Build()
    look: Look = HOUSE_LOOK
    scenery: Scenery = Scenery()
    staging: Staging = HOUSE_STAGING
    finishes: Mapping[str, float] = field(default_factory=dict)
    overlays: Mapping[str, float] = field(default_factory=dict)

    def choose_toon(self, label: str, rng: Random, turned_away: bool) -> Toon:
        """Return somebody in a random pose, whatever the label."""
        who = self._invent(rng)
        if turned_away:
            who = replace(who, hat=rng.choice(HATS_FROM_BEHIND))
        return self._pose(who, self._dress(who, rng), rng, turned_away)

    def _invent(self, rng: Random) -> Character:
        chances, skin = self.chances, self.skin(rng)
        kid = rng.random() < chances.kid
        hair_of_skin = rng.random() < chances.hair_of_skin
        jaw = self._jaw_of(skin, rng)
        return Character(
            kid=kid,
            skin=skin,
            head=rng.choice(self.heads),
            hair=rng.choice(self.hair),
            hair_colour=skin if hair_of_skin else self.hair_colour(rng),
            eyes=rng.choice(self.eyes),
            spectacles=rng.choice(SPECTACLES),
            nose=rng.choice(self.noses),
            top=self.cloth(rng),
            tie=self.cloth(rng) if rng.random() < chances.tie else None,
            hat=rng.choice(self.hats) if self.hats and rng.random() < chances.hat else None,
            skirt=rng.random() < chances.skirt,
            freckles=rng.random() < chances.freckles,
            blush=rng.random() < chances.blush,
            moustache=not kid and rng.random() < chances.moustache,
            beard=not kid and rng.random() < chances.beard,
            stubble=not kid and rng.random() < chances.stubble,
            lipstick=not kid and rng.random() < chances.lipstick,
            jaw=jaw,
            wrinkles=not kid and rng.random() < chances.wrinkles,
            muzzle=self.muzzles,
            mask=rng.choice(self.masks) if rng.random() < chances.mask else None,
            mask_colour=self.mask_colour(rng),
        )

    def _jaw_of(self, skin: Colour, rng: Random) -> Colour | None:
        if rng.random() >= self.chances.jaw:
            return None
        return self.jaw(rng) if self.jaw else darken(skin, rng.uniform(0.15, 0.4))

    def _dress(self, who: Character, rng: Random) -> Outfit:
        outfit = choose_outfit(rng, self.decorations, kid=who.kid)
        body, cloth = self.build, self.cloth
        size = rng.uniform(*body.body)
        return replace(
            outfit,
            torso_length=outfit.torso_length * size,
            torso_half_width=outfit.torso_half_width * size * rng.uniform(*body.breadth),
            leg_length=outfit.leg_length * size,
            accent=cloth(rng),
            trousers=darken(cloth(rng), 0.2),
            skirt=cloth(rng),
            shoe=darken(cloth(rng), 0.4),
            hat=cloth(rng),
            eye_white=self.eye_white(rng),
            iris=self.iris(rng),
            glove=self.gloves(rng),
            hand=rng.choice(self.hands),
            hand_size=rng.uniform(*body.hand),
        )

    def _pose(self, who: Character, outfit: Outfit, rng: Random, turned_away: bool) -> Toon:
        yaw = rng.choice([-1, 1]) * rng.uniform(*self.build.yaw)
        in_profile = not turned_away and rng.random() < self.chances.profile
        yaw = (1.0 if yaw > 0 else -1.0) if in_profile else yaw
        outline = self._from_side(yaw, rng) if in_profile else self._outline(who, yaw, rng)
        return Toon(
            who=who,
            outfit=outfit,
            yaw=yaw,
            mood=self._mood(rng),
            gaze=(rng.uniform(-0.5, 0.5) + 0.35 * yaw, rng.uniform(-0.4, 0.45)),
            tilt=self._tilt(rng),
            turned_away=turned_away,
            outline=outline,
            profile=in_profile,
            anatomy=self.build.anatomy(outline, rng, ears=rng.random() < self.chances.ears),
        )

    def _outline(self, who: Character, yaw: float, rng: Random) -> Path:
        return head_outline(who.head, yaw, rng) * self._size(rng)

    def _from_side(self, yaw: float, rng: Random) -> Path:
        profile = choose_profile(rng, angular=rng.random() < self.chances.angular)
        return profile.outline * (yaw, 1) * self._size(rng)

    def _size(self, rng: Random) -> tuple[float, float]:
        return rng.uniform(*self.build.head_width), rng.uniform(*self.build.head_height)

    def _mood(self, rng: Random) -> Mood:
        mood = MOODS[rng.choice(self.moods)]
        own = self.mouths and rng.random() < self.chances.own_mouth
        return replace(mood, mouths=self.mouths) if own else mood

    def _tilt(self, rng: Random) -> float:
        limit = self.build.steepest
        usual = rng.random() < 0.8
        tilt = rng.gauss(0, self.build.tilt) if usual else rng.uniform(-limit, limit)
        return max(-limit, min(limit, tilt))


def listed(names: str) -> tuple[str, ...]:
    """Return the names in a list with commas."""
    return tuple(names.split(", "))


StyleMaker = Callable[[Random], Style]
"""Returns the style of one frame, so that what its people share can be random."""

STYLES: Registry[StyleMaker] = Registry()
"""All styles by name; ``@STYLES("name")`` adds one."""
