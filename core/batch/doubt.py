"""Finds the most doubtful word in each caption of a run: once the captions are written or, where a
server says how sure its model is, from its answers."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from core.batch.events import DoubtFound
from core.batch.items import Item
from core.batch.options import BatchOptions
from core.engine import Capability, Engine, inspectable
from core.errors import AppError, Cancelled, EngineError
from core.picture import open_picture
from core.transcript import Answer, Ending, Request

if TYPE_CHECKING:
    # It imports numpy, which would make the window's start slower.
    from core.words import Word


@dataclass(frozen=True, slots=True)
class Doubt:
    """The most doubtful word of `caption`, which item `number` of a run has.

    `doubt` orders words and is not a percentage; `step` is 0 for not doubtful, 1 for doubtful and 2
    for very doubtful. `word` is "" if the caption has no word that could be doubted. `model` is the
    fingerprint, or else the name, of the model that judged it.
    """

    number: int
    caption: str
    word: str = ""
    doubt: float = 0.0
    step: int = 0
    model: str = ""


def words_in_doubt(
    engine: Engine, request: Request, answer: Answer, stop: threading.Event
) -> list[Word]:
    """Returns how doubtful the words are of an answer whose engine says so of answers that it gives
    now and of no others; [] for any other. Belongs to the engine's thread."""
    if not answer.scores or engine.facts.why_not(Capability.EVIDENCE):
        return []
    try:
        evidence = inspectable(engine, Capability.EVIDENCE).evidence(request, answer, stop)
    except (EngineError, Cancelled):
        return []
    return [word for word in evidence.words if word.doubt is not None]


def doubt_found(picture: str, caption: str, words: Sequence[Word], model: str) -> DoubtFound:
    """Returns the journal line about a caption that was made of answers with these `words`."""
    kept = (word for word in words if word.text in caption)
    worst = max(kept, key=lambda word: word.doubt or 0.0, default=None)
    if worst is None:
        return DoubtFound(picture, caption, model=model)
    return DoubtFound(
        picture, caption, worst.text, worst.doubt or 0.0, worst.doubt_step, model=model
    )


def doubts_of(
    found: Iterable[DoubtFound], items: Sequence[Item], numbers: Mapping[str, int]
) -> Iterator[Doubt]:
    """Yields what was found about captions that the items still have; `numbers` are the items' by
    the path of the image."""
    for one in found:
        number = numbers.get(one.picture)
        if number is not None and items[number].caption == one.caption:
            yield Doubt(number, one.caption, one.word, one.doubt, one.step, one.model)


def find_doubt(
    engine: Engine,
    captions: Sequence[tuple[int, Path, str]],
    options: BatchOptions,
    on_doubt: Callable[[Doubt], None],
    stop: threading.Event,
    known: Iterable[Doubt] = (),
) -> None:
    """Calls `on_doubt` with the most doubtful word of each caption.

    `captions` are (number, image, caption). Each counts as the answer to the run's first prompt.
    Captions that are among `known`, judged by the same model, are left out, and so are images that
    cannot be opened. Blocks and belongs to the engine's thread; returns early once `stop` is set.
    Raises EngineError if the engine cannot judge words, or fails.
    """
    if reason := engine.facts.why_not(Capability.EVIDENCE, Capability.EARLIER):
        raise EngineError(reason)
    examiner = inspectable(engine, Capability.EVIDENCE)
    model = engine.facts.fingerprint or engine.facts.model
    done = {(doubt.number, doubt.caption) for doubt in known if doubt.model == model}
    for number, path, caption in captions:
        if stop.is_set():
            return
        if (number, caption) in done:
            continue
        try:
            picture = open_picture(path)
            prompt = options.filled_prompts(path, number + 1, "")[0]
            text = options.without_affixes(caption)
            # The caption includes the beginning already.
            request = replace(options.request(picture, prompt), beginning="")
            evidence = examiner.evidence(request, Answer(text, Ending.COMPLETE, 0, 0.0), stop)
        except Cancelled:
            return
        except EngineError:
            raise
        except AppError:
            continue
        word = evidence.most_doubtful
        if word is None or word.doubt is None:
            on_doubt(Doubt(number, caption, model=model))
        else:
            on_doubt(Doubt(number, caption, word.text, word.doubt, word.doubt_step, model))
