"""Whole conversations about a scene: questions, some of which lean on the answer before."""

from __future__ import annotations

import random

import answers
import phrasings as ask
from asked_names import unique_things
from exchanges import Exchange, worn
from scenes import Scene
from texts import MIX, WITHOUT_LOOKING, exchange


def conversation(
    rng: random.Random, scene: Scene, turns: int, mix: dict[str, float] | None = None
) -> list[Exchange]:
    """Several exchanges about one picture, some of which lean on the one before."""
    weights = mix or MIX
    tasks, chances = list(weights), list(weights.values())
    said: list[Exchange] = []
    while len(said) < turns:
        follow = _follow_up(rng, scene, said) if said and rng.random() < 0.32 else None
        made = follow or exchange(rng.choices(tasks, chances)[0], rng, scene)
        if made is not None:
            said.append(made)
    return said


def _follow_up(rng: random.Random, scene: Scene, said: list[Exchange]) -> Exchange | None:
    """A question that is understood only from the exchange before."""
    last = said[-1]
    noun = rng.choice(ask.PICTURE_NOUNS)
    kind = rng.choices(
        ("where", "colour", "else", "same", "sure", "repeat", "left", "right"),
        (5, 4, 3, 6, 0.7, 1, 2, 2),
    )[0]
    about = None if scene.unknown else last.about
    section, answer = "", ""
    if kind == "repeat":
        section, answer = "follow repeat", last.answer
    elif kind == "sure":
        section, answer = "follow sure", "Yes, I am sure."
        if last.task in WITHOUT_LOOKING or last.answer == answers.UNKNOWN:
            return None
    elif kind == "same":
        return _same_again(rng, scene, last, noun)
    elif about is None:
        return None
    elif kind == "where":
        section, answer = "follow where", f"The {about.name} is {answers.place(scene, about)}."
    elif kind == "colour":
        section, answer = "follow colour", answers.colour_of(scene, about.name, "picture")
        if about.kind == "shape":
            answer = f"The {about.noun} is {about.colour}."
    elif kind == "else":
        section, answer = "follow else", answers.what_else(scene, about)
    else:
        section = "follow left" if kind == "left" else "follow right"
        answer = answers.what_beside(scene, about, kind)
        about = None
    question = worn(rng, ask.say(rng, section, n=noun))
    return Exchange("follow-up", question, answer, about)


def _same_again(rng: random.Random, scene: Scene, last: Exchange, noun: str) -> Exchange | None:
    """ "And the key?" after a question of where or of which colour."""
    others = [t for t in unique_things(scene) if t is not last.about]
    if scene.unknown or not others or last.about is None or last.task not in {"where", "colour"}:
        return None
    thing = rng.choice(others)
    if last.task == "where":
        answer = answers.where(scene, thing.name, "picture")
        name = thing.name
    elif thing.kind == "shape" and len(answers.named(scene, thing.noun)) > 1:
        return None
    else:
        name = thing.noun
        answer = answers.colour_of(scene, name, "picture")
    question = worn(rng, ask.say(rng, "follow same", n=noun, s=name))
    return Exchange("follow-up", question, answer, thing)
