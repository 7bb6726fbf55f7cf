"""What a question asks for: something that is in the picture, or could be mistaken for it."""

from __future__ import annotations

import random
from dataclasses import dataclass

import answers
from catalogue import SHAPES, THING_COLOURS, glyphs, plural_of_shape
from scenes import Scene, Thing
from sprites import sprite_facts


@dataclass(frozen=True)
class Name:
    """A thing asked for, by its name in the singular and plural."""

    one: str
    many: str


def unique_things(scene: Scene) -> list[Thing]:
    """The things that are alone of their name."""
    return [t for t in scene.things if len(answers.named(scene, t.name)) == 1]


def asked_name(rng: random.Random, scene: Scene, thing: Thing) -> Name:
    """A name by which to ask for a thing; a shape sometimes without its colour."""
    if thing.kind == "shape" and rng.random() < 0.35:
        return Name(thing.noun, plural_of_shape(thing.noun))
    return Name(thing.name, thing.plural)


def absent_name(rng: random.Random, scene: Scene) -> Name | None:
    """Something that is not there, rather something that could be mistaken for what is."""
    for _ in range(20):
        chance = rng.random()
        near = rng.choice(scene.things) if scene.things and chance < 0.6 else None
        if near is not None and near.kind == "shape":
            shape, colour = near.noun, near.colour or "red"
            if rng.random() < 0.5:
                shape = rng.choice(SHAPES)
            else:
                colour = rng.choice(THING_COLOURS)
            name = Name(f"{colour} {shape}", f"{colour} {plural_of_shape(shape)}")
            if rng.random() < 0.15:
                name = Name(shape, plural_of_shape(shape))
        elif near is not None:
            if chance < 0.35:
                glyph = glyphs()[rng.choice(sprite_facts().look_alikes[near.sprite])]
            else:
                glyph = rng.choice([g for g in glyphs() if g.kind == near.kind])
            name = Name(glyph.name, glyph.plural)
        elif chance < 0.9:
            glyph = rng.choice(glyphs())
            name = Name(glyph.name, glyph.plural)
        else:
            colour, shape = rng.choice(THING_COLOURS), rng.choice(SHAPES)
            name = Name(f"{colour} {shape}", f"{colour} {plural_of_shape(shape)}")
        if not any(_could_mean(name.one, t) for t in scene.things):
            return name
    return None


def _could_mean(name: str, thing: Thing) -> bool:
    """Whether people might call the thing so: "dog" for a dog head."""
    if name in {thing.name, thing.noun}:
        return True
    words, others = set(name.split()), set(thing.name.split())
    return thing.kind != "shape" and (words <= others or others <= words)


def a_name(rng: random.Random, scene: Scene, absent: float) -> tuple[Name, Thing | None] | None:
    if scene.unknown or not scene.things or rng.random() < absent:
        name = absent_name(rng, scene)
        return (name, None) if name else None
    thing = rng.choice(scene.things)
    return asked_name(rng, scene, thing), thing
