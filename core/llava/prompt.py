"""A conversation and an image become the exact inputs of LLaVA-1.5: token ids and pixel values.

The result was compared with the original code: its conversation template v1, the rules of the slow
Llama tokenizer, an image padded to a square. A conversation is a list of parts, in which the image
and the end of an answer are `Mark`s and everything else is text: `<image>` or `</s>` that a user
types stay text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from core.errors import PromptError
from core.generation.fitting_turns import MOST_CHARACTERS, first_that_fit
from core.llava.tokenizer import IMAGE_TOKEN_INDEX, Mark, Tokenizer, split_at_marks
from core.message import translatable
from core.transcript import Turn

SYSTEM = (  # LLaVA-1.5 was trained with it.
    "A chat between a curious human and an artificial intelligence assistant. "
    "The assistant gives helpful, detailed, and polite answers to the human's questions."
)
STOP_STRING = Mark.END.value


def conversation(turns: Sequence[Turn], system: str | None = SYSTEM) -> list[str]:
    """The parts of a conversation by template v1; the image comes before the first question.

    The last answer is left open if it is None. As in the original, an empty question or answer
    leaves only its role, and nothing is stripped.
    """
    parts: list[str] = [f"{system} "] if system is not None else []
    for number, turn in enumerate(turns):
        if number == 0:
            parts += ["USER: ", Mark.IMAGE, f"\n{turn.prompt} "]
        else:
            parts.append(f"USER: {turn.prompt} " if turn.prompt else "USER:")
        answer = (turn.answer or "").removesuffix(STOP_STRING)
        parts += [f"ASSISTANT: {answer}", Mark.END] if answer else ["ASSISTANT:"]
    # Adjacent texts are tokenized as one.
    joined: list[str] = []
    for part in parts:
        if joined and not isinstance(part, Mark) and not isinstance(joined[-1], Mark):
            joined[-1] += part
        else:
            joined.append(part)
    return joined


def conversation_prompt(turns: Sequence[Turn], system: str | None = SYSTEM) -> str:
    """The conversation as one string, for the trace."""
    return "".join(conversation(turns, system))


def input_ids(prompt: str | Sequence[str], tokenizer: Tokenizer) -> list[int]:
    """The token ids of a prompt, with -200 for the image, as the original `tokenizer_image_token`.

    Each chunk between images is tokenized by itself, so each gets its own dummy prefix; only the
    first has a BOS. In the parts of a `conversation` only `Mark`s are marks. A plain string is read
    as the original code reads it: whatever looks like a mark in it is one.
    """
    parts = split_at_marks(prompt) if isinstance(prompt, str) else prompt
    ids = [tokenizer.bos_token_id]
    chunk: list[str] = []
    for part in parts:
        if part is Mark.IMAGE:
            ids += [*tokenizer.encode_parts(chunk), IMAGE_TOKEN_INDEX]
            chunk = []
        else:
            chunk.append(part)
    return ids + tokenizer.encode_parts(chunk)


@dataclass(frozen=True, eq=False)
class Inputs:
    """The inputs of one answer. `input_ids` has one -200 for the image's `image_tokens` positions.

    `pixel_values` is float32 (1, 3, size, size). `max_new_tokens` is the number asked for, or what
    is left of the context. `left_out` is the number of turns that did not fit.
    """

    prompt: str
    input_ids: tuple[int, ...]
    pixel_values: np.ndarray
    max_new_tokens: int
    image_tokens: int
    left_out: int = 0

    @property
    def length(self) -> int:
        """The number of positions the language model sees."""
        return len(self.input_ids) - 1 + self.image_tokens

    @property
    def image(self) -> np.ndarray:
        """What the vision tower takes."""
        return self.pixel_values

    @property
    def image_begin(self) -> int:
        """The image's first position."""
        return self.input_ids.index(IMAGE_TOKEN_INDEX)

    @property
    def positions(self) -> list[int]:
        """The id of each position, -200 for all those of the image."""
        before, after = self.input_ids[: self.image_begin], self.input_ids[self.image_begin + 1 :]
        return [*before, *[IMAGE_TOKEN_INDEX] * self.image_tokens, *after]


def prepare(
    turns: Sequence[Turn],
    pixel_values: np.ndarray,
    tokenizer: Tokenizer,
    *,
    max_new_tokens: int,
    context_length: int = 4096,
    prompt_length: int | None = None,
    patch_size: int = 14,
    system: str | None = SYSTEM,
    beginning: str = "",
) -> Inputs:
    """The inputs of an answer to the last of `turns`; the answer continues from `beginning`.

    If the turns leave too little of `context_length` for the answer, or are longer than
    `prompt_length` positions, the oldest turns after the first are left out, and the first one
    last. Raises PromptError if the question does not fit alone.
    """
    if not turns:
        text = translatable("core", "There is no prompt. Type a question about the image.")
        raise PromptError(text)
    image_tokens = (pixel_values.shape[-1] // patch_size) ** 2
    wanted = min(max_new_tokens, context_length // 4)

    def fitting(kept: Sequence[Turn], left_out: int) -> Inputs | None:
        parts = conversation(kept, system)
        if beginning:
            parts[-1] += f" {beginning}"
        if sum(map(len, parts)) > context_length * MOST_CHARACTERS:
            return None
        ids = input_ids(parts, tokenizer)
        # As the original model worker counts: the placeholder in addition to the 576 positions.
        room = context_length - len(ids) - image_tokens
        most_new = min(max_new_tokens, room)
        inputs = Inputs("".join(parts), tuple(ids), pixel_values, most_new, image_tokens, left_out)
        is_short = inputs.length <= (prompt_length or context_length)
        return inputs if is_short and room >= (1 if len(kept) == 1 else wanted) else None

    if inputs := first_that_fit(turns, fitting):
        return inputs
    raise PromptError(
        translatable(
            "core",
            "The prompt is too long. Shorten it: the model reads {count} tokens, "
            "{image} of them for the image.",
        ).format(count=context_length, image=image_tokens)
    )
