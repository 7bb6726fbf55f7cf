"""Requests, answers and conversations as data.

Everything here is frozen and free of torch and Qt, so that it can cross threads and be stored.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property
from itertools import chain, count

from core.picture import Picture, PicturePart, Sending

_LEAST_TEMPERATURE = 1e-5


@dataclass(frozen=True)
class Sampling:
    """How tokens are chosen. The default is greedy, so that a caption is reproducible.

    `temperature` 0 is greedy, and so is any below 0.00001, by which no scores can be divided; it is
    set to 0. `top_k` 0 and `top_p` 1 exclude no token; `top_k` 50 is what
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

    def __post_init__(self) -> None:
        if 0 < self.temperature < _LEAST_TEMPERATURE:
            object.__setattr__(self, "temperature", 0.0)


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
class TokenScore:
    """A token of an answer as a server gave it: its bytes in UTF-8 and its log probability.

    `likeliest` are tokens that the model could have generated there, each with its log probability,
    likeliest first.
    """

    content: bytes
    log_p: float
    likeliest: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True)
class Answer:
    """A generated answer, and what it took.

    `input_tokens` counts the prompt's positions, 576 of them the image's with LLaVA-1.5. `tokens`
    counts the new ones without the end-of-sequence token; `output_ids` are their ids. `left_out`
    is the number of earlier question-and-answer pairs that did not fit into the context. `notes`
    are sentences about how it came about, for whoever shows it. `scores` are the tokens of an
    answer from a server, () if it gave none, and `sent` is how it was sent the picture.
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
    notes: tuple[str, ...] = ()
    scores: tuple[TokenScore, ...] = ()
    sent: Sending | None = None

    @property
    def tokens_per_second(self) -> float:
        """The decode speed: tokens after the first, divided by the time after it."""
        after_first = self.seconds - self.seconds_to_first_token
        return (self.tokens - 1) / after_first if self.tokens > 1 and after_first > 0 else 0.0


Span = tuple[int, int]


@dataclass(frozen=True)
class Exchange:
    """A question of the transcript and its answer; None if it failed.

    `unknown` are the parts of the question that the model was not trained on, so that it may have
    misunderstood. `struck` are the parts of the answer's text that a person struck out, as
    [begin, end), in order; `answer` itself stays as it was generated. `part` is the part of the
    picture that the question is about, None for all of it.
    """

    prompt: str
    answer: Answer | None = None
    model: str = ""
    struck: tuple[Span, ...] = ()
    unknown: tuple[str, ...] = ()
    part: PicturePart | None = None

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
class Node:
    """An exchange in its place: `parent` is the number of the one that it follows, None for none.

    Of those that follow the same one, that with the highest `chosen` is shown, and of equals the
    newest: it was chosen last.
    """

    exchange: Exchange
    parent: int | None = None
    chosen: int = 0


@dataclass(frozen=True)
class Variants:
    """Which of how many is shown, counted from 1: of the questions asked in one place of the
    conversation, and of the answers to the one shown.
    """

    question: int = 1
    questions: int = 1
    answer: int = 1
    answers: int = 1

    def has_answer(self, step: int) -> bool:
        """Whether there is an answer so many steps on, or back if negative."""
        return 1 <= self.answer + step <= self.answers

    def has_any(self, step: int) -> bool:
        """Whether there is an answer or a question so many steps on, or back if negative."""
        return self.has_answer(step) or 1 <= self.question + step <= self.questions


@dataclass(frozen=True)
class ExchangeTree:
    """All exchanges of a conversation: an edited question and an answer that was generated again
    stand beside the former ones, each with all that followed.

    An exchange's number is its index in `nodes`, in the order in which they were asked; a parent
    stands before what follows it.
    """

    nodes: tuple[Node, ...] = ()

    @staticmethod
    def of(exchanges: Iterable[Exchange]) -> ExchangeTree:
        """Returns a tree without branches, oldest exchange first."""
        parents = chain((None,), count())
        return ExchangeTree(tuple(map(Node, exchanges, parents)))

    @cached_property
    def path(self) -> tuple[int, ...]:
        """The numbers of the exchanges that are shown, oldest first."""
        path: list[int] = []
        followers = self._followers.get(None)
        while followers:
            path.append(self.chosen_last(followers))
            followers = self._followers.get(path[-1])
        return tuple(path)

    @cached_property
    def versions(self) -> tuple[tuple[int, Variants], ...]:
        """The indices in the path of the exchanges in whose place there are others, and these."""
        return tuple(
            (index, self.variants(number))
            for index, number in enumerate(self.path)
            if len(self._followers[self.nodes[number].parent]) > 1
        )

    def siblings(self, number: int) -> tuple[int, ...]:
        """Returns the numbers of all that stand in the same place, itself among them."""
        return tuple(self._followers[self.nodes[number].parent])

    def answers(self, number: int, prompt: str | None = None) -> tuple[int, ...]:
        """Returns the numbers of all exchanges in the same place that ask `prompt`, or the same."""
        asked = self.nodes[number].exchange.prompt if prompt is None else prompt
        return tuple(
            one for one in self.siblings(number) if self.nodes[one].exchange.prompt == asked
        )

    def questions(self, number: int) -> tuple[str, ...]:
        """Returns the different questions that were asked in the same place, oldest first."""
        asked = (self.nodes[one].exchange.prompt for one in self.siblings(number))
        return tuple(dict.fromkeys(asked))

    def variants(self, number: int) -> Variants:
        """Returns which of the questions and answers in its place an exchange is."""
        questions, answers = self.questions(number), self.answers(number)
        return Variants(
            questions.index(self.nodes[number].exchange.prompt) + 1,
            len(questions),
            answers.index(number) + 1,
            len(answers),
        )

    def chosen_last(self, numbers: Iterable[int]) -> int:
        """Returns the exchange that was shown last of these, which stand in one place."""
        return max(numbers, key=lambda number: (self.nodes[number].chosen, number))

    def with_exchange(self, exchange: Exchange, parent: int | None) -> ExchangeTree:
        """Returns the tree with one more exchange, the chosen one of those that follow `parent`."""
        chosen = self._latest_choice + 1 if parent in self._followers else 0
        return ExchangeTree((*self.nodes, Node(exchange, parent, chosen)))

    def with_changed(self, number: int, exchange: Exchange) -> ExchangeTree:
        """Returns the tree with another exchange in the place of one."""
        return self._changed({number: replace(self.nodes[number], exchange=exchange)})

    def choosing(self, number: int) -> ExchangeTree:
        """Returns the tree in which the path goes through this exchange."""
        choice = self._latest_choice + 1
        changed: dict[int, Node] = {}
        at: int | None = number
        while at is not None:
            if len(self.siblings(at)) > 1:
                changed[at] = replace(self.nodes[at], chosen=choice)
            at = self.nodes[at].parent
        return self._changed(changed)

    @property
    def _latest_choice(self) -> int:
        return max((node.chosen for node in self.nodes), default=0)

    @cached_property
    def _followers(self) -> dict[int | None, list[int]]:
        followers: dict[int | None, list[int]] = {}
        for number, node in enumerate(self.nodes):
            followers.setdefault(node.parent, []).append(number)
        return followers

    def _changed(self, changed: Mapping[int, Node]) -> ExchangeTree:
        nodes = (changed.get(number, node) for number, node in enumerate(self.nodes))
        return ExchangeTree(tuple(nodes))


@dataclass(frozen=True)
class Transcript:
    """A conversation about one picture: one path through its tree of exchanges is shown."""

    picture: Picture
    tree: ExchangeTree = ExchangeTree()

    @staticmethod
    def of(picture: Picture, exchanges: Iterable[Exchange]) -> Transcript:
        """Returns a conversation without branches, oldest exchange first."""
        return Transcript(picture, ExchangeTree.of(exchanges))

    @property
    def exchanges(self) -> tuple[Exchange, ...]:
        """The exchanges that are shown, oldest first."""
        return tuple(self.tree.nodes[number].exchange for number in self.tree.path)

    def asking(self, prompt: str, part: PicturePart | None = None) -> tuple[Turn, ...]:
        """Returns the turns of a request that asks `prompt` next about a part of the picture, None
        for all of it: what was asked about the same, without unanswered questions."""
        same = (e for e in self.exchanges if e.part == part)
        answered = [Turn(e.prompt, e.text) for e in same if e.answer and e.text.strip()]
        return (*answered, Turn(prompt))

    def variants(self, index: int) -> Variants:
        """Returns what else there is in the place of the exchange shown at `index`."""
        return self.tree.variants(self.tree.path[index])

    def with_exchange(self, exchange: Exchange, at: int | None = None) -> Transcript:
        """Returns the conversation with one more exchange, at its end or in place of index `at`.

        What stood there, and all that followed it, stays in the tree.
        """
        before = self.tree.path[:at]
        return replace(self, tree=self.tree.with_exchange(exchange, before[-1] if before else None))

    def before(self, index: int) -> Transcript:
        """Returns the conversation up to, not including, the exchange at `index`; no branches."""
        return Transcript.of(self.picture, self.exchanges[:index])


BUILT_IN = "built-in"


class WeightFormat(StrEnum):
    """How the matrices of a language model's layers are quantized, named as in `Precision`.

    `INT8` and `INT4` are integers of 8 and 4 bits, `FP8` floats of 8 (e4m3).
    """

    INT8 = "8-bit"
    INT4 = "4-bit"
    FP8 = "fp8"

    @property
    def bits(self) -> int:
        """Bits per weight."""
        return 4 if self is WeightFormat.INT4 else 8


class Precision(StrEnum):
    """In which precision a model is loaded. The values stand in files and on the command line.

    `AUTO` and `BITS_16` leave the dtype to the device and the model; `BITS_8`, `BITS_4` and `FP8`
    quantize the matrices of the language model's layers alone. `FP8` is for graphics cards that
    multiply such numbers, from compute capability 8.9 on.
    """

    AUTO = "auto"
    BITS_16 = "16-bit"
    BITS_8 = "8-bit"
    BITS_4 = "4-bit"
    FP8 = "fp8"
    FLOAT16 = "float16"
    BFLOAT16 = "bfloat16"
    FLOAT32 = "float32"

    @property
    def weight_format(self) -> WeightFormat | None:
        """The format of quantized matrices; None where they are not quantized."""
        return WeightFormat(self) if self in list(WeightFormat) else None

    @property
    def weight_bits(self) -> int | None:
        """Bits per weight of quantized matrices; None where they are not quantized."""
        return self.weight_format.bits if self.weight_format else None


@dataclass(frozen=True)
class ModelChoice:
    """Which model to load, and how.

    `model` is "built-in", a folder, or a hub id that lies in the hub cache. `device` is auto,
    cpu, cuda or cuda:N. With `may_spread`, a model that does not fit into the memory of one device
    is distributed over all GPUs and the computer's main memory. With `quantizes_cache`, keys and
    values of the KV cache are kept in 8 bits, where the model runs by our own forward pass.
    """

    model: str = BUILT_IN
    device: str = "auto"
    dtype: Precision = Precision.AUTO
    may_spread: bool = False
    quantizes_cache: bool = False
