"""Scenes become a few arrays: cheap, and done by the processes that draw scenes up."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from catalogue import ALPHABET, THING_COLOURS, class_names
from scenes import CELLS, LONGEST_WORD, MOST_THINGS, UNKNOWN_KINDS, Scene, Thing
from sprites import CELL, DRAWN
from torch import Tensor

SLOTS = MOST_THINGS + LONGEST_WORD
BACKGROUND_KINDS = ("plain", "shaded", "speckled", "stripes", "checks", "dots")
NOTHING = -1
# Where the middle of an empty slot lies: on no picture.
OUTSIDE = -9000.0


@dataclass
class Packed:
    """A batch of scenes as arrays; the first axis of each is the batch.

    `slots`: float32 (b, 12, 9): x, y, side, cos, sin, sprite, red, green, blue, in the order of
    painting; empty ones lie far outside. `ground`: float32 (b, 16): kind, two colours, angle,
    period, phase, the content's box, the unknown kind or -1. `marks`: int64 (b, 12, 6): class,
    colour, letter, cell, how many of its name, rank from the left; -1 where it has none.
    """

    slots: np.ndarray
    ground: np.ndarray
    marks: np.ndarray

    def to(self, device: torch.device | str) -> tuple[Tensor, Tensor, Tensor]:
        slots, ground, marks = (
            torch.as_tensor(array).to(device) for array in (self.slots, self.ground, self.marks)
        )
        return slots, ground, marks

    @property
    def kinds(self) -> list[int]:
        """The unknown kind of each row, -1 for none; kept on the host."""
        return self.ground[:, 15].astype(int).tolist()


def pack(scenes: Sequence[Scene], first_letter: int) -> Packed:
    """The arrays of these scenes."""
    slots = np.zeros((len(scenes), SLOTS, 9), np.float32)
    slots[:, :, 0] = OUTSIDE
    slots[:, :, 2:4] = 1.0
    ground = np.zeros((len(scenes), 16), np.float32)
    marks = np.full((len(scenes), SLOTS, 6), NOTHING, np.int64)
    for at, scene in enumerate(scenes):
        _pack_things(scene, slots[at], marks[at])
        _pack_word(scene, slots[at], marks[at], first_letter)
        back = scene.background
        unknown = UNKNOWN_KINDS.index(scene.unknown) if scene.unknown else NOTHING
        ground[at] = (
            BACKGROUND_KINDS.index(back.kind), *(c / 255 for c in back.first),
            *(c / 255 for c in back.second), back.angle, back.period, *back.phase,
            *scene.content, unknown,
        )  # fmt: skip
    return Packed(slots, ground, marks)


def _pack_things(scene: Scene, slots: np.ndarray, marks: np.ndarray) -> None:
    numbers: dict[str, int] = {}
    for thing in scene.things:
        numbers[thing.name] = numbers.get(thing.name, 0) + 1
    enlarged = 1.0
    if scene.unknown == "zoom":
        enlarged = random.Random(scene.seed).uniform(6, 16)
    for slot, index in enumerate(scene.layers):
        thing = scene.things[index]
        tint = thing.tint or (255, 255, 255)
        slots[slot] = (
            thing.x, thing.y, thing.size * enlarged * CELL / DRAWN, math.cos(thing.angle),
            math.sin(thing.angle), thing.sprite, *(c / 255 for c in tint),
        )  # fmt: skip
        marks[slot] = (
            thing.sprite, _colour_mark(thing), NOTHING, CELLS.index(scene.cell_of(thing)),
            numbers[thing.name], index,
        )  # fmt: skip


def _colour_mark(thing: Thing) -> int:
    colour = thing.colour
    return THING_COLOURS.index(colour) if colour in THING_COLOURS else NOTHING


def _pack_word(scene: Scene, slots: np.ndarray, marks: np.ndarray, first_letter: int) -> None:
    word = scene.word
    if word is None:
        return
    for at, letter in enumerate(word.letters):
        slots[MOST_THINGS + at] = (
            letter.x, letter.y, max(letter.width, letter.height) * CELL / DRAWN,
            math.cos(word.angle), math.sin(word.angle), letter.sprite,
            *(c / 255 for c in word.tint),
        )  # fmt: skip
        in_font = (letter.sprite - first_letter) % len(ALPHABET)
        marks[MOST_THINGS + at] = (
            len(class_names()), THING_COLOURS.index(word.colour), in_font,
            CELLS.index(scene.cell_of(word)), len(word.letters), at,
        )  # fmt: skip
