"""Captions of which every claim is known to be right or wrong, for `evidence.py`.

Scenes are drawn as for the training of the built-in model, from other seeds. Captions are true,
true with one claim made wrong, or the model's own for scenes with more things than it was trained
on. Needs what the training needs: fonts, or the sheet of sprites that it has rendered.
"""

from __future__ import annotations

import json
import random
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
sys.path += [str(ROOT), str(ROOT / "packaging/train_built_in_model")]

import answers  # noqa: E402
import placing  # noqa: E402
from asked_names import absent_name  # noqa: E402
from catalogue import (  # noqa: E402
    COLOURS,
    SHAPES,
    THING_COLOURS,
    glyphs,
    plural_of_shape,
)
from measuring import SIDE, pictures_of  # noqa: E402
from pictures import Renderer  # noqa: E402
from placing import MEASURING_SEEDS  # noqa: E402
from scenes import CELLS, Scene, Thing  # noqa: E402
from sprites import load_sheet, sprite_facts  # noqa: E402

PROMPTS = json.loads((ROOT / "resources/prompts.json").read_text("utf-8"))
Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Claim:
    """A span of a caption that states one thing: a name, a colour, a count or a place.

    `boxes` are the boxes of the things that a right name refers to, in pixels of the padded square
    of 336 × 336.
    """

    begin: int
    end: int
    kind: str
    is_right: bool
    boxes: tuple[Box, ...] = ()


@dataclass(frozen=True)
class Case:
    """A caption of a scene. `kind` is "true", or names what was made wrong in it."""

    kind: str
    scene: Scene
    prompt: str
    caption: str

    @property
    def claims(self) -> list[Claim]:
        return list(claims_in(self.caption, self.scene))


# ---- scenes and captions ------------------------------------------------------------------------


def crowded_scene(seed: int) -> Scene:
    """A scene of seven to ten things, a third with a look-alike; training had at most six."""
    rng = random.Random(seed)
    while True:
        aspect = rng.choices([a[:2] for a in placing.ASPECTS], [a[2] for a in placing.ASPECTS])[0]
        scene = Scene(seed, aspect, placing._background(rng))
        number, kinds = rng.randint(7, 10), []
        while len(kinds) < number:
            kind = placing._choose_kind(rng)
            kinds += [kind] * rng.choices((1, 2, 3), (6, 2, 1))[0]
            if kind.colour is None and rng.random() < 0.33:
                alike = rng.choice(sprite_facts().look_alikes[kind.sprite])
                kinds.append(placing._Kind(alike, None))
        things = placing._place_things(rng, scene, kinds[:number], None, sprite_facts())
        if things is not None:
            in_order = tuple(sorted(things, key=lambda thing: thing.x))
            return replace(scene, things=in_order, layers=tuple(range(number)))


class Painter:
    """Renders scenes as images of 672 × 672 pixels."""

    def __init__(self, device: str = "cpu") -> None:
        self._renderer = Renderer(load_sheet(ROOT / ".atlas"), device)

    def paint(self, scenes: Sequence[Scene]) -> list[Image.Image]:
        return pictures_of(scenes, self._renderer, SIDE)


def captions(kind: str, seed: int, count: int) -> Iterator[Case]:
    """Yield `count` cases of one of `KINDS`; the same seed gives the same cases."""
    rng = random.Random(f"{seed} {kind}")
    at = MEASURING_SEEDS + (seed * 100 + KINDS.index(kind)) * 10_000_000
    while count:
        at += 1
        style = "groups" if kind == "count" else rng.choice(("mixed", "mixed", "groups", "word"))
        scene = placing.draw_scene(at, sprite_facts(), style)
        case = _caption(kind, rng, scene) if scene.things else None
        if case is not None:
            yield case
            count -= 1


KINDS = ("true", "absent", "colour", "count", "place")


def _caption(kind: str, rng: random.Random, scene: Scene) -> Case | None:
    is_short = kind != "place" and rng.random() < 0.5
    prompt = PROMPTS[1 if is_short else 0]["prompt"]

    def text_of(described: Scene) -> str:
        return answers.caption(described) if is_short else answers.description(described, "image")

    described = _CHANGES[kind](rng, scene)
    if described is None:
        return None
    caption = _miscounted(rng, scene, text_of(scene)) if kind == "count" else text_of(described)
    return Case(kind, scene, prompt, caption) if caption else None


def _as_it_is(rng: random.Random, scene: Scene) -> Scene:
    return scene


def _with_absent(rng: random.Random, scene: Scene) -> Scene | None:
    """Give all things of one name the name of something that is not in the scene."""
    chosen = rng.choice(scene.things).name
    name = absent_name(rng, scene)
    if name is None:
        return None
    return _renamed(scene, chosen, name.one, name.many)


def _renamed(scene: Scene, chosen: str, name: str, plural: str) -> Scene:
    things = tuple(
        replace(thing, name=name, plural=plural) if thing.name == chosen else thing
        for thing in scene.things
    )
    return replace(scene, things=things)


def _with_wrong_colour(rng: random.Random, scene: Scene) -> Scene | None:
    """Give a shape, or else the background, a colour that nothing of its kind has."""
    shapes = [thing for thing in scene.things if thing.kind == "shape"]
    if shapes and rng.random() < 0.7:
        noun = rng.choice(shapes).noun
        chosen = next(thing for thing in shapes if thing.noun == noun)
        taken = {thing.colour for thing in shapes if thing.noun == noun}
        colour = rng.choice([c for c in THING_COLOURS if c not in taken])
        return _renamed(scene, chosen.name, f"{colour} {noun}", f"{colour} {plural_of_shape(noun)}")
    colours = list(scene.background.colours)
    at = rng.randrange(len(colours))
    colours[at] = rng.choice([c for c in COLOURS if c not in colours])
    return replace(scene, background=replace(scene.background, colours=tuple(colours)))


def _miscounted(rng: random.Random, scene: Scene, caption: str) -> str | None:
    group = rng.choice(answers.groups(scene.things))
    right = len(group)
    numbers = [n for n in (right - 2, right - 1, right + 1, right + 2) if 2 <= n <= 8]
    wrong_phrase = answers.counted(rng.choice(numbers), group[0].name, group[0].plural)
    right_phrase = answers.counted(right, group[0].name, group[0].plural)
    if not re.search(re.escape(right_phrase), caption, re.IGNORECASE):
        return None
    pattern = re.escape(right_phrase)
    changed = re.sub(pattern, wrong_phrase, caption, count=1, flags=re.IGNORECASE)
    return changed[0].upper() + changed[1:]


def _with_wrong_place(rng: random.Random, scene: Scene) -> Scene:
    """Move one thing to another ninth of the image, without changing the order of description."""
    index = rng.randrange(len(scene.things))
    thing = scene.things[index]
    left, top, right, bottom = scene.content
    cell = rng.choice([n for n, cell in enumerate(CELLS) if cell != scene.cell_of(thing)])
    row, column = divmod(cell, 3)
    x, y = left + (right - left) * (column + 0.5) / 3, top + (bottom - top) * (row + 0.5) / 3
    things = list(scene.things)
    things[index] = replace(thing, x=x, y=y)
    return replace(scene, things=tuple(things))


_CHANGES: dict[str, Callable[[random.Random, Scene], Scene | None]] = {
    "true": _as_it_is,
    "absent": _with_absent,
    "colour": _with_wrong_colour,
    "count": _as_it_is,
    "place": _with_wrong_place,
}


# ---- what a caption claims ----------------------------------------------------------------------


@cache
def _singulars() -> dict[str, str]:
    """Every name and plural in lower case, with the name."""
    names = {glyph.name: glyph.plural for glyph in glyphs()}
    names |= {f"{c} {s}": f"{c} {plural_of_shape(s)}" for c in THING_COLOURS for s in SHAPES}
    names |= {s: plural_of_shape(s) for s in SHAPES}
    singulars = {name.lower(): name for name in names}
    return singulars | {plural.lower(): name for name, plural in names.items()}


def _any_of(words: list[str]) -> str:
    return "|".join(map(re.escape, sorted(words, key=len, reverse=True)))


@cache
def _patterns() -> tuple[re.Pattern[str], re.Pattern[str], re.Pattern[str]]:
    numbers = _any_of(list(answers.NUMBERS[1:]))
    named = re.compile(
        rf"\b(?P<number>an?|another|the|{numbers}) (?P<name>{_any_of(list(_singulars()))})\b"
        rf"(?:(?: is)? (?P<place>{_any_of(list(answers.PLACES.values()))})\b)?",
        re.IGNORECASE,
    )
    colours = _any_of(list(COLOURS))
    ground = re.compile(
        rf"on (?:a background of (?P<one>{colours}) and (?P<two>{colours}) (?:stripes|checks)"
        rf"|an? (?:plain |shaded |speckled )?(?P<ground>{colours}) background"
        rf"(?: with (?P<dots>{colours}) dots)?)"
    )
    word = re.compile(
        rf'The word "\w+" is printed in (?P<colour>{colours}) '
        rf"(?P<place>{_any_of(list(answers.PLACES.values()))})\b"
    )
    return named, ground, word


def claims_in(caption: str, scene: Scene) -> Iterator[Claim]:
    """The claims that `caption` makes about `scene`. Claims about a wrong name are left out."""
    named, ground, word = _patterns()
    numbers = Counter(thing.name for thing in scene.things)
    for match in named.finditer(caption):
        name = _singulars()[match["name"].lower()]
        meant = [thing for thing in scene.things if thing.name == name]
        yield from _name_claims(match, name, meant, scene)
        number = match["number"].lower()
        if meant and number in answers.NUMBERS:
            is_right = numbers[name] == answers.NUMBERS.index(number)
            yield Claim(*match.span("number"), "count", is_right)
        if meant and match["place"]:
            places = {answers.place(scene, thing) for thing in meant}
            yield Claim(*match.span("place"), "place", match["place"] in places)
    for match in ground.finditer(caption):
        right = list(scene.background.colours)
        for group in ("one", "two", "ground", "dots"):
            if match[group]:
                yield Claim(*match.span(group), "colour", match[group] in right)
                if match[group] in right:
                    right.remove(match[group])
    for match in word.finditer(caption):
        if scene.word is not None:
            is_right = match["colour"] == scene.word.colour
            yield Claim(*match.span("colour"), "colour", is_right)
            is_right = match["place"] == answers.word_place(scene)
            yield Claim(*match.span("place"), "place", is_right)


def _name_claims(
    match: re.Match[str], name: str, meant: list[Thing], scene: Scene
) -> Iterator[Claim]:
    """The name as one claim; for a shape that exists in another colour, only the colour."""
    begin, end = match.span("name")
    colour, _, noun = name.partition(" ")
    shapes = [thing for thing in scene.things if thing.kind == "shape"]
    if not meant and any(thing.noun == noun for thing in shapes):
        yield Claim(begin, begin + len(colour), "colour", False)
        return
    if meant and meant[0].kind == "shape":
        yield Claim(begin, begin + len(colour), "colour", True)
    yield Claim(begin, end, "name", bool(meant), tuple(thing.box for thing in meant))
