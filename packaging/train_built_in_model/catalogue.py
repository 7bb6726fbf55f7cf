"""What there is to draw and what it is called: glyphs, shapes, colours."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent

# Narrow ranges of colour, so that each has one name: the middle of the range, 0 to 255.
COLOURS: dict[str, tuple[int, int, int]] = {
    "white": (250, 250, 250),
    "black": (24, 24, 24),
    "grey": (140, 140, 142),
    "red": (214, 38, 40),
    "orange": (244, 140, 28),
    "yellow": (250, 216, 44),
    "green": (46, 158, 70),
    "blue": (38, 92, 214),
    "light blue": (150, 206, 244),
    "purple": (134, 62, 178),
    "pink": (246, 140, 186),
    "brown": (128, 80, 46),
    "beige": (236, 220, 188),
}
COLOUR_JITTER = 7
BACKGROUND_COLOURS = tuple(COLOURS)
THING_COLOURS = tuple(name for name in COLOURS if name not in {"light blue", "beige"})

SHAPES = (
    "circle", "square", "triangle", "rectangle", "oval", "diamond", "star", "heart",
    "pentagon", "hexagon", "plus sign", "ring", "semicircle",
)  # fmt: skip

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

# Kinds a person may ask for, and the kinds of the catalogue that belong to each.
KINDS: dict[str, tuple[str, ...]] = {
    "animal": ("animal", "bird", "sea animal", "insect"),
    "bird": ("bird",),
    "face": ("face",),
    "person": ("person",),
    "plant": ("plant",),
    "fruit": ("fruit",),
    "vegetable": ("vegetable",),
    "food": ("food", "sweet", "fruit", "vegetable"),
    "drink": ("drink",),
    "building": ("building",),
    "vehicle": ("vehicle",),
    "tool": ("tool",),
    "musical instrument": ("musical instrument",),
    "shape": ("shape",),
}
KIND_PLURALS = {
    "person": "people", "fruit": "fruit", "food": "food",
}  # fmt: skip


@dataclass(frozen=True)
class Glyph:
    """One drawing of the emoji font: how it is called, and what kind of thing it is."""

    code_point: int
    name: str
    plural: str
    kind: str


@cache
def glyphs() -> tuple[Glyph, ...]:
    """The curated glyphs, in the order of their sprites."""
    lines = (FOLDER / "catalogue.txt").read_text("utf-8").splitlines()
    rows = [line.split("\t") for line in lines if not line.startswith("#")]
    return tuple(Glyph(int(code, 16), name, plural, kind) for code, name, plural, kind in rows)


@cache
def words() -> tuple[str, ...]:
    """English words of three to six letters, in capitals."""
    return tuple((FOLDER / "words.txt").read_text("utf-8").split())


@cache
def class_names() -> tuple[str, ...]:
    """The names a patch of a picture can have: glyphs, then shapes, without colour."""
    return (*(glyph.name for glyph in glyphs()), *SHAPES)


_VOWEL_BUT_CONSONANT = re.compile(r"uni|one-|Uni")


def with_article(name: str) -> str:
    """The name with its indefinite article: "an owl", "a unicorn head", "an x-ray"."""
    takes_an = name[0].lower() in "aeiou" or name.lower().startswith(("x-ray", "hour"))
    return ("an " if takes_an and not _VOWEL_BUT_CONSONANT.match(name) else "a ") + name


def plural_of_shape(name: str) -> str:
    return "hexagons" if name == "hexagon" else name + "s"


_CONTAINERS = re.compile(
    r"(?:pair|bunch|piece|slice|bowl|plate|loaf|head|strip|box|ear|bar|stick|stack|pile|ball)"
    r" of (.+)"
)


def short_name(name: str) -> str | None:
    """How people ask for what the catalogue counts in pairs: "pair of scissors", "scissors"."""
    found = _CONTAINERS.fullmatch(name)
    return found.group(1) if found else None
