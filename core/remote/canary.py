"""Does the model see images? Some servers drop an image silently and let the model guess.

It is asked about drawings with random content. A word of five random letters is guessed by chance
less than once in 100,000 times; a colour and a shape in two drawings once in 900 times, and an
answer that names several colours or shapes counts as none.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass
from enum import StrEnum
from math import cos, pi, sin

from PIL import Image, ImageDraw, ImageFont

from core.picture import Picture
from core.remote.question import PROBE
from core.remote.server import Server
from core.transcript import Request, Sampling, Turn

SAMPLE_PROMPT = "What is in this image?"
"""What is asked about a sample, for a person to judge."""

_SIDE = 336
_CONSONANTS, _VOWELS = "BDFGKLMNPRSTVZ", "AEIOU"
COLOURS = {
    "red": (220, 30, 30),
    "green": (30, 160, 50),
    "blue": (30, 70, 220),
    "yellow": (250, 215, 30),
    "purple": (130, 40, 170),
    "black": (15, 15, 15),
}
SHAPES = ("circle", "square", "triangle", "star", "heart")
"""What is drawn besides words."""
_SHAPE_WORDS = {
    "circle": ("circle", "disc", "disk", "dot", "ball"),
    "square": ("square",),
    "triangle": ("triangle", "triangular"),
    "star": ("star",),
    "heart": ("heart",),
}
_COLOUR_WORDS = {"purple": ("purple", "violet")}


class Sight(StrEnum):
    """Whether a model sees images."""

    SEES = "sees"
    BLIND = "blind"
    """It answers, and knows nothing of the image."""


@dataclass(frozen=True)
class Seen:
    """What the model said to the last question, and what follows from that."""

    sight: Sight
    said: str


async def look(server: Server, rng: random.Random | None = None) -> Seen:
    """Asks the server's model about drawings. Raises ServerError.

    It learns on the way which fields the server refuses.
    """
    rng = rng or random.SystemRandom()
    word = random_word(rng)
    said = await _ask(server, word_drawing(word), "What word is written in the image?")
    if shows_word(said, word):
        return Seen(Sight.SEES, said)
    for _ in range(2):
        colour, shape = rng.choice(list(COLOURS)), rng.choice(SHAPES)
        said = await _ask(
            server, shape_drawing(colour, shape), "What shape is shown in the image, in what color?"
        )
        if not shows_shape(said, colour, shape):
            return Seen(Sight.BLIND, said)
    return Seen(Sight.SEES, said)


async def _ask(server: Server, drawing: Image.Image, prompt: str) -> str:
    picture = Picture(None, drawing, original_size=drawing.size)
    request = Request(picture, (Turn(prompt),), Sampling(max_new_tokens=48))
    return (await server.ask(request, lambda piece, reply: None, extra=PROBE)).text.strip()


def random_word(rng: random.Random) -> str:
    """Returns five capital letters that can be spoken and, but by chance, mean nothing."""
    return "".join(rng.choice(_VOWELS if place % 2 else _CONSONANTS) for place in range(5))


def shows_word(said: str, word: str) -> bool:
    """Whether the answer has the word, perhaps spelled, or with one letter read wrongly."""
    text = said.upper()
    if word in re.sub(r"[^A-Z]", "", text):
        return True
    words = (one for one in re.findall("[A-Z]+", text) if len(one) == len(word))
    return any(sum(a != b for a, b in zip(one, word, strict=True)) <= 1 for one in words)


def shows_shape(said: str, colour: str, shape: str) -> bool:
    """Whether the answer names this colour and shape, and no other of them."""
    text = said.lower()
    colours = {name for name in COLOURS if _names(text, _COLOUR_WORDS.get(name, (name,)))}
    shapes = {name for name in SHAPES if _names(text, _SHAPE_WORDS[name])}
    return colours == {colour} and shapes == {shape}


def _names(text: str, words: tuple[str, ...]) -> bool:
    return any(re.search(rf"\b{word}s?\b", text) for word in words)


def word_drawing(word: str) -> Image.Image:
    """Returns the word in large black letters on white."""
    drawing = Image.new("RGB", (_SIDE, _SIDE), "white")
    font = ImageFont.load_default(size=72)
    ImageDraw.Draw(drawing).text((_SIDE / 2, _SIDE / 2), word, "black", font, anchor="mm")
    return drawing


def shape_drawing(colour: str, shape: str) -> Image.Image:
    """Returns one large shape on white."""
    drawing = Image.new("RGB", (_SIDE, _SIDE), "white")
    draw, fill = ImageDraw.Draw(drawing), COLOURS[colour]
    low, high, middle = _SIDE * 0.22, _SIDE * 0.78, _SIDE / 2
    match shape:
        case "circle":
            draw.ellipse((low, low, high, high), fill)
        case "square":
            draw.rectangle((low, low, high, high), fill)
        case "triangle":
            draw.polygon([(middle, low), (high, high), (low, high)], fill)
        case "star":
            draw.polygon(_star(middle, _SIDE * 0.32), fill)
        case _:
            draw.polygon(_heart(middle, _SIDE * 0.0175), fill)
    return drawing


def _star(middle: float, radius: float) -> list[tuple[float, float]]:
    radii = (radius, radius * 0.4)
    return [
        (
            middle + radii[point % 2] * sin(point * pi / 5),
            middle - radii[point % 2] * cos(point * pi / 5),
        )
        for point in range(10)
    ]


def _heart(middle: float, scale: float) -> list[tuple[float, float]]:
    angles = (2 * pi * step / 90 for step in range(90))
    return [
        (
            middle + scale * 16 * sin(t) ** 3,
            middle - scale * (13 * cos(t) - 5 * cos(2 * t) - 2 * cos(3 * t) - cos(4 * t)),
        )
        for t in angles
    ]
