"""Scenes by chance: the same seed gives the same things at the same places.

Centres keep away from the lines between places and from one another, so that every answer follows
from the picture alone.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from catalogue import (
    ALPHABET,
    BACKGROUND_COLOURS,
    COLOUR_JITTER,
    COLOURS,
    SHAPES,
    THING_COLOURS,
    glyphs,
    plural_of_shape,
    words,
)
from scenes import (
    LONGEST_WORD,
    MOST_THINGS,
    UNKNOWN_KINDS,
    Background,
    Letter,
    Rgb,
    Scene,
    Thing,
    Word,
)

if TYPE_CHECKING:
    from sprites import SpriteFacts

# Width to height, and how often.
ASPECTS = ((1, 1, 36), (4, 3, 18), (3, 4, 12), (3, 2, 14), (2, 3, 8), (16, 9, 8), (9, 16, 4))
# Where a name of a place must be beyond doubt, centres keep this far from the lines between.
CELL_MARGIN = 8.0
# So that "left of" and the order from left to right are beyond doubt.
ORDER_MARGIN = 11.0


def draw_scene(seed: int, facts: SpriteFacts, style: str | None = None) -> Scene:
    """The scene of this seed.

    `style` asks for a kind of scene: "one" thing, "groups" of several alike, "word" for a
    printed one, "unknown", "empty", "mixed" for anything ordinary; None draws the style as well.
    """
    rng = random.Random(seed)
    if style is None:
        styles = ("mixed", "one", "groups", "word", "unknown", "empty")
        style = rng.choices(styles, (40, 5, 26, 20, 6.5, 2.5))[0]
    while True:
        scene = _try_scene(rng, seed, style, facts)
        if scene is not None:
            return scene


def compose_scene(
    seed: int,
    aspect: tuple[int, int],
    background: tuple[str, ...],
    names: Sequence[str],
    facts: SpriteFacts,
    word: str | None = None,
) -> Scene:
    """A scene of these things, placed by chance as all are; for samples.

    `background` is its kind and its colours. Raises ValueError where a name is not known.
    """
    rng = random.Random(seed)
    kinds = [_kind_called(name) for name in names]
    colours = [_jitter(rng, colour) for colour in background[1:]]
    ground = Background(background[0], background[1:], colours[0], colours[-1], rng.uniform(0, 6))
    bare = Scene(seed, aspect, ground)
    while True:
        printed = _place_word(rng, bare, facts, word) if word else None
        things = None if word and not printed else _place_things(rng, bare, kinds, printed, facts)
        if things is not None:
            ordered = tuple(sorted(things, key=lambda thing: thing.x))
            return replace(bare, things=ordered, layers=tuple(range(len(things))), word=printed)


def _kind_called(name: str) -> _Kind:
    called = [glyph.name for glyph in glyphs()]
    if name in called:
        return _Kind(called.index(name), None)
    colour, _, shape = name.partition(" ")
    return _Kind(len(called) + SHAPES.index(shape), colour)


def _try_scene(rng: random.Random, seed: int, style: str, facts: SpriteFacts) -> Scene | None:
    aspect = rng.choices([a[:2] for a in ASPECTS], [a[2] for a in ASPECTS])[0]
    scene = Scene(seed, aspect, _background(rng))
    if style == "empty":
        return scene
    if style == "unknown":
        scene = replace(scene, unknown=rng.choice(UNKNOWN_KINDS))
    has_word = style == "word" or (style == "mixed" and rng.random() < 0.15)
    word = None
    if has_word:
        word = _place_word(rng, scene, facts)
        if word is None:
            return None
    things = _place_things(rng, scene, _choose_kinds(rng, style, facts), word, facts)
    if things is None:
        return None
    order = sorted(range(len(things)), key=lambda i: things[i].x)
    ordered = tuple(things[i] for i in order)
    if scene.unknown == "zoom" and any(thing.kind == "shape" for thing in things):
        return None  # From near, a shape is an empty picture.
    layers = list(range(len(things)))
    rng.shuffle(layers)
    return replace(scene, things=ordered, layers=tuple(layers), word=word)


def _jitter(rng: random.Random, colour: str) -> Rgb:
    def near(value: int) -> int:
        return min(255, max(0, value + rng.randint(-COLOUR_JITTER, COLOUR_JITTER)))

    red, green, blue = COLOURS[colour]
    return near(red), near(green), near(blue)


def colour_distance(one: str, other: str) -> float:
    """Euclidean distance of two named colours in sRGB."""
    return math.dist(COLOURS[one], COLOURS[other])


def _background(rng: random.Random) -> Background:
    kinds = ("plain", "shaded", "speckled", "stripes", "checks", "dots")
    kind = rng.choices(kinds, (46, 14, 10, 10, 10, 10))[0]
    shadeable = ("red", "orange", "yellow", "green", "blue", "purple", "pink", "grey")
    first = rng.choice(shadeable if kind == "shaded" else BACKGROUND_COLOURS)
    colours = (first,)
    second_rgb = _jitter(rng, first)
    if kind in {"stripes", "checks", "dots"}:
        partners = [c for c in BACKGROUND_COLOURS if 95 < colour_distance(first, c) < 330]
        second = rng.choice(partners)
        second_rgb = _jitter(rng, second)
        colours = (first, second)
        if kind != "dots":  # Stripes and checks look alike from either colour.
            colours = tuple(sorted(colours, key=list(COLOURS).index))
    return Background(
        kind,
        colours,
        _jitter(rng, colours[0]),
        _jitter(rng, colours[1]) if len(colours) > 1 else second_rgb,
        angle=rng.choice((0, 1, 2, 3)) * math.pi / 4
        if kind == "stripes"
        else rng.uniform(0, 6.28)
        if kind == "shaded"
        else 0.0,
        period=rng.uniform(36, 76),
        phase=(rng.uniform(0, 80), rng.uniform(0, 80)),
    )


@dataclass(frozen=True)
class _Kind:
    """What is to be placed: a sprite, and for shapes its colour."""

    sprite: int
    colour: str | None


def _choose_kind(rng: random.Random) -> _Kind:
    if rng.random() < 0.22:
        return _Kind(len(glyphs()) + rng.randrange(len(SHAPES)), rng.choice(THING_COLOURS))
    return _Kind(rng.randrange(len(glyphs())), None)


def _choose_kinds(rng: random.Random, style: str, facts: SpriteFacts) -> list[_Kind]:
    if style == "one":
        return [_choose_kind(rng)]
    if style == "word" and rng.random() < 0.25:
        return []
    if style == "groups":
        number = rng.choices((2, 3, 4, 5, 6), (20, 24, 26, 26, 4))[0]
        kinds = [_choose_kind(rng)] * number
        while len(kinds) < MOST_THINGS and rng.random() < 0.62:
            kinds += [_choose_kind(rng)] * rng.randint(1, min(3, MOST_THINGS - len(kinds)))
        return kinds
    number = rng.choices((1, 2, 3, 4, 5, 6), (10, 22, 26, 20, 13, 9))[0]
    kinds = [_choose_kind(rng) for _ in range(number)]
    if number > 1 and rng.random() < 0.3:  # A neighbour that is easily mistaken.
        first = kinds[0]
        if first.colour is None:
            alike = facts.look_alikes[first.sprite]
            kinds[1] = _Kind(rng.choice(alike), None)
        elif rng.random() < 0.5:
            kinds[1] = _Kind(first.sprite, rng.choice(THING_COLOURS))
        else:
            kinds[1] = _Kind(len(glyphs()) + rng.randrange(len(SHAPES)), first.colour)
    return kinds


def _is_near_line(content: tuple[float, float, float, float], x: float, y: float) -> bool:
    left, top, right, bottom = content
    third_x, third_y = (right - left) / 3, (bottom - top) / 3
    return (
        abs(x - left - third_x) < CELL_MARGIN
        or abs(x - left - 2 * third_x) < CELL_MARGIN
        or abs(y - top - third_y) < CELL_MARGIN
        or abs(y - top - 2 * third_y) < CELL_MARGIN
    )


def _is_visible(background: Background, kind: _Kind, facts: SpriteFacts) -> bool:
    if kind.colour is not None:
        return all(colour_distance(kind.colour, c) > 105 for c in background.colours)
    return all(facts.stands_out[kind.sprite][c] > 0.42 for c in background.colours)


def _place_things(
    rng: random.Random, scene: Scene, kinds: list[_Kind], word: Word | None, facts: SpriteFacts
) -> list[Thing] | None:
    """Sizes by how many there are; None when something is hard to see or finds no room."""
    left, top, right, bottom = scene.content
    room = math.sqrt((right - left) * (bottom - top))
    number = len(kinds) + (1 if word else 0)
    largest = min(room * (0.62, 0.5, 0.42, 0.36, 0.33, 0.31, 0.29)[min(6, max(0, number - 1))],
                  0.62 * min(right - left, bottom - top))  # fmt: skip
    smallest = 46.0
    overlap = rng.choice((0.0, 0.0, 0.08, 0.16))
    things: list[Thing] = []
    tints: dict[_Kind, Rgb | None] = {}
    for kind in kinds:
        if not _is_visible(scene.background, kind, facts):
            return None
        if kind not in tints:
            tints[kind] = None if kind.colour is None else _jitter(rng, kind.colour)
        for _ in range(40):
            thing = _thing(rng, kind, rng.uniform(smallest, max(smallest + 4, largest)),
                           tints[kind], facts, (left, top, right, bottom))  # fmt: skip
            if thing is not None and _fits(scene.content, thing, things, word, overlap):
                things.append(thing)
                break
        else:
            return None
    return things


def _thing(
    rng: random.Random,
    kind: _Kind,
    size: float,
    tint: Rgb | None,
    facts: SpriteFacts,
    content: tuple[float, float, float, float],
) -> Thing | None:
    wide, high = facts.extents[kind.sprite]
    width, height = size * wide, size * high
    if kind.colour is None:
        glyph = glyphs()[kind.sprite]
        name, plural, group, colour = (
            glyph.name, glyph.plural, glyph.kind, facts.main_colours[kind.sprite],
        )  # fmt: skip
        angle = rng.gauss(0, 0.16)
    else:
        shape = SHAPES[kind.sprite - len(glyphs())]
        name, plural = f"{kind.colour} {shape}", f"{kind.colour} {plural_of_shape(shape)}"
        group, colour = "shape", kind.colour
        angle = rng.uniform(-0.2, 0.2)
    angle = min(0.44, max(-0.44, angle))
    left, top, right, bottom = content
    probe = Thing(name, plural, group, kind.sprite, colour, tint, 0, 0, width, height, angle)
    half_width, half_height = probe.box[2], probe.box[3]
    if 2 * half_width > right - left - 4 or 2 * half_height > bottom - top - 4:
        return None
    x = rng.uniform(left + half_width + 2, right - half_width - 2)
    y = rng.uniform(top + half_height + 2, bottom - half_height - 2)
    return replace(probe, x=x, y=y)


def _fits(
    content: tuple[float, float, float, float],
    thing: Thing,
    others: list[Thing],
    word: Word | None,
    overlap: float,
) -> bool:
    if _is_near_line(content, thing.x, thing.y):
        return False
    box = thing.box
    for other in others:
        if abs(other.x - thing.x) < ORDER_MARGIN or _covered(box, other.box) > overlap:
            return False
    if word is None:
        return True
    half = word.height / 2 + word.width / 2 * abs(math.sin(word.angle))
    around = (word.x - word.width / 2 - 3, word.y - half - 3,
              word.x + word.width / 2 + 3, word.y + half + 3)  # fmt: skip
    return _covered(box, around) <= 0


def _covered(box: tuple[float, ...], other: tuple[float, ...]) -> float:
    """The common part of two boxes as a share of the smaller."""
    width = min(box[2], other[2]) - max(box[0], other[0])
    height = min(box[3], other[3]) - max(box[1], other[1])
    if width <= 0 or height <= 0:
        return 0.0
    areas = [(b[2] - b[0]) * (b[3] - b[1]) for b in (box, other)]
    return width * height / min(areas)


def is_held_out(word: str) -> bool:
    """Whether a word is kept for measuring: a tenth of them, never printed in training."""
    return sum(ord(letter) * (31 + 7 * i) for i, letter in enumerate(word)) % 10 == 3


def _choose_word(rng: random.Random, wants_held_out: bool) -> str:
    while True:
        if wants_held_out or rng.random() < 0.45:
            word = rng.choice(words())
        elif rng.random() < 0.5:
            word = "".join(rng.choices(ALPHABET, k=rng.randint(2, LONGEST_WORD)))
        else:
            pairs = [rng.choice("BCDFGHJKLMNPRSTVWXZ") + rng.choice("AEIOUY") for _ in range(3)]
            word = "".join(pairs)[rng.randint(0, 1) :][: rng.randint(3, LONGEST_WORD)]
        if is_held_out(word) == wants_held_out and word not in {"USER", "ASSISTANT"}:
            return word


# Scenes for measuring print only words that training never shows.
MEASURING_SEEDS = 1 << 40


def _place_word(
    rng: random.Random, scene: Scene, facts: SpriteFacts, text: str | None = None
) -> Word | None:
    if scene.background.kind in {"stripes", "checks"}:  # Hard to read for people, too.
        return None
    text = text or _choose_word(rng, wants_held_out=scene.seed >= MEASURING_SEEDS)
    font = rng.randrange(facts.fonts)
    left, top, right, bottom = scene.content
    colour = rng.choice(THING_COLOURS)
    if any(colour_distance(colour, c) < 150 for c in scene.background.colours):
        return None
    spacing = rng.uniform(0.02, 0.12)
    advances = [facts.letter_advances[font][ALPHABET.index(c)] + spacing for c in text]
    widest = min(0.9 * (right - left) / sum(advances), 60.0, 0.4 * (bottom - top))
    if widest < 20:
        return None
    height = rng.uniform(20, widest)
    width = sum(advances) * height
    angle = rng.choice((0.0, rng.uniform(-0.14, 0.14)))
    half = height / 2 + width / 2 * abs(math.sin(angle))
    if 2 * half > bottom - top - 8:
        return None
    for _ in range(30):
        x = rng.uniform(left + width / 2 + 4, right - width / 2 - 4)
        y = rng.uniform(top + half + 4, bottom - half - 4)
        if not _is_near_line(scene.content, x, y):
            break
    else:
        return None
    letters = []
    along = -width / 2
    for letter, advance in zip(text, advances, strict=True):
        at = ALPHABET.index(letter)
        wide, high = facts.letter_extents[font][at]
        offset = along + advance * height / 2
        lift = facts.letter_drops[font][at] * height
        letters.append(
            Letter(
                letter,
                facts.first_letter + font * len(ALPHABET) + at,
                x + offset * math.cos(angle) - lift * math.sin(angle),
                y + offset * math.sin(angle) + lift * math.cos(angle),
                wide * height,
                high * height,
            )
        )
        along += advance * height
    return Word(text, colour, _jitter(rng, colour), x, y, width, height, angle, tuple(letters))
