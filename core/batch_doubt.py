"""Which word of each caption of a run is most in doubt, once the captions are there."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from core.batch_plan import BatchOptions
from core.errors import AppError, Cancelled, EngineError
from core.picture import open_picture
from core.transcript import Answer, Ending, Request

if TYPE_CHECKING:
    from core.words import Evidence


@dataclass(frozen=True, slots=True)
class Doubt:
    """The most doubtful word of `caption`, that of a run's picture by its number.

    `doubt` orders words and is no percentage; `step` is 0 for not doubtful, 1, or 2 for very.
    `word` is "" for a caption without words that could be doubted.
    """

    number: int
    caption: str
    word: str = ""
    doubt: float = 0.0
    step: int = 0


class Examiner(Protocol):
    """Who is asked: an Engine."""

    @property
    def evidence_obstacle(self) -> str | None: ...

    def evidence(self, request: Request, answer: Answer, stop: threading.Event) -> Evidence: ...


def find_doubt(
    engine: Examiner,
    captions: Sequence[tuple[int, Path, str]],
    options: BatchOptions,
    hear: Callable[[Doubt], None],
    stop: threading.Event,
) -> None:
    """Tell `hear` of each caption, given as (number, picture, caption), its most doubtful word.

    The caption counts as said in answer to the run's first prompt. Blocks, and belongs to the
    engine's thread. A picture that cannot be opened is left out. Once `stop` is set it returns.
    Raises EngineError when the engine tells nothing of its words, or fails.
    """
    if engine.evidence_obstacle:
        raise EngineError(engine.evidence_obstacle)
    for number, path, caption in captions:
        if stop.is_set():
            return
        try:
            picture = open_picture(path)
            prompt = options.filled_prompts(path, number + 1, "")[0]
            # The caption has the beginning already.
            request = replace(options.request(picture, prompt), beginning="")
            evidence = engine.evidence(request, Answer(caption, Ending.COMPLETE, 0, 0.0), stop)
        except Cancelled:
            return
        except EngineError:
            raise
        except AppError:
            continue
        word = evidence.most_doubtful
        if word is None or word.doubt is None:
            hear(Doubt(number, caption))
        else:
            hear(Doubt(number, caption, word.text, word.doubt, word.doubt_step))
