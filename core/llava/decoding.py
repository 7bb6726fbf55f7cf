"""The fast decode loop: prompts go into slots, tokens come out one by one, many at once.

A slot is one row of the static KV cache. It keeps what it holds after its answer, so the next
question about the same picture prefills only what is new.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from transformers import (
    LogitsProcessor,
    LogitsProcessorList,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from core.llava.forward import ForwardPass, forward_pass
from core.llava.passes import Prompt, StepOutput
from core.llava.prompt import Inputs
from core.llava.tokenizer import IMAGE_TOKEN_INDEX
from core.transcript import Ending, Sampling

GREEDY = Sampling()

# Of the answers that ended together, so many are handed on between two launches.
_ENDED_AT_ONCE = 8


@dataclass(frozen=True, eq=False)
class Job:
    """One prompt to be answered.

    `on_token` hears each new id as soon as it is chosen, the end-of-sequence id excepted.
    `is_stopped` is asked before the first and after each. `banned` takes from the scores what
    may not be said.
    """

    inputs: Inputs
    sampling: Sampling = GREEDY
    on_token: Callable[[int], None] = lambda _: None
    is_stopped: Callable[[], bool] = lambda: False
    banned: LogitsProcessor | None = None


@dataclass(frozen=True, eq=False)
class Decoded:
    """What came of a job: the new ids without the end-of-sequence id, and why they ended.

    `reused` is how many of the prompt's positions were still in the KV cache.
    """

    job: Job
    ids: tuple[int, ...]
    ending: Ending
    reused: int = 0


def decode_loop(model: nn.Module, eos_token_ids: Collection[int]) -> DecodeLoop | None:
    """The loop for `model`, or None when it is not LLaVA-1.5-shaped and `generate()` must do."""
    forward = forward_pass(model)
    return DecodeLoop(forward, eos_token_ids) if forward is not None else None


class DecodeLoop:
    """Decodes jobs on one model. Not safe for two threads at once.

    Greedy ids equal those of `generate()` in float32, whatever the number of slots; sampled ids
    equal them for the same seed.
    """

    def __init__(self, forward: ForwardPass, eos_token_ids: Collection[int]):
        self._forward = forward
        self._eos_token_ids = frozenset(eos_token_ids)
        self._slots: list[_Slot] = []

    @staticmethod
    def supports(sampling: Sampling) -> bool:
        """Whether this way of choosing words is the loop's; beams stay with `generate()`."""
        return sampling.beams == 1

    def decode(self, jobs: Iterable[Job], slots: int = 1) -> Generator[Decoded]:
        """Yields each job as it ends. A slot that ends takes the next, which is asked for then.

        Ends early, with every slot free, when the caller closes the iterator. The slots' memory
        is kept until another number of them is asked for.
        """
        self._resize(slots)
        waiting = iter(jobs)
        under_way: deque[_Pass] = deque()
        ended: deque[Decoded] = deque()
        try:
            while True:
                launched = self._launch(waiting, under_way)
                if isinstance(launched, Decoded):
                    yield launched
                    continue
                if launched is not None:
                    under_way.append(launched)
                elif not under_way:
                    return
                # What came of a pass is heard while the next ones compute.
                while len(under_way) > self._ahead(launched):
                    ended += self._heard(under_way.popleft())
                # Nor does the device wait while the caller thinks about all that ended at once.
                few = _ENDED_AT_ONCE if launched is not None and self._forward.runs_ahead else None
                for _ in range(min(len(ended), few or len(ended))):
                    yield ended.popleft()
        finally:
            for number, slot in enumerate(self._slots):
                if slot.answer is not None:
                    slot.answer = None
                    self._forward.set_idle(number)

    @property
    def forward(self) -> ForwardPass:
        """What it computes with, for those who look at an answer afterwards."""
        return self._forward

    def first_logits(self, inputs: Inputs) -> Tensor:
        """float32 (vocab,): what an answer to `inputs` would begin with.

        What a slot still holds of them is not computed again, and no slot is changed.
        """
        positions = inputs.positions
        held = [slot.common(positions, inputs.pixel_values) for slot in self._slots]
        number = max(range(len(held)), key=held.__getitem__, default=0)
        begin = min(held[number], len(positions) - 1) if held else 0
        new = positions[begin:]
        features = None
        if IMAGE_TOKEN_INDEX in new:
            features = self._forward.image_features(inputs.pixel_values)
            features = features[-new.count(IMAGE_TOKEN_INDEX) :]
        states = self._forward.hidden_states(new, features, slot=number, begin=begin)
        return self._forward.logits(states[-1:])[0]

    def release(self) -> None:
        """Gives the KV cache's memory back; the next answer begins from nothing."""
        for slot in self._slots:
            slot.forget(0)
        self._forward.release()

    def warm_up(self, length: int) -> None:
        """What a first answer would wait for, beforehand: one slot of `length` positions."""
        self._slots = [_Slot()]
        self._forward.warm_up(length)

    def _resize(self, slots: int) -> None:
        if slots != len(self._slots):
            self._slots = [_Slot() for _ in range(slots)]
            self._forward.release()

    def _launch(
        self, waiting: Iterator[Job], under_way: Collection[_Pass]
    ) -> _Pass | Decoded | None:
        """A step of all busy slots, with the next job into a free one; nothing when all is said."""
        rows = {
            number: slot.answer
            for number, slot in enumerate(self._slots)
            if slot.answer is not None
        }
        if len(rows) < len(self._slots):
            job = next(waiting, None)
            if job is not None:
                return self._begin(job, rows)
        # Launched already, not heard yet.
        tokens = {
            number: len(answer.ids) + sum(answer in each.rows.values() for each in under_way)
            for number, answer in rows.items()
        }
        if all(answer.most <= tokens[number] for number, answer in rows.items()):
            return None
        return _Pass(self._forward.step(), rows, has_prompt=False)

    def _ahead(self, launched: _Pass | None) -> int:
        """How many passes may be under way unheard: none, where what is heard decides the next.

        Between prompts is much to do that the device need not wait for.
        """
        answers = [slot.answer for slot in self._slots if slot.answer is not None]
        is_free = self._forward.runs_ahead and all(answer.sampler.is_greedy for answer in answers)
        if launched is None or not is_free:
            return 0
        return 2 if launched.has_prompt and len(self._slots) > 1 else 1

    @torch.inference_mode()
    def _begin(self, job: Job, rows: dict[int, _AnswerUnderWay]) -> _Pass | Decoded:
        """Prefills `job` into the free slot that already holds the most of it; `rows` step along
        where that is quicker."""
        if job.is_stopped():
            return Decoded(job, (), Ending.STOPPED)
        positions = job.inputs.positions
        pixel_values = job.inputs.pixel_values
        free = [number for number in range(len(self._slots)) if number not in rows]
        number = max(free, key=lambda n: self._slots[n].common(positions, pixel_values))
        slot = self._slots[number]
        # The last position is always run again: its logits are not kept.
        begin = min(slot.common(positions, pixel_values), len(positions) - 1)
        # Two positions more: a step may be launched for nothing, and resting slots write behind.
        length = len(positions) + job.inputs.max_new_tokens + 2
        self._forward.reserve(len(self._slots), length)
        if IMAGE_TOKEN_INDEX in positions[begin:] and self._forward.prefers_full_prefill(
            len(positions)
        ):
            begin = 0
        slot.forget(begin)
        new = positions[begin:]
        features = None
        if IMAGE_TOKEN_INDEX in new:
            features = self._forward.image_features(pixel_values)[-new.count(IMAGE_TOKEN_INDEX) :]
        chosen = self._forward.step(Prompt(number, begin, new, features))
        slot.hold(new, pixel_values)
        slot.answer = _AnswerUnderWay(job, _Sampler(job, self._forward.device), begin)
        along = rows if self._forward.mixes_prefill_and_decode else {}
        return _Pass(chosen, {**along, number: slot.answer}, has_prompt=True)

    @torch.inference_mode()
    def _heard(self, this: _Pass) -> list[Decoded]:
        """Chooses the next token of each answer in `this` pass. Who has ended?"""
        likeliest = this.chosen.ids()
        decoded: list[Decoded] = []
        for number, answer in this.rows.items():
            slot = self._slots[number]
            if slot.answer is not answer:
                continue  # It ended after this pass was launched.
            if answer.ids:  # Else it was prefilled.
                slot.positions.append(answer.ids[-1])
            if answer.sampler.is_greedy:
                token = likeliest(number)
            else:
                token = answer.sampler.choose(answer.ids, this.chosen.logits_of(number))
                self._forward.set_token(number, token)
            ending = answer.take(token, self._eos_token_ids)
            if ending is not None:
                slot.answer = None
                self._forward.set_idle(number)
                decoded.append(Decoded(answer.job, tuple(answer.ids), ending, answer.reused))
        return decoded


@dataclass(frozen=True, eq=False)
class _Pass:
    """A step that was launched, with a prompt or without, and for whom, by slot."""

    chosen: StepOutput
    rows: dict[int, _AnswerUnderWay]
    has_prompt: bool


class _Slot:
    """One row of the KV cache: what it holds, and the answer it is giving."""

    def __init__(self) -> None:
        self.positions: list[int] = []
        self._pixel_values: np.ndarray | None = None
        self.answer: _AnswerUnderWay | None = None

    def common(self, positions: Sequence[int], pixel_values: np.ndarray) -> int:
        """How many of the first `positions` the slot holds; none from another picture on."""
        mine = self.positions
        most = min(len(mine), len(positions))
        if IMAGE_TOKEN_INDEX in mine and not self._shows(pixel_values):
            most = min(most, mine.index(IMAGE_TOKEN_INDEX))
        if mine[:most] == list(positions[:most]):
            return most
        return next(at for at in range(most) if mine[at] != positions[at])

    def _shows(self, pixel_values: np.ndarray) -> bool:
        mine = self._pixel_values
        if mine is None or mine is pixel_values:
            return mine is not None
        # Other pictures differ at once in some of their values.
        sample = slice(None, None, 997)
        return np.array_equal(mine.flat[sample], pixel_values.flat[sample]) and np.array_equal(
            mine, pixel_values
        )

    def forget(self, begin: int) -> None:
        """Forgets what stands from `begin` on, before something else is written there."""
        del self.positions[begin:]

    def hold(self, positions: Sequence[int], pixel_values: np.ndarray) -> None:
        self.positions += positions
        self._pixel_values = pixel_values


class _AnswerUnderWay:
    def __init__(self, job: Job, sampler: _Sampler, reused: int):
        self.job, self.sampler, self.reused = job, sampler, reused
        self.most = job.inputs.max_new_tokens
        self.ids: list[int] = []

    def take(self, token: int, eos_token_ids: Collection[int]) -> Ending | None:
        """Says `token`, and gives the ending when it is the last."""
        if token in eos_token_ids:
            return Ending.COMPLETE
        self.ids.append(token)
        self.job.on_token(token)
        if self.job.is_stopped():
            return Ending.STOPPED
        return Ending.LENGTH if len(self.ids) >= self.most else None


class _Sampler:
    """Chooses a token as `generate()` does: its processors in its order, its random numbers.

    Each answer has a generator of its own, so that a neighbour in another slot changes nothing.
    """

    def __init__(self, job: Job, device: torch.device):
        sampling = job.sampling
        self._processors = LogitsProcessorList()
        self._generator: torch.Generator | None = None
        if sampling.repetition_penalty != 1.0:
            penalty = RepetitionPenaltyLogitsProcessor(sampling.repetition_penalty)
            self._processors.append(penalty)
        if job.banned is not None:
            self._processors.append(job.banned)
        if sampling.temperature == 0:
            return
        if sampling.temperature != 1.0:
            self._processors.append(TemperatureLogitsWarper(sampling.temperature))
        if sampling.top_k:
            self._processors.append(TopKLogitsWarper(sampling.top_k))
        if sampling.top_p < 1.0:
            self._processors.append(TopPLogitsWarper(sampling.top_p))
        self._generator = torch.Generator(device)
        if sampling.seed is None:
            self._generator.seed()
        else:
            self._generator.manual_seed(sampling.seed)

    @property
    def is_greedy(self) -> bool:
        """Whether the likeliest token is always chosen."""
        return not self._processors and self._generator is None

    def choose(self, said: Sequence[int], logits: Tensor) -> int:
        """From float32 `logits` (1, vocab).

        As in `generate(inputs_embeds=…)`, only what was `said` in this answer is a repetition.
        """
        ids = torch.tensor([list(said)], dtype=torch.long, device=logits.device)
        scores = self._processors(ids, logits)  # type: ignore[arg-type]
        if self._generator is None:
            return int(scores.argmax(-1))
        return int(torch.multinomial(scores.softmax(-1), 1, generator=self._generator))
