"""A question with its answer, and how people type questions."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field

from scenes import Thing


@dataclass(frozen=True)
class Exchange:
    """A question, its answer, and which task it practises. `about` is the one thing it names."""

    task: str
    question: str
    answer: str
    about: Thing | None = field(default=None, compare=False)


def worn(rng: random.Random, question: str) -> str:
    """The question as people type it: sometimes lower case, without its stop, with a slip."""
    if rng.random() < 0.24:
        question = question.lower() if '"' not in question else question[0].lower() + question[1:]
    if rng.random() < 0.22:
        question = question.rstrip(".?!")
    if rng.random() < 0.035 and len(question) > 12:
        at = rng.randrange(2, len(question) - 3)
        swapped = question[at + 1] + question[at]
        question = question[:at] + rng.choice((swapped, question[at], "")) + question[at + 2 :]
    if rng.random() < 0.02:
        question = rng.choice((question.upper(), question + " ", " " + question, question + "?"))
    return question


def _noun_in(question: str) -> str:
    """What the answer calls the picture: as the question does, else "picture"."""
    return next((n for n in ("image", "drawing", "scene") if n in question), "picture")


def make_exchange(
    task: str, question: str, say: Callable[[str], str] | str, about: Thing | None = None
) -> Exchange:
    answer = say if isinstance(say, str) else say(_noun_in(question))
    return Exchange(task, question, answer, about)
