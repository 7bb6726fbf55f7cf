"""An answer that is being generated, and the `Answer` that its token ids become."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from typing import Protocol

from core.generation.sampling import seed_of
from core.generation.streaming import TextDecoder
from core.transcript import Answer, Ending, Request


class Prompt(Protocol):
    """What an answer needs to know of its prompt."""

    @property
    def length(self) -> int:
        """The positions that the language model reads."""
        ...

    @property
    def max_new_tokens(self) -> int:
        """What was asked for, or what the context has left."""
        ...

    @property
    def left_out(self) -> int:
        """How many earlier question-and-answer pairs did not fit into the context."""
        ...


class PendingAnswer:
    """The answer to `request`, from now until it is complete: its seed and its times."""

    def __init__(self, request: Request, decoder: TextDecoder):
        self.request = request
        self.seed = seed_of(request.sampling)
        self._decoder = decoder
        self._started = time.perf_counter()
        self._seconds_to_first_token: float | None = None

    def note_token(self) -> None:
        """Call it when a token has come; the first counts."""
        if self._seconds_to_first_token is None:
            self._seconds_to_first_token = time.perf_counter() - self._started

    def stopped(self) -> Answer:
        """Returns the answer of a request that was stopped before it began."""
        return Answer("", Ending.STOPPED, 0, 0.0, seed=self.seed)

    def complete(self, prompt: Prompt, ids: Sequence[int], ending: Ending) -> Answer:
        """Returns the answer of these ids, without the id that ended the sequence."""
        seconds = time.perf_counter() - self._started
        first = self._seconds_to_first_token
        return Answer(
            text=self._decoder.decode(list(ids)).strip(),
            ending=ending,
            tokens=len(ids),
            seconds=seconds,
            seconds_to_first_token=seconds if first is None else first,
            input_tokens=prompt.length,
            output_ids=tuple(ids),
            left_out=prompt.left_out,
            seed=self.seed,
        )

    def complete_generated(
        self, prompt: Prompt, ids: Sequence[int], end_ids: Collection[int]
    ) -> Answer:
        """Returns the answer of what `generate()` returned, which may go on behind the end."""
        end = next((index for index, number in enumerate(ids) if number in end_ids), None)
        if end is not None:
            return self.complete(prompt, ids[:end], Ending.COMPLETE)
        is_full = len(ids) >= prompt.max_new_tokens
        return self.complete(prompt, ids, Ending.LENGTH if is_full else Ending.STOPPED)
