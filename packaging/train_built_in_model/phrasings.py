"""The many ways to ask for one thing, read from phrasings.txt, and a choice among them."""

from __future__ import annotations

import random
import re
from functools import cache

from catalogue import FOLDER

# How often questions call the picture so.
PICTURE_NOUNS = (
    "image", "image", "image", "picture", "picture", "picture", "drawing", "scene", "photo",
)  # fmt: skip

_CHOICE = re.compile(r"\(([^()]*)\)")


@cache
def _sections() -> dict[str, tuple[str, ...]]:
    sections: dict[str, list[str]] = {}
    name = ""
    for line in (FOLDER / "phrasings.txt").read_text("utf-8").splitlines():
        if line.startswith("["):
            name = line.strip("[]")
            sections[name] = []
        elif line and not line.startswith("#"):
            sections[name].append(line)
    return {name: tuple(lines) for name, lines in sections.items()}


def lines(section: str) -> tuple[str, ...]:
    """The lines of a section, alternatives still in them."""
    return _sections()[section]


def keys(family: str) -> tuple[str, ...]:
    """What follows the colon in the sections of one family: "fill: topic", "fill: country"."""
    return tuple(n.removeprefix(f"{family}: ") for n in _sections() if n.startswith(f"{family}: "))


def say(rng: random.Random, section: str, **names: str) -> str:
    """One line of the section, its alternatives chosen and its names put in."""
    line = rng.choice(lines(section))
    while "(" in line:
        line = _CHOICE.sub(lambda found: rng.choice(found.group(1).split("|")), line)
    for key, name in names.items():
        line = line.replace("{" + key + "}", name)
    return line[0].upper() + line[1:]
