"""The sample pictures: scenes with a theme, whose seeds were chosen where they look well."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import answers
from measuring import picture_of
from pictures import Renderer
from PIL import Image
from placing import compose_scene
from scenes import Scene
from sprites import load_sheet, sprite_facts

# The drawings of the font have 128 pixels; much larger than that they would look soft.
SIDE = 840
# Twice the side of a sample in the window, in logical pixels.
THUMBNAIL_SIDE = 160


@dataclass(frozen=True)
class Sample:
    """One sample: its file, and what `compose_scene` is asked for."""

    file: str
    seed: int
    aspect: tuple[int, int]
    background: tuple[str, ...]
    names: tuple[str, ...]
    word: str | None = None

    def scene(self) -> Scene:
        return compose_scene(
            self.seed, self.aspect, self.background, self.names, sprite_facts(), self.word
        )


SAMPLES = (
    Sample("birthday.png", 3, (4, 3), ("plain", "beige"),
           ("birthday cake", "balloon", "balloon", "balloon", "gift box"), "PARTY"),
    Sample("fruit.png", 3, (3, 2), ("shaded", "blue"),
           ("red apple", "banana", "pineapple", "bunch of grapes", "strawberry")),
    Sample("night-sky.png", 4, (16, 9), ("plain", "black"),
           ("rocket", "crescent moon", "ringed planet", "flying saucer")),
    Sample("harbour.png", 7, (4, 3), ("plain", "light blue"),
           ("sailboat", "lifebuoy", "octopus", "tropical fish", "tropical fish")),
    Sample("garden.png", 2, (1, 1), ("plain", "white"),
           ("sunflower", "tulip", "butterfly", "ladybird", "ladybird", "caterpillar")),
    Sample("shapes.png", 8, (1, 1), ("plain", "yellow"),
           ("red circle", "blue square", "purple star", "black triangle", "blue heart")),
    Sample("penguins.png", 7, (3, 4), ("shaded", "purple"),
           ("penguin", "penguin", "penguin", "penguin", "snowman")),
    Sample("desk.png", 1, (3, 2), ("dots", "green", "yellow"),
           ("laptop", "hot drink", "open book", "alarm clock")),
)  # fmt: skip


def write_samples(atlas: Path, folder: Path, truth: Path) -> None:
    """Write the pictures into `folder`, what is true of them into the file `truth`, and their
    thumbnails into the folder `sample_thumbnails` beside it."""
    renderer = Renderer(load_sheet(atlas), "cpu")
    folder.mkdir(parents=True, exist_ok=True)
    known: dict[str, Any] = {}
    for sample in SAMPLES:
        scene = sample.scene()
        picture_of(scene, renderer, SIDE).save(folder / sample.file, optimize=True)
        known[sample.file] = truth_of(scene)
    truth.write_text(json.dumps(known, indent=1) + "\n", "utf-8")
    write_thumbnails(folder, folder.with_name("sample_thumbnails"))


def write_thumbnails(folder: Path, thumbnails: Path) -> None:
    """Write the middle squares as the window's empty page makes them."""
    thumbnails.mkdir(parents=True, exist_ok=True)
    for path in sorted(folder.glob("*.png")):
        with Image.open(path) as picture:
            width, height = picture.size
            edge = min(picture.size)
            left, top = (width - edge) // 2, (height - edge) // 2
            box = (left, top, left + edge, top + edge)
            sides = (THUMBNAIL_SIDE, THUMBNAIL_SIDE)
            small = picture.resize(sides, Image.Resampling.LANCZOS, box=box, reducing_gap=2.0)
        small.save(thumbnails / path.name, optimize=True)


def truth_of(scene: Scene) -> dict[str, Any]:
    """What is where, and the answers that follow; boxes are shares of the picture's sides."""
    left, top, right, bottom = scene.content
    width, height = right - left, bottom - top
    return {
        "description": answers.description(scene, "image"),
        "caption": answers.caption(scene),
        "background": answers.background_answer(scene.background),
        "word": scene.word.text if scene.word else None,
        "things": [
            {
                "name": thing.name,
                "plural": thing.plural,
                "colour": thing.colour,
                "place": answers.place(scene, thing),
                "box": [
                    round(value, 4)
                    for value in (
                        (thing.box[0] - left) / width,
                        (thing.box[1] - top) / height,
                        (thing.box[2] - left) / width,
                        (thing.box[3] - top) / height,
                    )
                ],
            }
            for thing in scene.things
        ],
    }
