"""Which word of each caption of a run is most in doubt, once the captions are there."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from core.batch.journal import Record
from core.batch.options import BatchOptions
from core.engine import Capability, Engine, inspectable
from core.errors import AppError, Cancelled, EngineError
from core.picture import open_picture
from core.transcript import Answer, Ending


@dataclass(frozen=True, slots=True)
class Doubt:
    """The most doubtful word of `caption`, that of a run's picture by its number.

    `doubt` orders words and is no percentage; `step` is 0 for not doubtful, 1, or 2 for very.
    `word` is "" for a caption without words that could be doubted. `model` is the one that was
    asked, by its fingerprint or else its name.
    """

    number: int
    caption: str
    word: str = ""
    doubt: float = 0.0
    step: int = 0
    model: str = ""

    def record(self, picture: str) -> Record:
        """As the run's journal keeps it."""
        values = asdict(self)
        del values["number"]
        return {"kind": "doubt", "picture": picture, **values}

    @staticmethod
    def from_record(number: int, record: Record) -> Doubt:
        known = {name: record[name] for name in Doubt.__slots__ if name in record}
        return Doubt(**known, number=number)


def find_doubt(
    engine: Engine,
    captions: Sequence[tuple[int, Path, str]],
    options: BatchOptions,
    hear: Callable[[Doubt], None],
    stop: threading.Event,
    known: Iterable[Doubt] = (),
) -> None:
    """Tell `hear` of each caption, given as (number, picture, caption), its most doubtful word.

    What is `known` of the same caption from the same model is not looked for again. The caption
    counts as said in answer to the run's first prompt. Blocks, and belongs to the engine's thread.
    A picture that cannot be opened is left out. Once `stop` is set it returns. Raises EngineError
    when the engine tells nothing of its words, or fails.
    """
    if reason := engine.facts.why_not(Capability.EVIDENCE):
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
            # The caption has the beginning already.
            request = replace(options.request(picture, prompt), beginning="")
            evidence = examiner.evidence(request, Answer(caption, Ending.COMPLETE, 0, 0.0), stop)
        except Cancelled:
            return
        except EngineError:
            raise
        except AppError:
            continue
        word = evidence.most_doubtful
        if word is None or word.doubt is None:
            hear(Doubt(number, caption, model=model))
        else:
            hear(Doubt(number, caption, word.text, word.doubt, word.doubt_step, model))
