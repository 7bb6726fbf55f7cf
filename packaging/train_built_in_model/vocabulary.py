"""The words of the questions that the model is trained on, for `core.vocabulary`."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import phrasings
import texts
from catalogue import FOLDER, glyphs, short_name
from placing import draw_scene
from sprites import sprite_facts

SEED = 1
SCENES = 4000
PER_SCENE = 10
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
_SLOT = re.compile(r"\{\w+\}")
_QUOTED = re.compile(r'"[^"]*"')


def write_vocabulary(path: Path) -> None:
    """Writes all words, in lower case, one on each line, most frequent first."""
    path.write_text("\n".join(vocabulary()) + "\n", encoding="utf-8")


def vocabulary() -> list[str]:
    """The words that stand in the phrasings and the catalogue, and those that questions put in."""
    counts = Counter(word for question in drawn_questions(SEED) for word in words(question))
    known = {*written_words(), *counts}
    return sorted(known, key=lambda word: (-counts[word], word))


def written_words() -> set[str]:
    """The words of the phrasings and the catalogue."""
    lines = (FOLDER / "phrasings.txt").read_text("utf-8").splitlines()
    found = {
        word
        for line in lines
        if not line.startswith(("#", "["))
        for word in words(_SLOT.sub(" ", line))
    }
    for glyph in glyphs():
        for name in (glyph.name, glyph.plural, glyph.kind, short_name(glyph.name) or ""):
            found.update(words(name))
    return found


def drawn_questions(seed: int, scenes: int = SCENES) -> Iterator[str]:
    """Questions as they are asked in training, before slips are put in."""
    rng = random.Random(seed)
    tasks, weights = list(texts.MIX), list(texts.MIX.values())
    for number in range(scenes):
        style = rng.choices(("mixed", "groups", "word", "one"), (6, 2, 2, 1))[0]
        scene = draw_scene(seed * 10_000_000 + number, sprite_facts(), style)
        for task in rng.choices(tasks, weights, k=PER_SCENE):
            noun = rng.choice(phrasings.PICTURE_NOUNS)
            if made := texts.TASKS[task](rng, scene, noun):
                yield made.question


def words(text: str) -> list[str]:
    """The words of a text in lower case; what is quoted is read letter by letter."""
    return _WORD.findall(_QUOTED.sub(" ", text).lower())
