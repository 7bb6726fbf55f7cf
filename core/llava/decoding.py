"""The decode loop: continuous batching of prompts over the slots of the static KV cache.

Prompts are prefilled into free slots, and each decode step generates one token in every busy slot.
A slot keeps its cached positions after its answer, so that the next question about the same image
prefills only what is new.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Generator, Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import numpy as np
import torch
from torch import Tensor, nn
from transformers import LogitsProcessor

from core.generation.failure import broken_numbers
from core.generation.pending import Prompt
from core.llava.forward import ForwardPass, forward_pass
from core.llava.operations import BROKEN
from core.llava.passes import Encoder, ImageFeatures, ImageInput, SlotForward, StepOutput
from core.llava.passes import Prompt as PrefillPrompt
from core.llava.sampler import Sampler
from core.llava.tokenizer import IMAGE_TOKEN_INDEX
from core.transcript import Ending, Sampling

GREEDY = Sampling()


class LoopInputs(Prompt, Protocol):
    """The inputs of one answer, as the loop needs them."""

    @property
    def positions(self) -> list[int]:
        """The id of each position, -200 for all those of the images."""
        ...

    @property
    def pixel_values(self) -> np.ndarray:
        """Of all images: by these the loop knows an image again that a slot has cached."""
        ...

    @property
    def image(self) -> ImageInput:
        """What the vision tower takes."""
        ...


# Of answers that ended in the same step, so many are yielded between two launches.
_YIELDED_AT_ONCE = 8


@dataclass(frozen=True, eq=False)
class Job:
    """One prompt to be answered.

    `on_token` is called with each new token id as soon as it is chosen, except the end-of-sequence
    id. `is_stopped` is called before the first token and after each. `banned` sets the scores of
    tokens that must not be generated to minus infinity.
    """

    inputs: LoopInputs
    sampling: Sampling = GREEDY
    on_token: Callable[[int], None] = lambda _: None
    is_stopped: Callable[[], bool] = lambda: False
    banned: LogitsProcessor | None = None


@dataclass(frozen=True, eq=False)
class Decoded:
    """The result of a job: the new token ids without the end-of-sequence id, and why they end.

    `reused` is the number of the prompt's positions that were still in the KV cache.
    """

    job: Job
    ids: tuple[int, ...]
    ending: Ending
    reused: int = 0


Forward_co = TypeVar("Forward_co", bound=SlotForward, covariant=True)


def decode_loop(
    model: nn.Module,
    eos_token_ids: Collection[int],
    encoder: Encoder | None = None,
    *,
    quantizes_cache: bool = False,
) -> DecodeLoop[ForwardPass] | None:
    """The loop for `model`, or None if only `generate()` can run it; see `forward_pass`."""
    forward = forward_pass(model, encoder, quantizes_cache=quantizes_cache)
    return DecodeLoop(forward, eos_token_ids) if forward is not None else None


class DecodeLoop(Generic[Forward_co]):
    """Decodes jobs on one model. Not safe for two threads at once.

    In float32 greedy ids equal those of `generate()` for any number of slots; sampled ids do for
    the same seed.
    """

    def __init__(self, forward: Forward_co, eos_token_ids: Collection[int]):
        self._forward = forward
        self._eos_token_ids = frozenset(eos_token_ids)
        self._slots: list[_Slot] = []

    @staticmethod
    def supports(sampling: Sampling) -> bool:
        """Whether the loop can sample like this; beam search is left to `generate()`."""
        return sampling.beams == 1

    def decode(self, jobs: Iterable[Job | None], slots: int = 1) -> Generator[Decoded]:
        """Yields each job's result when it ends, in the order of their ends.

        Takes the next of `jobs` only when a slot is free for it; None means that none waits now,
        and the next is asked for after one more step. Closing the generator stops all
        answers. The memory of the slots is kept until a call asks for another number of them.
        """
        self._resize(slots)
        waiting = _WaitingJobs(jobs)
        in_flight: deque[_LaunchedStep] = deque()
        ended: deque[Decoded] = deque()
        try:
            while True:
                launched = self._launch(waiting, in_flight)
                if isinstance(launched, Decoded):
                    yield launched
                    continue
                if launched is not None:
                    in_flight.append(launched)
                elif not in_flight and waiting.are_over:
                    return
                # The results of a step are read while the device runs the next ones.
                while len(in_flight) > self._steps_ahead(launched):
                    ended += self._finish(in_flight.popleft())
                # Nor does the device wait for a caller that handles many results at once.
                is_busy = launched is not None and self._forward.runs_ahead
                most = _YIELDED_AT_ONCE if is_busy else len(ended)
                for _ in range(min(len(ended), most)):
                    yield ended.popleft()
        finally:
            for number, slot in enumerate(self._slots):
                if slot.answer is not None:
                    slot.answer = None
                    self._forward.set_idle(number)

    @property
    def forward(self) -> Forward_co:
        """The forward pass that it runs, for the evidence of an answer."""
        return self._forward

    def first_logits(self, inputs: LoopInputs) -> Tensor:
        """float32 (vocabulary,): the logits of the first token of an answer to `inputs`.

        Reuses the longest prefix that a slot has cached, and changes no slot.
        """
        positions = inputs.positions
        cached = [slot.common_prefix(positions, inputs.pixel_values) for slot in self._slots]
        number = max(range(len(cached)), key=cached.__getitem__, default=0)
        begin = self._begin_of(positions, cached[number]) if cached else 0
        new = positions[begin:]
        features = self._features(inputs, new)
        (logits,) = self._forward.logits_after(new, features, 1, slot=number, begin=begin)
        return logits[0]

    def release(self) -> None:
        """Frees the KV cache; the next answer prefills its whole prompt."""
        for slot in self._slots:
            slot.truncate(0)
        self._forward.release()

    def warm_up(self, length: int) -> None:
        """Does what a first answer would wait for, with one slot of `length` positions."""
        self._slots = [_Slot()]
        self._forward.warm_up(length)

    def _resize(self, slots: int) -> None:
        if slots != len(self._slots):
            self._slots = [_Slot() for _ in range(slots)]
            self._forward.release()

    def _launch(
        self, waiting: _WaitingJobs, in_flight: Collection[_LaunchedStep]
    ) -> _LaunchedStep | Decoded | None:
        """Launches a step of all busy slots, with the prefill of the next job if a slot is free.

        Returns None if there is nothing to launch, and the result of a job that was stopped before.
        """
        rows = {
            number: slot.answer
            for number, slot in enumerate(self._slots)
            if slot.answer is not None
        }
        if len(rows) < len(self._slots):
            job = waiting.next()
            if job is not None:
                return self._begin(job, rows)
        # Tokens of each answer, those of steps in flight included.
        tokens = {
            number: len(answer.ids) + sum(answer in each.rows.values() for each in in_flight)
            for number, answer in rows.items()
        }
        if all(answer.max_new_tokens <= tokens[number] for number, answer in rows.items()):
            return None
        return _LaunchedStep(self._forward.step(), rows, has_prompt=False)

    def _steps_ahead(self, launched: _LaunchedStep | None) -> int:
        """How many steps may be in flight: none if the next one depends on sampled tokens.

        After a prefill two, since the host has much to do for the next prompt.
        """
        answers = [slot.answer for slot in self._slots if slot.answer is not None]
        is_greedy = all(answer.sampler.is_greedy for answer in answers)
        if launched is None or not (self._forward.runs_ahead and is_greedy):
            return 0
        return 2 if launched.has_prompt and len(self._slots) > 1 else 1

    @torch.inference_mode()
    def _begin(self, job: Job, rows: dict[int, _ActiveAnswer]) -> _LaunchedStep | Decoded:
        """Prefills `job` into the free slot with the longest cached prefix of its prompt.

        The answers in `rows` decode a token in the same pass, where the forward pass can mix them.
        """
        if job.is_stopped():
            return Decoded(job, (), Ending.STOPPED)
        positions = job.inputs.positions
        pixel_values = job.inputs.pixel_values
        free = [number for number in range(len(self._slots)) if number not in rows]
        number = max(free, key=lambda n: self._slots[n].common_prefix(positions, pixel_values))
        slot = self._slots[number]
        cached = slot.common_prefix(positions, pixel_values)
        # Two more positions: a step may be launched in vain, and torch's operations let idle slots
        # write at the last position.
        length = len(positions) + job.inputs.max_new_tokens + 2
        self._forward.reserve(len(self._slots), length)
        begin = self._begin_of(positions, cached)
        slot.truncate(begin)
        new = positions[begin:]
        features = self._features(job.inputs, new)
        output = self._forward.step(PrefillPrompt(number, begin, new, features))
        slot.append(new, pixel_values)
        sampler = Sampler(job.sampling, job.banned, self._forward.device)
        slot.answer = _ActiveAnswer(job, sampler, begin)
        along = rows if self._forward.mixes_prefill_and_decode else {}
        return _LaunchedStep(output, {**along, number: slot.answer}, has_prompt=True)

    def _begin_of(self, positions: list[int], cached: int) -> int:
        """Where the prefill of a prompt begins, of which so many positions are cached."""
        # The last position always runs again: its logits are not kept.
        begin = min(cached, len(positions) - 1)
        has_image = IMAGE_TOKEN_INDEX in positions[begin:]
        return self._forward.prefill_begin(len(positions), begin) if has_image else begin

    def _features(self, inputs: LoopInputs, new: list[int]) -> ImageFeatures | None:
        """What stands for the images of the `new` positions; None if they have none."""
        count = new.count(IMAGE_TOKEN_INDEX)
        return self._forward.image_features(inputs.image, count) if count else None

    @torch.inference_mode()
    def _finish(self, step: _LaunchedStep) -> list[Decoded]:
        """Waits for `step` and chooses each answer's next token; returns the answers that ended.

        Raises EngineError if the model's logits are not finite.
        """
        likeliest = step.output.ids()
        decoded: list[Decoded] = []
        for number, answer in step.rows.items():
            slot = self._slots[number]
            if slot.answer is not answer:
                continue  # It ended after this step was launched.
            if answer.ids:  # This step cached the previous token; the first follows a prefill.
                slot.positions.append(answer.ids[-1])
            token = likeliest(number)
            if token == BROKEN:
                raise broken_numbers()
            if not answer.sampler.is_greedy:
                token = answer.sampler.choose(answer.ids, step.output.logits_of(number))
                self._forward.set_token(number, token)
            ending = answer.add(token, self._eos_token_ids)
            if ending is not None:
                slot.answer = None
                self._forward.set_idle(number)
                decoded.append(Decoded(answer.job, tuple(answer.ids), ending, answer.reused))
        return decoded


@dataclass(frozen=True, eq=False)
class _LaunchedStep:
    """A step in flight, and the answers that it generates a token for, by slot."""

    output: StepOutput
    rows: dict[int, _ActiveAnswer]
    has_prompt: bool


class _WaitingJobs:
    """The jobs that have not begun. `are_over` once there will be no more."""

    def __init__(self, jobs: Iterable[Job | None]):
        self._jobs = iter(jobs)
        self.are_over = False

    def next(self) -> Job | None:
        """Returns the next job, None if none waits now."""
        try:
            return next(self._jobs)
        except StopIteration:
            self.are_over = True
            return None


class _Slot:
    """One row of the KV cache: the token ids it has cached, and the answer that it generates.

    `positions` has -200 for each position of the image.
    """

    def __init__(self) -> None:
        self.positions: list[int] = []
        self._pixel_values: np.ndarray | None = None
        self.answer: _ActiveAnswer | None = None

    def common_prefix(self, positions: Sequence[int], pixel_values: np.ndarray) -> int:
        """How many of the first `positions` are cached; the image counts only if it is the same."""
        mine = self.positions
        most = min(len(mine), len(positions))
        if IMAGE_TOKEN_INDEX in mine and not self._has_image(pixel_values):
            most = min(most, mine.index(IMAGE_TOKEN_INDEX))
        if mine[:most] == list(positions[:most]):
            return most
        return next(at for at in range(most) if mine[at] != positions[at])

    def _has_image(self, pixel_values: np.ndarray) -> bool:
        mine = self._pixel_values
        if mine is None or mine is pixel_values:
            return mine is not None
        # Nearly all other images differ in a sample of values, which is compared much sooner.
        sample = slice(None, None, 997)
        return np.array_equal(mine.flat[sample], pixel_values.flat[sample]) and np.array_equal(
            mine, pixel_values
        )

    def truncate(self, begin: int) -> None:
        """Drops the positions from `begin` on, before others are written there."""
        del self.positions[begin:]

    def append(self, positions: Sequence[int], pixel_values: np.ndarray) -> None:
        """Notes what a prefill caches."""
        self.positions += positions
        self._pixel_values = pixel_values


class _ActiveAnswer:
    """An answer that a slot is generating."""

    def __init__(self, job: Job, sampler: Sampler, reused: int):
        self.job, self.sampler, self.reused = job, sampler, reused
        self.max_new_tokens = job.inputs.max_new_tokens
        self.ids: list[int] = []

    def add(self, token: int, eos_token_ids: Collection[int]) -> Ending | None:
        """Adds `token` and reports it; returns the ending if the answer is complete."""
        if token in eos_token_ids:
            return Ending.COMPLETE
        self.ids.append(token)
        self.job.on_token(token)
        if self.job.is_stopped():
            return Ending.STOPPED
        return Ending.LENGTH if len(self.ids) >= self.max_new_tokens else None
