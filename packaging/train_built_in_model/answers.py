"""What is true of a scene, in words. Each answer follows from the picture and the question alone.

Things are always listed from left to right; the same things are listed together, at the position of
the leftmost. `noun` is what the question calls the picture: image, picture, drawing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from catalogue import KIND_PLURALS, KINDS, with_article
from scenes import Background, Scene, Thing

NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight")
PLACES = {
    "top left": "at the top left",
    "top": "at the top",
    "top right": "at the top right",
    "left": "on the left",
    "middle": "in the middle",
    "right": "on the right",
    "bottom left": "at the bottom left",
    "bottom": "at the bottom",
    "bottom right": "at the bottom right",
}
UNKNOWN = (
    "I cannot make out anything that I know here. I only know drawn pictures of simple things, "
    "not photographs."
)
ABOUT_ITSELF = (
    "I am the small model built into Onlooker, and I only know drawn pictures. I can name the "
    "things in them, count them, say where they are and read a printed word, but photographs "
    "are beyond me."
)
OUT_OF_SCOPE = (
    "I cannot help with that, because I only know drawn pictures. Ask me what is in this one, "
    "where it is or how many there are."
)


def joined(parts: Sequence[str]) -> str:
    """ "a dog", "a dog and a key", "a dog, a key and a cat"."""
    return parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + " and " + parts[-1]


def counted(number: int, name: str, plural: str) -> str:
    """ "a dog" for one, "two dogs" for more."""
    return with_article(name) if number == 1 else f"{NUMBERS[number]} {plural}"


def groups(things: Iterable[Thing]) -> list[list[Thing]]:
    """The things of one name together, by the leftmost of each."""
    by_name: dict[str, list[Thing]] = {}
    for thing in things:
        by_name.setdefault(thing.name, []).append(thing)
    return list(by_name.values())


def counted_things(things: Iterable[Thing]) -> list[str]:
    return [counted(len(g), g[0].name, g[0].plural) for g in groups(things)]


def word_phrase(scene: Scene) -> list[str]:
    return [f'the word "{scene.word.text}"'] if scene.word else []


def contents(scene: Scene) -> list[str]:
    """Everything there is: counted things, then the word."""
    return counted_things(scene.things) + word_phrase(scene)


def place(scene: Scene, thing: Thing) -> str:
    return PLACES[scene.cell_of(thing)]


def word_place(scene: Scene) -> str:
    return PLACES[scene.cell_of(scene.word)] if scene.word else ""


def is_are(number: int) -> str:
    return "is" if number == 1 else "are"


def background_phrase(back: Background) -> str:
    """The background with its article, as it stands in a description."""
    match back.kind:
        case "stripes" | "checks":
            return f"a background of {back.colours[0]} and {back.colours[1]} {back.kind}"
        case "dots":
            return f"{with_article(back.colours[0])} background with {back.colours[1]} dots"
        case "plain":
            return f"a plain {back.colours[0]} background"
    return f"a {back.kind} {back.colours[0]} background"


def background_answer(back: Background) -> str:
    match back.kind:
        case "stripes" | "checks":
            return f"The background has {back.colours[0]} and {back.colours[1]} {back.kind}."
        case "dots":
            return f"The background is {back.colours[0]} with {back.colours[1]} dots."
    return f"The background is {back.colours[0]}."


def background_tag(back: Background) -> str:
    match back.kind:
        case "stripes" | "checks":
            return f"{back.colours[0]} and {back.colours[1]} {back.kind}"
        case "dots":
            return f"{back.colours[1]} dots, {back.colours[0]} background"
    return f"{back.colours[0]} background"


def placed(scene: Scene) -> str:
    """Each thing with its place, from left to right: "a dog on the left and another dog …"."""
    seen: set[str] = set()
    parts = []
    for thing in scene.things:
        name = f"another {thing.name}" if thing.name in seen else with_article(thing.name)
        seen.add(thing.name)
        parts.append(f"{name} {place(scene, thing)}")
    return joined(parts)


def description(scene: Scene, noun: str) -> str:
    back = background_phrase(scene.background)
    if not contents(scene):
        return f"The {noun} shows nothing but {back}. There is nothing drawn on it."
    said = [f"The {noun} shows {joined(contents(scene))} on {back}."]
    if len(scene.things) == 1:
        said.append(f"The {scene.things[0].name} is {place(scene, scene.things[0])}.")
    elif scene.things:
        said.append(f"From left to right, there is {placed(scene)}.")
    if scene.word:
        said.append(
            f'The word "{scene.word.text}" is printed in {scene.word.colour} {word_place(scene)}.'
        )
    if len(scene.things) + bool(scene.word) == 1:
        said.append(f"There is nothing else in the {noun}.")
    return " ".join(said)


def caption(scene: Scene) -> str:
    text = " and ".join(
        filter(None, [", ".join(contents(scene)[:-1]), (contents(scene) or [""])[-1]])
    )
    back = background_phrase(scene.background)
    full = f"{text} on {back}." if text else f"nothing but {back}."
    return full[0].upper() + full[1:]


def alt_text(scene: Scene) -> str:
    back = background_phrase(scene.background)
    if not contents(scene):
        return f"An empty picture with {back}."
    return f"A drawing of {joined(contents(scene))} on {back}."


def tags(scene: Scene) -> str:
    names = [g[0].name for g in groups(scene.things)]
    word = [f'"{scene.word.text}"'] if scene.word else []
    return ", ".join([*names, *word, background_tag(scene.background)])


def bullet_list(scene: Scene) -> str:
    lines = [f"- {part}" for part in contents(scene)]
    return "\n".join([*lines, f"- {background_phrase(scene.background)}"])


def naming(scene: Scene) -> str:
    if not contents(scene):
        return f"This is an empty picture: {background_phrase(scene.background)}."
    return f"This is a drawing of {joined(contents(scene))}."


def seeing(scene: Scene) -> str:
    return f"I see {joined([*contents(scene), background_phrase(scene.background)])}."


def only_drawn(scene: Scene) -> str:
    """The answer to what the drawing cannot tell: its mood, its story, its past."""
    parts = joined(contents(scene)) if contents(scene) else "nothing"
    return f"I can only say what is drawn here: {parts} on {background_phrase(scene.background)}."


def where_all(scene: Scene) -> str:
    if not contents(scene):
        return "There is nothing to be seen but the background."
    said = []
    if len(scene.things) == 1:
        said.append(f"The {scene.things[0].name} is {place(scene, scene.things[0])}.")
    elif scene.things:
        said.append(f"From left to right: {placed(scene)}.")
    if scene.word:
        said.append(f'The word "{scene.word.text}" is {word_place(scene)}.')
    return " ".join(said)


def count_all(scene: Scene, noun: str) -> str:
    number = len(scene.things)
    if not number:
        return f"There is only a word in the {noun}." if scene.word else f"The {noun} is empty."
    things = "one thing" if number == 1 else f"{NUMBERS[number]} things"
    word = " and one word" if scene.word else ""
    verb = is_are(number)
    listed = joined(counted_things(scene.things))
    return f"There {verb} {things}{word} in the {noun}: {listed}."


def named(scene: Scene, name: str) -> list[Thing]:
    """The things that a name means; the bare name of a shape means each colour of it."""
    return [t for t in scene.things if name == t.name or (t.kind == "shape" and name == t.noun)]


def of_kind(scene: Scene, kind: str) -> list[Thing]:
    return [t for t in scene.things if t.kind in KINDS[kind]]


def count_of(scene: Scene, name: str, plural: str, noun: str) -> str:
    number = len(named(scene, name))
    if number == 1:
        return f"There is one {name} in the {noun}."
    return f"There are {NUMBERS[number]} {plural} in the {noun}."


def count_of_kind(scene: Scene, kind: str, noun: str) -> str:
    found = of_kind(scene, kind)
    plural = plural_of_kind(kind)
    if not found:
        return f"There {is_are(1 if plural == kind else 2)} no {plural} in the {noun}."
    listed = joined(counted_things(found))
    if len(found) == 1:
        return f"There is one in the {noun}: {listed}."
    return f"There are {NUMBERS[len(found)]} in the {noun}: {listed}."


def plural_of_kind(kind: str) -> str:
    return KIND_PLURALS.get(kind, kind + "s")


def absent(name: str, noun: str) -> str:
    return f"There is no {name} in the {noun}."


def is_there(scene: Scene, name: str, plural: str, noun: str) -> str:
    found = named(scene, name)
    if not found:
        return f"No, there is no {name} in the {noun}."
    if len(found) == 1:
        return f"Yes, there is {with_article(found[0].name)} {place(scene, found[0])}."
    return f"Yes, there are {NUMBERS[len(found)]} {plural} in the {noun}."


def is_there_kind(scene: Scene, kind: str, noun: str) -> str:
    found = of_kind(scene, kind)
    if not found:
        return f"No, there is no {kind} in the {noun}."
    return f"Yes, there {is_are(len(found))} {joined(counted_things(found))}."


def where(scene: Scene, name: str, noun: str) -> str:
    found = named(scene, name)
    if not found:
        return absent(name, noun)
    if len(found) == 1:
        return f"The {name} is {place(scene, found[0])}."
    return f"There are {NUMBERS[len(found)]}: {joined([f'one {place(scene, t)}' for t in found])}."


def what_at(scene: Scene, cell: str) -> str:
    here = [t for t in scene.things if scene.cell_of(t) == cell]
    word = word_phrase(scene) if scene.word and scene.cell_of(scene.word) == cell else []
    parts = counted_things(here) + word
    if not parts:
        return f"There is nothing {PLACES[cell]}."
    return f"There {is_are(len(here) + len(word))} {joined(parts)} {PLACES[cell]}."


SIDES = {
    "left": "to the left of",
    "right": "to the right of",
    "above": "above",
    "below": "below",
}


def beside(scene: Scene, thing: Thing, side: str) -> list[Thing]:
    """What lies on that side of a thing, by the middles."""
    tests = {
        "left": lambda t: t.x < thing.x,
        "right": lambda t: t.x > thing.x,
        "above": lambda t: t.y < thing.y,
        "below": lambda t: t.y > thing.y,
    }
    return [t for t in scene.things if t is not thing and tests[side](t)]


def what_beside(scene: Scene, thing: Thing, side: str) -> str:
    found = beside(scene, thing, side)
    if not found:
        return f"There is nothing {SIDES[side]} the {thing.name}."
    there = f"{SIDES[side]} the {thing.name}"
    return f"There {is_are(len(found))} {joined(counted_things(found))} {there}."


def sides_of(one: Thing, other: Thing) -> list[str]:
    """On which sides of `other` the one lies; heights too near to tell are left out."""
    sides = ["left" if one.x < other.x else "right"]
    if abs(one.y - other.y) >= 16:
        sides.append("above" if one.y < other.y else "below")
    return sides


def relation(one: Thing, other: Thing) -> str:
    sides = sides_of(one, other)
    second = f" and {sides[1]} it" if len(sides) > 1 else ""
    return f"The {one.name} is {SIDES[sides[0]]} the {other.name}{second}."


def is_beside(one: Thing, other: Thing, side: str) -> str:
    opposite = {"left": "right", "right": "left", "above": "below", "below": "above"}
    if side in sides_of(one, other):
        return f"Yes, the {one.name} is {SIDES[side]} the {other.name}."
    return f"No, the {one.name} is {SIDES[opposite[side]]} the {other.name}."


def colour_of(scene: Scene, name: str, noun: str) -> str:
    found = named(scene, name)
    if not found:
        return absent(name, noun)
    colour = found[0].colour
    if len(found) == 1:
        return f"The {name} is {colour}." if colour else f"The {name} has several colours."
    plural = found[0].plural
    return f"The {plural} are {colour}." if colour else f"The {plural} have several colours."


def all_colours(scene: Scene) -> str:
    said = [background_answer(scene.background)]
    parts = []
    for group in groups(scene.things):
        first = group[0]
        if first.colour and first.kind != "shape":
            names = first.name if len(group) == 1 else first.plural
            parts.append(f"the {names} {is_are(len(group))} {first.colour}")
        elif first.colour:
            names = first.noun if len(group) == 1 else first.plural.removeprefix(first.colour + " ")
            parts.append(f"the {names} {is_are(len(group))} {first.colour}")
    if scene.word:
        parts.append(f"the word is {scene.word.colour}")
    if parts:
        text = joined(parts)
        said.append(text[0].upper() + text[1:] + ".")
    return " ".join(said)


def reading(scene: Scene, noun: str) -> str:
    if scene.word is None:
        return f"There is no text in the {noun}."
    return f'The text reads "{scene.word.text}".'


def is_there_text(scene: Scene, noun: str) -> str:
    if scene.word is None:
        return f"No, there is no text in the {noun}."
    return f'Yes, the word "{scene.word.text}" is printed {word_place(scene)}.'


def what_else(scene: Scene, known: Thing) -> str:
    """What there is besides a thing that was mentioned before."""
    others = [t for t in scene.things if t.name != known.name]
    parts = counted_things(others) + word_phrase(scene)
    if not parts:
        return "There is nothing else."
    return f"There {is_are(len(others) + bool(scene.word))} also {joined(parts)}."
