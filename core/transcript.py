"""Requests, answers and conversations as data.

Everything here is frozen and free of torch and Qt, so that it can cross threads and be stored.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

from core.picture import Picture


@dataclass(frozen=True)
class Sampling:
    """How tokens are chosen. The default is greedy, so that a caption is reproducible.

    `temperature` 0 is greedy. `top_k` 0 and `top_p` 1 exclude no token; `top_k` 50 is what
    LLaVA-1.5 uses when it samples, without saying so. `seed` None draws a seed; the one used is in
    the `Answer`. `banned_words` do not occur in the answer, in whatever case.
    """

    temperature: float = 0.0
    top_p: float = 1.0
    top_k: int = 50
    repetition_penalty: float = 1.0
    beams: int = 1
    max_new_tokens: int = 512
    seed: int | None = 0
    banned_words: tuple[str, ...] = ()


@dataclass(frozen=True)
class Turn:
    """One question and its answer; `answer` is None if it has not been given yet."""

    prompt: str
    answer: str | None = None


@dataclass(frozen=True)
class Request:
    """What an engine is asked: to answer the last turn.

    The picture belongs to the first turn, and so do the `others`; an engine takes as many in all
    as its `facts.most_pictures`. The answer continues `beginning`, which is not part of it.
    """

    picture: Picture
    turns: tuple[Turn, ...]
    sampling: Sampling = Sampling()
    beginning: str = ""
    others: tuple[Picture, ...] = ()


class Ending(StrEnum):
    """Why an answer ended where it did."""

    COMPLETE = "complete"
    LENGTH = "length"
    STOPPED = "stopped"


@dataclass(frozen=True)
class Answer:
    """A generated answer, and what it took.

    `input_tokens` counts the prompt's positions, 576 of them the image's with LLaVA-1.5. `tokens`
    counts the new ones without the end-of-sequence token; `output_ids` are their ids. `left_out`
    is the number of earlier question-and-answer pairs that did not fit into the context.
    """

    text: str
    ending: Ending
    tokens: int
    seconds: float
    seconds_to_first_token: float = 0.0
    input_tokens: int = 0
    output_ids: tuple[int, ...] = ()
    left_out: int = 0
    seed: int | None = None

    @property
    def tokens_per_second(self) -> float:
        """The decode speed: tokens after the first, divided by the time after it."""
        after_first = self.seconds - self.seconds_to_first_token
        return (self.tokens - 1) / after_first if self.tokens > 1 and after_first > 0 else 0.0


Span = tuple[int, int]


@dataclass(frozen=True)
class Exchange:
    """A question of the transcript and its answer; None if it failed.

    `struck` are the parts of the answer's text that a person struck out, as [begin, end), in
    order; `answer` itself stays as it was generated.
    """

    prompt: str
    answer: Answer | None = None
    model: str = ""
    struck: tuple[Span, ...] = ()

    @property
    def text(self) -> str:
        """The answer's text without what was struck out."""
        return without(self.answer.text, self.struck) if self.answer else ""


def without(text: str, struck: Iterable[Span]) -> str:
    """Returns `text` without its struck parts, and without the blanks and commas left over."""
    for begin, end in sorted(struck, reverse=True):
        before, after = text[:begin], text[end:]
        if before.endswith((" ", "\n")) or not before:
            after = after.removeprefix(" ")
        if after.startswith((",", ".", ";", ":", "!", "?")) or not after:
            before = before.removesuffix(" ")
        text = before + after
    return text


@dataclass(frozen=True)
class Transcript:
    """A conversation about one picture, oldest exchange first."""

    picture: Picture
    exchanges: tuple[Exchange, ...] = ()

    def asking(self, prompt: str) -> tuple[Turn, ...]:
        """Returns the turns of a request that asks `prompt` next, without unanswered questions."""
        answered = [Turn(e.prompt, e.text) for e in self.exchanges if e.answer and e.text.strip()]
        return (*answered, Turn(prompt))

    def with_exchange(self, exchange: Exchange) -> Transcript:
        """The conversation with one more exchange at its end."""
        return replace(self, exchanges=(*self.exchanges, exchange))

    def before(self, index: int) -> Transcript:
        """Returns the conversation up to, not including, the exchange at `index`."""
        return replace(self, exchanges=self.exchanges[:index])


BUILT_IN = "built-in"


class Precision(StrEnum):
    """In which precision a model is loaded. The values stand in files and on the command line.

    `AUTO` and `BITS_16` leave the dtype to the device and the model; `BITS_8` and `BITS_4` quantize
    the matrices of the language model's layers alone.
    """

    AUTO = "auto"
    BITS_16 = "16-bit"
    BITS_8 = "8-bit"
    BITS_4 = "4-bit"
    FLOAT16 = "float16"
    BFLOAT16 = "bfloat16"
    FLOAT32 = "float32"

    @property
    def weight_bits(self) -> int | None:
        """Bits per weight of quantized matrices; None where they are not quantized."""
        return {Precision.BITS_8: 8, Precision.BITS_4: 4}.get(self)


@dataclass(frozen=True)
class ModelChoice:
    """Which model to load, and how.

    `model` is "built-in", a folder, or a hub id that lies in the hub cache. `device` is auto,
    cpu, cuda or cuda:N. With `may_spread`, a model that does not fit into the memory of one device
    is distributed over all GPUs and the computer's main memory.
    """

    model: str = BUILT_IN
    device: str = "auto"
    dtype: Precision = Precision.AUTO
    may_spread: bool = False
