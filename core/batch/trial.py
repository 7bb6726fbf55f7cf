"""Try first: a few pictures of a run in one way or two, before all of them; nothing is written."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from core.batch.files import existing_caption
from core.batch.options import BatchOptions
from core.engine import Engine
from core.errors import AppError
from core.picture import open_picture
from core.transcript import Ending

PICTURES = 5


@dataclass(frozen=True)
class Tried:
    """A picture of the run by its number, and what each way says of it so far.

    `reason` says why there is no caption. Once `is_over` nothing more comes of it.
    """

    number: int
    path: Path
    captions: tuple[str, ...]
    reason: str = ""
    is_over: bool = False


def drawn(count: int, most: int = PICTURES) -> list[int]:
    """The numbers of `most` random pictures among `count`, in order; other ones each time."""
    return sorted(random.sample(range(count), min(count, most)))


def try_first(
    engine: Engine,
    pictures: Sequence[tuple[int, Path]],
    ways: Sequence[BatchOptions],
    hear: Callable[[Tried], None],
    stop: threading.Event,
) -> list[Tried]:
    """Caption a few pictures, given with their numbers in the run, in each of `ways`.

    Ways differ in their prompts, their sampling, or what else a run may choose; each caption is
    what a run with these options would write. `core.batch.wording.differing_words` tells two apart.
    Blocks, and belongs to the engine's thread, where `hear` is told of a picture anew with each
    piece. Each picture is encoded once. Once `stop` is set it ends inside the caption under way.
    A picture that fails is told with its reason, and the next one is tried.
    """
    tried = []
    for number, path in pictures:
        if stop.is_set():
            break
        tried.append(_tried(engine, Tried(number, path, ("",) * len(ways)), ways, hear, stop))
        hear(tried[-1])
    return tried


def _tried(
    engine: Engine,
    tried: Tried,
    ways: Sequence[BatchOptions],
    hear: Callable[[Tried], None],
    stop: threading.Event,
) -> Tried:
    captions = list(tried.captions)

    def so_far(reason: str = "", *, is_over: bool = True) -> Tried:
        return Tried(tried.number, tried.path, tuple(captions), reason, is_over)

    hear(tried)
    try:
        picture = open_picture(tried.path)
        for place, way in enumerate(ways):
            said = ""
            before = existing_caption(tried.path, way)
            for prompt in way.filled_prompts(tried.path, tried.number + 1, before):

                def on_piece(piece: str, place: int = place) -> None:
                    captions[place] += piece
                    hear(so_far(is_over=False))

                answer = engine.answer(way.request(picture, prompt), on_piece, stop)
                said += way.caption_of(answer)
                captions[place] = said
                if answer.ending is Ending.STOPPED:
                    return so_far()
                said += "\n"
                captions[place] = said
            captions[place] = said.removesuffix("\n")
    except AppError as error:
        return so_far(str(error))
    return so_far()
