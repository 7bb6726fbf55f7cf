"""Questions about a scene by task, with the answers that follow from it."""

from __future__ import annotations

import random
from collections.abc import Callable

import answers
import phrasings as ask
from answers import NUMBERS, PLACES
from asked_names import Name, a_name, asked_name, unique_things
from catalogue import (
    COLOURS,
    KINDS,
    THING_COLOURS,
    glyphs,
    plural_of_shape,
    short_name,
    with_article,
)
from exchanges import Exchange, make_exchange, worn
from scenes import CELLS, Scene, Thing

Task = Callable[[random.Random, Scene, str], Exchange | None]


def exchange(task: str, rng: random.Random, scene: Scene) -> Exchange | None:
    """An exchange of this task, or None where the scene does not allow it."""
    noun = rng.choice(ask.PICTURE_NOUNS)
    made = TASKS[task](rng, scene, noun)
    if made is None:
        return None
    answer = made.answer
    if scene.unknown and task not in WITHOUT_LOOKING:
        answer = answers.UNKNOWN
    return Exchange(task, worn(rng, made.question), answer, made.about)


def _describe(rng: random.Random, scene: Scene, noun: str) -> Exchange:
    question = _preset(rng, "describe", noun)
    return make_exchange("describe", question, lambda n: answers.description(scene, n))


def _preset(rng: random.Random, section: str, noun: str) -> str:
    """A phrasing; one time in five the ready prompt, which stands first."""
    ready = ask.lines(section)[0]
    return ready if "(" not in ready and rng.random() < 0.2 else ask.say(rng, section, n=noun)


def _plain(task: str, section: str, answer: Callable[[Scene, str], str]) -> Task:
    def make(rng: random.Random, scene: Scene, noun: str) -> Exchange:
        question = _preset(rng, section, noun)
        return make_exchange(task, question, lambda n: answer(scene, n))

    return make


def _count(rng: random.Random, scene: Scene, noun: str) -> Exchange | None:
    asked = a_name(rng, scene, absent=0.12)
    if asked is None:
        return None
    name, thing = asked
    if thing is not None and rng.random() < 0.5:  # Rather what there are several of.
        thing = max(scene.things, key=lambda t: len(answers.named(scene, t.name)))
        name = asked_name(rng, scene, thing)
    question = ask.say(rng, "count", n=noun, p=name.many)
    return make_exchange(
        "count", question, lambda n: answers.count_of(scene, name.one, name.many, n)
    )


def _is_there(rng: random.Random, scene: Scene, noun: str) -> Exchange | None:
    asked = a_name(rng, scene, absent=0.52)
    if asked is None:
        return None
    name, thing = asked
    short = short_name(name.one)
    if short is None and thing is not None and name.one.endswith(" head"):
        short = name.one.removesuffix(" head")
    if short and rng.random() < 0.4:
        spoken = {"a": short, "p": short}
        spoken["a"] = short if short.endswith("s") else with_article(short)
    else:
        spoken = {"a": with_article(name.one), "p": name.many}
    question = ask.say(rng, "is there", n=noun, **spoken)
    about = thing if thing and len(answers.named(scene, thing.name)) == 1 else None
    return make_exchange(
        "yes or no", question,
        lambda n: answers.is_there(scene, name.one, name.many, n), about,
    )  # fmt: skip


def _where(rng: random.Random, scene: Scene, noun: str) -> Exchange | None:
    asked = a_name(rng, scene, absent=0.1)
    if asked is None:
        return None
    name, thing = asked
    if thing and len(answers.named(scene, name.one)) > 1:
        question = ask.say(rng, "where plural", n=noun, p=name.many)
        thing = None
    else:
        question = ask.say(rng, "where", n=noun, s=name.one)
    return make_exchange("where", question, lambda n: answers.where(scene, name.one, n), thing)


def _what_at(rng: random.Random, scene: Scene, noun: str) -> Exchange:
    drawn = [scene.cell_of(t) for t in scene.things]
    if scene.word:
        drawn.append(scene.cell_of(scene.word))
    cell = rng.choice(drawn) if drawn and rng.random() < 0.72 else rng.choice(CELLS)
    question = ask.say(rng, "what at", n=noun, l=rng.choice(ask.lines(f"cell words: {cell}")))
    here = [t for t in scene.things if scene.cell_of(t) == cell]
    about = here[0] if len(here) == 1 and here[0] in unique_things(scene) else None
    return make_exchange("what is at", question, answers.what_at(scene, cell), about)


def _clear_heights(scene: Scene, thing: Thing) -> bool:
    return all(abs(t.y - thing.y) >= 14 for t in scene.things if t is not thing)


def _beside(rng: random.Random, scene: Scene, noun: str) -> Exchange | None:
    if scene.unknown or not (uniques := unique_things(scene)):
        return None
    thing = rng.choice(uniques)
    side = rng.choice(("left", "right", "above", "below"))
    if side in {"above", "below"} and not _clear_heights(scene, thing):
        side = "left" if side == "above" else "right"
    question = ask.say(rng, f"beside: {side}", n=noun, s=thing.name)
    return make_exchange("beside", question, answers.what_beside(scene, thing, side))


def _two(rng: random.Random, scene: Scene) -> tuple[Thing, Thing] | None:
    uniques = [] if scene.unknown else unique_things(scene)
    if len(uniques) < 2:
        return None
    one, other = rng.sample(uniques, 2)
    return None if 5 < abs(one.y - other.y) < 16 else (one, other)


def _relation(rng: random.Random, scene: Scene, noun: str) -> Exchange | None:
    two = _two(rng, scene)
    if two is None:
        return None
    one, other = two
    if rng.random() < 0.5:
        question = ask.say(rng, "relation", n=noun, s=one.name, o=other.name)
        return make_exchange("relation", question, answers.relation(one, other))
    side = rng.choice(answers.sides_of(one, other))
    if rng.random() < 0.5:
        side = {"left": "right", "right": "left", "above": "below", "below": "above"}[side]
    question = ask.say(rng, f"is beside: {side}", n=noun, s=one.name, o=other.name)
    return make_exchange("relation", question, answers.is_beside(one, other, side))


def _is_at(rng: random.Random, scene: Scene, noun: str) -> Exchange | None:
    if scene.unknown or not (uniques := unique_things(scene)):
        return None
    thing = rng.choice(uniques)
    right = scene.cell_of(thing)
    cell = right if rng.random() < 0.5 else rng.choice(CELLS)
    question = ask.say(
        rng, "is at", n=noun, s=thing.name, l=rng.choice(ask.lines(f"cell words: {cell}"))
    )
    yes = "Yes" if cell == right else "No"
    return make_exchange("is at", question, f"{yes}, the {thing.name} is {PLACES[right]}.", thing)


def _colour_of(rng: random.Random, scene: Scene, noun: str) -> Exchange | None:
    asked = a_name(rng, scene, absent=0.08)
    if asked is None:
        return None
    name, thing = asked
    if thing is not None and thing.kind == "shape":
        if len(answers.named(scene, thing.noun)) > 1:
            return None
        name = Name(thing.noun, plural_of_shape(thing.noun))
    if thing is not None and len(answers.named(scene, name.one)) > 1:
        question = ask.say(rng, "colour of plural", n=noun, p=name.many)
        thing = None
    else:
        question = ask.say(rng, "colour of", n=noun, s=name.one)
    return make_exchange("colour", question, lambda n: answers.colour_of(scene, name.one, n), thing)


def _is_colour(rng: random.Random, scene: Scene, noun: str) -> Exchange | None:
    uniques = [
        t for t in unique_things(scene) if t.colour and len(answers.named(scene, t.noun)) == 1
    ]
    if scene.unknown or not uniques:
        return None
    thing = rng.choice(uniques)
    colour = thing.colour if rng.random() < 0.5 else rng.choice(THING_COLOURS)
    question = ask.say(rng, "is colour", n=noun, s=thing.noun, c=colour or "red")
    yes = "Yes" if colour == thing.colour else "No"
    return make_exchange(
        "is colour", question, f"{yes}, the {thing.noun} is {thing.colour}.", thing
    )


def _is_background(rng: random.Random, scene: Scene, noun: str) -> Exchange | None:
    if len(scene.background.colours) != 1:
        return None
    (right,) = scene.background.colours
    colour = right if rng.random() < 0.5 else rng.choice(list(COLOURS))
    question = ask.say(rng, "is background", n=noun, c=colour, a=with_article(colour))
    yes = "Yes" if colour == right else "No"
    return make_exchange("is background", question, f"{yes}, the background is {right}.")


def _of_kind(rng: random.Random, scene: Scene, noun: str) -> Exchange:
    kind = _a_kind(rng, scene)
    question = ask.say(
        rng, "of kind", n=noun, p=answers.plural_of_kind(kind), a=_kind_with_article(kind)
    )
    return make_exchange("kind", question, lambda n: answers.is_there_kind(scene, kind, n)
                 if not question.startswith(("Which", "What"))
                 else _which_kind(scene, kind, n))  # fmt: skip


def _kind_with_article(kind: str) -> str:
    return kind if answers.plural_of_kind(kind) == kind else with_article(kind)


def _which_kind(scene: Scene, kind: str, noun: str) -> str:
    found = answers.of_kind(scene, kind)
    if not found:
        return answers.count_of_kind(scene, kind, noun)
    verb = answers.is_are(len(found))
    return f"There {verb} {answers.joined(answers.counted_things(found))}."


def _a_kind(rng: random.Random, scene: Scene) -> str:
    shown = [k for k in KINDS if answers.of_kind(scene, k)]
    return rng.choice(shown) if shown and rng.random() < 0.6 else rng.choice(list(KINDS))


def _count_kind(rng: random.Random, scene: Scene, noun: str) -> Exchange:
    kind = _a_kind(rng, scene)
    question = ask.say(rng, "count kind", n=noun, p=answers.plural_of_kind(kind))
    return make_exchange("count kind", question, lambda n: answers.count_of_kind(scene, kind, n))


def _extreme(rng: random.Random, scene: Scene, noun: str) -> Exchange | None:
    which = rng.choice(ask.keys("extreme"))
    measures: dict[str, Callable[[Thing], float]] = {
        "leftmost": lambda t: -t.x, "rightmost": lambda t: t.x,
        "topmost": lambda t: -t.y, "lowest": lambda t: t.y,
        "largest": lambda t: t.width * t.height, "smallest": lambda t: -t.width * t.height,
    }  # fmt: skip
    measure = measures[which]
    ranked = sorted(scene.things, key=measure, reverse=True)
    if scene.unknown or len(ranked) < 2 or ranked[0] not in unique_things(scene):
        return None
    first, second = measure(ranked[0]), measure(ranked[1])
    if which in {"largest", "smallest"}:
        if max(first / second, second / first) < 1.5:
            return None
    elif abs(first - second) < ORDER:
        return None
    question = ask.say(rng, f"extreme: {which}", n=noun)
    words = {
        "leftmost": "furthest to the left", "rightmost": "furthest to the right",
        "topmost": "highest up", "lowest": "lowest down", "largest": "the largest",
        "smallest": "the smallest",
    }  # fmt: skip
    name = ranked[0].name
    return make_exchange("extreme", question, f"The {name} is {words[which]}.", ranked[0])


ORDER = 11.0


def _read(rng: random.Random, scene: Scene, noun: str) -> Exchange | None:
    if scene.word is None and rng.random() < 0.65:
        return None
    question = _preset(rng, "read", noun)
    return make_exchange("read", question, lambda n: answers.reading(scene, n))


def _about_word(rng: random.Random, scene: Scene, noun: str) -> Exchange | None:
    word = scene.word
    if word is None or scene.unknown:
        return None
    asked = rng.randrange(4)
    section = ("word colour", "word place", "word length", "word spelled")[asked]
    answer = (
        f"The word is {word.colour}.",
        f'The word "{word.text}" is {answers.word_place(scene)}.',
        f"The word has {NUMBERS[len(word.text)]} letters.",
        f"It is spelled {'-'.join(word.text)}.",
    )[asked]
    return make_exchange("about the word", ask.say(rng, section, n=noun), answer)


def _only_drawn(rng: random.Random, scene: Scene, noun: str) -> Exchange:
    name = rng.choice(scene.things).name if scene.things else rng.choice(glyphs()).name
    question = ask.say(
        rng, "only drawn", n=noun, s=name, a=with_article(name), c=rng.choice(THING_COLOURS)
    )
    return make_exchange("only drawn", question, answers.only_drawn(scene))


def _about_itself(rng: random.Random, scene: Scene, noun: str) -> Exchange:
    return make_exchange("about itself", ask.say(rng, "about itself", n=noun), answers.ABOUT_ITSELF)


def _out_of_scope(rng: random.Random, scene: Scene, noun: str) -> Exchange:
    one, other = rng.choice(glyphs()), rng.choice(glyphs())
    fill = {key: rng.choice(ask.lines(f"fill: {key}")) for key in ask.keys("fill")}
    number = str(rng.choice((rng.randint(0, 20), rng.randint(0, 1000))))
    question = ask.say(
        rng, "out of scope", n=noun, some=one.plural, a=with_article(one.name),
        b=with_article(other.name), number=number, **fill,
    )  # fmt: skip
    return make_exchange("out of scope", question, answers.OUT_OF_SCOPE)


def _small_talk(rng: random.Random, scene: Scene, noun: str) -> Exchange:
    if rng.random() < 0.5:
        return make_exchange("small talk", ask.say(rng, "thanks"), "You are welcome.")
    return make_exchange("small talk", ask.say(rng, "hello"), "Hello! Ask me about this picture.")


TASKS: dict[str, Task] = {
    "describe": _describe,
    "caption": _plain("caption", "caption", lambda s, n: answers.caption(s)),
    "alt text": _plain("alt text", "alt text", lambda s, n: answers.alt_text(s)),
    "tags": _plain("tags", "tags", lambda s, n: answers.tags(s)),
    "list": _plain("list", "listing", lambda s, n: answers.bullet_list(s)),
    "name": _plain("name", "naming", lambda s, n: answers.naming(s)),
    "see": _plain("see", "seeing", lambda s, n: answers.seeing(s)),
    "where all": _plain("where all", "where all", lambda s, n: answers.where_all(s)),
    "count all": _plain("count all", "count all", answers.count_all),
    "colours": _plain("colours", "colours", lambda s, n: answers.all_colours(s)),
    "read": _read,
    "is there text": _plain("is there text", "is there text", answers.is_there_text),
    "background": _plain(
        "background", "background", lambda s, n: answers.background_answer(s.background)
    ),
    "count": _count,
    "yes or no": _is_there,
    "where": _where,
    "what is at": _what_at,
    "beside": _beside,
    "relation": _relation,
    "is at": _is_at,
    "colour": _colour_of,
    "is colour": _is_colour,
    "is background": _is_background,
    "kind": _of_kind,
    "count kind": _count_kind,
    "extreme": _extreme,
    "about the word": _about_word,
    "only drawn": _only_drawn,
    "about itself": _about_itself,
    "out of scope": _out_of_scope,
    "small talk": _small_talk,
}

WITHOUT_LOOKING = {"about itself", "out of scope", "small talk"}

MIX: dict[str, float] = {
    "describe": 12, "caption": 5, "alt text": 2.5, "tags": 2.5, "list": 2, "name": 2.5, "see": 2,
    "where all": 4, "count all": 3, "colours": 3, "read": 6, "is there text": 2, "background": 2.5,
    "count": 10, "yes or no": 11, "where": 8, "what is at": 8, "beside": 6, "relation": 5,
    "is at": 1.5, "colour": 3, "is colour": 1.5, "is background": 1, "kind": 3, "count kind": 2,
    "extreme": 2, "about the word": 2.5, "only drawn": 2.5, "about itself": 2.2,
    "out of scope": 4, "small talk": 0.7,
}  # fmt: skip
