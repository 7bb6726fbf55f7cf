"""A trial before a run: captions a few of its images with one or two sets of options."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from core.batch.asking_again import AskingAgain
from core.batch.changes import existing_caption
from core.batch.items import NO_WORDS
from core.batch.options import BatchOptions
from core.batch.targets import CaptionTargets
from core.engine import Engine
from core.errors import AppError
from core.picture import open_picture
from core.transcript import Ending

PICTURES = 5


@dataclass(frozen=True)
class Tried:
    """One image of the trial, by its number in the run, with a caption so far for each variant.

    `reason` says why there is no caption, `notes` what the model does not see of the image. Once
    `is_over` it does not change any more.
    """

    number: int
    path: Path
    captions: tuple[str, ...]
    reason: str = ""
    is_over: bool = False
    notes: tuple[str, ...] = ()


def drawn(count: int, most: int = PICTURES) -> list[int]:
    """Returns the numbers of `most` random images among `count`, in order."""
    return sorted(random.sample(range(count), min(count, most)))


def try_first(
    engine: Engine,
    pictures: Sequence[tuple[int, Path]],
    variants: Sequence[BatchOptions],
    on_tried: Callable[[Tried], None],
    stop: threading.Event,
) -> list[Tried]:
    """Captions a few images, given with their numbers in the run, with each variant of the options.

    Each caption is what a run with these options would write; each image is encoded once. Blocks
    and belongs to the engine's thread, which calls `on_tried` with every piece of a caption. An
    image that fails is reported with its reason, and the next one is tried. Once `stop` is set it
    ends inside the caption that is being generated.
    """
    tried: list[Tried] = []
    for number, path in pictures:
        if stop.is_set():
            break
        start = Tried(number, path, ("",) * len(variants))
        tried.append(_try_picture(engine, start, variants, on_tried, stop))
        on_tried(tried[-1])
    return tried


def _try_picture(
    engine: Engine,
    tried: Tried,
    variants: Sequence[BatchOptions],
    on_tried: Callable[[Tried], None],
    stop: threading.Event,
) -> Tried:
    captions = list(tried.captions)
    notes: tuple[str, ...] = ()

    def so_far(reason: str = "", *, is_over: bool = True) -> Tried:
        return Tried(tried.number, tried.path, tuple(captions), reason, is_over, notes)

    on_tried(tried)
    try:
        picture = open_picture(tried.path)
        notes = picture.notes
        for index, options in enumerate(variants):
            captioned: list[str] = []
            before = _caption_before(tried.path, options)
            prompts = options.filled_prompts(tried.path, tried.number + 1, before)
            for place, prompt in enumerate(prompts):

                def on_piece(piece: str, index: int = index) -> None:
                    captions[index] += piece
                    on_tried(so_far(is_over=False))

                request = options.request(picture, prompt, place)
                answer = AskingAgain(engine).answer(request, on_piece, stop)
                if answer.ending is Ending.STOPPED:
                    captions[index] = "\n".join([*captioned, options.caption_of(answer)])
                    return so_far()
                if not options.has_words(answer.text):
                    return so_far(NO_WORDS)
                captioned.append(options.caption_of(answer))
                captions[index] = "\n".join([*captioned, ""])
            captions[index] = options.whole_caption(captioned)
    except AppError as error:
        return so_far(error.message)
    return so_far()


def _caption_before(picture: Path, options: BatchOptions) -> str:
    """Returns the caption beside an image, if a prompt asks about it. Raises StoreError."""
    if not any("{caption}" in prompt for prompt in options.prompts):
        return ""
    return existing_caption(CaptionTargets(options, (picture.parent,), [picture]).of(picture))
