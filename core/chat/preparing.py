"""A request becomes the tensors that a model of transformers takes, by its processor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from PIL import Image

from core.chat.ahead import ImagesAhead
from core.chat.messages import messages
from core.chat.processor import chat_template_of
from core.chat.quiet import first_line
from core.chat.template import ChatTemplate
from core.device.choice import is_out_of_memory
from core.errors import EngineError, PromptError
from core.generation.fitting_turns import MOST_CHARACTERS, first_that_fit
from core.message import Message, translatable
from core.picture import Picture
from core.transcript import Request, Turn

_WORD_JOINER = "\N{WORD JOINER}"
_GREY = 128


class Preparer:
    """Makes the tensors of requests. `close` it at the end."""

    def __init__(self, processor: Any, context_length: int, most_pictures: int):
        self._processor = processor
        self._context_length, self._most_pictures = context_length, most_pictures
        tokenizer = processor.tokenizer
        # New tokens follow the prompts, so shorter prompts of a batch are padded in front.
        tokenizer.padding_side = "left"
        if tokenizer.pad_token_id is None:
            tokenizer.pad_token = tokenizer.eos_token
        self._marks = [text for text in tokenizer.all_special_tokens if len(text) > 1]
        self._template = ChatTemplate(*chat_template_of(processor))
        self._ahead = ImagesAhead(processor)

    def close(self) -> None:
        """Ends the chat template's process."""
        self._template.close()

    @property
    def pad_id(self) -> int:
        """The id that fills up shorter prompts and answers of a batch."""
        return int(self._processor.tokenizer.pad_token_id)

    @property
    def plain_colour(self) -> tuple[int, int, int]:
        """The colour whose pixel values are nearest to 0: the mean of what the model has seen.

        Grey for models that take pixels as they are: black would be dark things.
        """
        mean = getattr(self._processor.image_processor, "image_mean", None)
        if not isinstance(mean, (list, tuple)) or len(mean) != 3 or not any(mean):
            return _GREY, _GREY, _GREY
        red, green, blue = (round(255 * value) for value in mean)
        return red, green, blue

    def prepare_picture(self, picture: Picture) -> Picture:
        """Does what takes the longest of `prepare` ahead of it; may be called in any thread."""
        return self._ahead.prepare(picture)

    def prepare(self, request: Request) -> Prepared:
        """Returns the tensors for a request.

        Leaves out the oldest pairs after the first if the turns are too long. Raises PromptError,
        and EngineError if the processor cannot take the image.
        """
        turns = request.turns
        if not turns:
            raise PromptError(
                translatable(
                    "core",
                    "There is no prompt. Type a question about the image.",
                )
            )
        if 1 + len(request.others) > self._most_pictures:
            most = self._most_pictures
            text = translatable(
                "core", "This model takes at most {most} images at a time. Choose fewer."
            )
            if most == 1:
                text = translatable("core", "This model takes one image at a time. Choose one.")
            raise PromptError(text.format(most=most))
        context = self._context_length
        wanted = min(request.sampling.max_new_tokens, context // 4)
        length = 0

        def fitting(kept: Sequence[Turn], left_out: int) -> Prepared | None:
            nonlocal length
            prompt = self._prompt(kept, 1 + len(request.others)) + request.beginning
            if len(prompt) > context * MOST_CHARACTERS:
                return None
            self._ahead.offer([request.picture, *request.others])
            inputs = self.inputs([prompt], [pixels_of(request)])
            length = inputs["input_ids"].shape[1]
            if context - length < (1 if len(kept) == 1 else wanted):
                return None
            most = min(request.sampling.max_new_tokens, context - length)
            return Prepared(prompt, inputs, length, most, left_out)

        if prepared := first_that_fit(turns, fitting):
            return prepared
        raise PromptError(_too_long(length, context))

    def _prompt(self, turns: Sequence[Turn], pictures: int) -> str:
        return self._template.render(messages(turns, pictures, self._escaped))

    def _escaped(self, text: str) -> str:
        """Splits the special tokens that a person typed, so that they stay text."""
        for mark in self._marks:
            if mark in text:
                text = text.replace(mark, mark[0] + _WORD_JOINER + mark[1:])
        return text

    def inputs(self, prompts: list[str], pictures: list[list[Any]]) -> dict[str, torch.Tensor]:
        """Returns the tensors for several prompts, each with its pictures, padded in front."""
        begin = self._processor.tokenizer.bos_token
        has_begin = bool(begin) and prompts[0].startswith(begin)
        try:
            inputs = self._processor(
                text=prompts,
                images=pictures,
                padding=True,
                return_tensors="pt",
                add_special_tokens=not has_begin,
            )
        except Exception as error:
            if is_out_of_memory(error):
                raise
            # Each of the many image processors has its own exceptions.
            raise EngineError(
                translatable(
                    "core",
                    "The model cannot take this image ({reason}). Try another image or model.",
                ).format(reason=first_line(error))
            ) from error
        return {name: tensor for name, tensor in inputs.items() if isinstance(tensor, torch.Tensor)}


def pixels_of(request: Request) -> list[Image.Image]:
    """Returns the pixels of all pictures that a request is about."""
    return [request.picture.pixels, *(other.pixels for other in request.others)]


@dataclass(frozen=True, eq=False)
class Prepared:
    """The processor's tensors for a request; `length` counts the prompt's positions."""

    prompt: str
    inputs: dict[str, torch.Tensor]
    length: int
    max_new_tokens: int
    left_out: int


def _too_long(length: int, context: int) -> Message:
    if not length:
        text = translatable(
            "core", "The prompt is too long. Shorten it: the model reads {most} tokens."
        )
        return text.format(most=context)
    return translatable(
        "core",
        "Prompt and image take {count} tokens, but the model reads {most}. Shorten "
        "the prompt, or choose a smaller image.",
    ).format(count=length, most=context)
