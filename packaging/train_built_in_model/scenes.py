"""A scene is data: what is drawn where, in which colours; the same seed gives the same scene.

Lengths are in pixels of the padded square of 336 that the model sees, from its top left.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

SIDE = 336
MOST_THINGS = 6
LONGEST_WORD = 6
CELLS = (
    "top left", "top", "top right", "left", "middle", "right", "bottom left", "bottom",
    "bottom right",
)  # fmt: skip
UNKNOWN_KINDS = (
    "texture", "blobs", "voronoi", "shuffled", "zoom", "crowd", "photo", "mosaic",
)  # fmt: skip

Rgb = tuple[int, int, int]


@dataclass(frozen=True)
class Thing:
    """One drawing: `x`, `y` is its centre, `width` and `height` before turning by `angle`."""

    name: str
    plural: str
    kind: str
    sprite: int
    colour: str | None
    tint: Rgb | None
    x: float
    y: float
    width: float
    height: float
    angle: float

    @property
    def size(self) -> float:
        return max(self.width, self.height)

    @property
    def noun(self) -> str:
        """The name without the colour of a shape."""
        return self.name.rsplit(" ", 1)[-1] if self.kind == "shape" else self.name

    @property
    def box(self) -> tuple[float, float, float, float]:
        """Left, top, right, bottom of the turned drawing."""
        cos, sin = abs(math.cos(self.angle)), abs(math.sin(self.angle))
        half_width = (self.width * cos + self.height * sin) / 2
        half_height = (self.width * sin + self.height * cos) / 2
        return (
            self.x - half_width, self.y - half_height, self.x + half_width, self.y + half_height,
        )  # fmt: skip


@dataclass(frozen=True)
class Letter:
    """One letter of the printed word, as a drawing."""

    letter: str
    sprite: int
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class Word:
    """The printed word; its letters stand on a line turned by `angle`."""

    text: str
    colour: str
    tint: Rgb
    x: float
    y: float
    width: float
    height: float
    angle: float
    letters: tuple[Letter, ...]


@dataclass(frozen=True)
class Background:
    """`kind` is plain, shaded, speckled, stripes, checks or dots; these last have two colours."""

    kind: str
    colours: tuple[str, ...]
    first: Rgb
    second: Rgb
    angle: float = 0.0
    period: float = 40.0
    phase: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True)
class Scene:
    """What is in a picture. `unknown` names the disguise of a picture that shows nothing known.

    `things` stand in the order from left to right; `layers` is the order of painting.
    """

    seed: int
    aspect: tuple[int, int]
    background: Background
    things: tuple[Thing, ...] = ()
    layers: tuple[int, ...] = ()
    word: Word | None = None
    unknown: str | None = None

    @property
    def content(self) -> tuple[float, float, float, float]:
        """Left, top, right, bottom of the picture in the padded square."""
        width, height = self.aspect
        longest = max(width, height)
        half_width, half_height = SIDE * width / longest / 2, SIDE * height / longest / 2
        middle = SIDE / 2
        return middle - half_width, middle - half_height, middle + half_width, middle + half_height

    def cell_of(self, thing: Thing | Word) -> str:
        """In which ninth of the picture the centre lies."""
        return CELLS[_cell(self.content, thing.x, thing.y)]


def _cell(content: tuple[float, float, float, float], x: float, y: float) -> int:
    left, top, right, bottom = content
    column = min(2, max(0, int(3 * (x - left) / (right - left))))
    row = min(2, max(0, int(3 * (y - top) / (bottom - top))))
    return 3 * row + column
