"""A model of another architecture as an `Engine`: its own processor, and `generate()`.

Where the language model is like LLaVA-1.5's, our decode loop takes the place of `generate()`. What
such an engine lacks is in its `facts.missing`, with the reason.
"""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from PIL import Image
from transformers import GenerationConfig

from core.chat.inputs import ChatInputs, chat_inputs, image_token_of, on_device
from core.chat.loop import chat_loop
from core.chat.messages import messages
from core.chat.processor import chat_template_of
from core.chat.quiet import first_line
from core.chat.template import ChatTemplate
from core.chat.text import PlainDecoder, RowsStreamer
from core.device.choice import is_out_of_memory
from core.engine import Capability, EngineFacts, Missing
from core.errors import AppError, EngineError, PromptError
from core.generation.banned_words import BannedWordsCache
from core.generation.failure import closed_engine, engine_failure, release_memory
from core.generation.generate import GenerateFailed, generate_in_thread, stopping
from core.generation.listeners import Listeners
from core.generation.pending import PendingAnswer
from core.generation.sampling import (
    FiniteScores,
    generation_config,
    logits_processors,
    seeded,
)
from core.generation.streaming import (
    PieceStreamer,
    StreamedAnswers,
)
from core.llava.decoding import DecodeLoop
from core.llava.loop_answers import LoopAnswers
from core.message import translatable
from core.transcript import Answer, Request, Sampling, Turn

_CHOOSE_LLAVA = translatable("core", "Load LLaVA-1.5.")
_IN_GROUPS = Missing(
    translatable(
        "core",
        "Images are captioned in groups, each as slow as its longest caption.",
    )
)
_MISSING = {
    Capability.EVIDENCE: Missing(
        translatable(
            "core",
            "Only LLaVA-1.5 shows the evidence for words.",
        ),
        _CHOOSE_LLAVA,
    ),
    Capability.TRACE: Missing(translatable("core", "Only LLaVA-1.5 shows a trace."), _CHOOSE_LLAVA),
}
# A question about an image of 729 to 1,200 tokens, and its answer.
_USUAL_LENGTH = 1536
_MOST_SLOTS = 64

_WORD_JOINER = "\N{WORD JOINER}"


class ChatEngine:
    """A model that transformers runs, on its device."""

    def __init__(self, model: Any, processor: Any, facts: EngineFacts, *, end_ids: Sequence[int]):
        """`end_ids` are the token ids that end an answer."""
        self.facts = replace(facts, missing=_MISSING | {Capability.SLOTS: _IN_GROUPS})
        self._model: Any = model
        self._device: torch.device = model.device
        self._is_closed = False
        self._processor = processor
        self._end_ids = frozenset(end_ids)
        tokenizer = processor.tokenizer
        # New tokens follow the prompts, so shorter prompts of a batch are padded in front.
        tokenizer.padding_side = "left"
        if tokenizer.pad_token_id is None:
            tokenizer.pad_token = tokenizer.eos_token
        self._decoder = PlainDecoder(tokenizer)
        self._banned_words = BannedWordsCache(
            lambda: tokenizer.convert_ids_to_tokens(list(range(len(tokenizer))))
        )
        self._marks = [text for text in tokenizer.all_special_tokens if len(text) > 1]
        self._template = ChatTemplate(*chat_template_of(processor))
        # Each answer passes its own settings; a checkpoint's, with their temperatures and lengths,
        # must not count.
        model.generation_config = GenerationConfig()
        self._loop = chat_loop(model, self._end_ids)
        if self._loop is not None:
            self._warm_up(self._loop)

    def _warm_up(self, loop: DecodeLoop) -> None:
        length = min(_USUAL_LENGTH, self.facts.context_length)
        try:
            loop.warm_up(length)
            slots = min(_MOST_SLOTS, loop.forward.slots_that_fit(length))
        except (RuntimeError, MemoryError) as failure:
            raise self._failed(failure) from failure
        self.facts = replace(self.facts, missing=_MISSING, slots_that_fit=slots)

    def answer(
        self, request: Request, on_piece: Callable[[str], None], stop: threading.Event
    ) -> Answer:
        """See `Engine.answer`."""
        pending = PendingAnswer(request, self._decoder)
        if stop.is_set():
            return pending.stopped()
        with self._failures_explained():
            prepared, sampling = self._prepare(request), request.sampling
        if loop := self._loop_for(request):
            inputs = self._loop_inputs(prepared)
            return self._answers_of(loop).answer(inputs, pending, on_piece, stop)

        def generate(streamer: PieceStreamer, is_over: Callable[[], bool]) -> list[int]:
            used = streamer if sampling.beams == 1 else None
            with seeded(pending.seed, self._device):
                return self._generate(
                    prepared.inputs, sampling, prepared.max_new_tokens, is_over, used
                )[0]

        try:
            ids = generate_in_thread(generate, self._decoder, pending, on_piece, stop)
        except GenerateFailed as failed:
            raise self._failed(failed.failure) from failed.failure
        answer = pending.complete_generated(prepared, ids, self._end_ids)
        if sampling.beams > 1 and answer.text:
            # Beam search has the text only at its end.
            on_piece(answer.text)
        return answer

    def answer_all(
        self,
        requests: Iterable[Request | None],
        stop: threading.Event,
        *,
        slots: int = 8,
        on_piece: Callable[[Request, str], None] | None = None,
        is_stopped: Callable[[Request], bool] | None = None,
        on_refused: Callable[[Request, PromptError], None] | None = None,
    ) -> Generator[tuple[Request, Answer]]:
        """See `Engine.answer_all`.

        Without the loop, greedy requests with the same sampling go through one `generate()`,
        `slots` at once; others go one by one, since each draws its own random numbers. A group
        ends early only once all of it is stopped.
        """
        listeners = Listeners(stop, on_piece, is_stopped, on_refused)
        if self._loop is None:
            yield from self._in_groups(requests, listeners, slots)
        else:
            answers = self._answers_of(self._loop)
            yield from answers.answer_all(requests, listeners, slots, self.answer)

    def _loop_for(self, request: Request) -> DecodeLoop | None:
        return self._loop if self._loop and self._loop.supports(request.sampling) else None

    def _answers_of(self, loop: DecodeLoop) -> LoopAnswers:
        def prepare(request: Request) -> ChatInputs:
            with self._failures_explained():
                return self._loop_inputs(self._prepare(request))

        return LoopAnswers(loop, self._decoder, self._banned_words, prepare, self._failed)

    def _loop_inputs(self, prepared: _Prepared) -> ChatInputs:
        return chat_inputs(
            prepared.prompt,
            prepared.inputs,
            prepared.max_new_tokens,
            prepared.left_out,
            image_token_of(self._model.config),
        )

    def _in_groups(
        self, requests: Iterable[Request | None], listeners: Listeners, slots: int
    ) -> Generator[tuple[Request, Answer]]:
        waiting = iter(requests)
        stop = listeners.stop
        while not stop.is_set() and (group := _next_group(waiting, max(1, slots))):
            while group:
                sampling = group[0].sampling
                batch = [one for one in group if one.sampling == sampling]
                if sampling.temperature > 0 or sampling.beams > 1 or len(batch) == 1:
                    batch = group[:1]
                    if not stop.is_set():
                        yield from listeners.answer_alone(group[0], self.answer)
                else:
                    yield from self._answer_batch(batch, listeners)
                group = [one for one in group if all(one is not other for other in batch)]

    def by_generate(self) -> ChatEngine:
        """Returns an engine of the same model that uses `generate()` alone, for comparison."""
        other = copy.copy(self)
        other._loop = None
        other.facts = replace(self.facts, missing=_MISSING | {Capability.SLOTS: _IN_GROUPS})
        return other

    @property
    def bytes_per_token(self) -> int:
        """How many bytes of the weights each token reads: all but the vision tower's."""
        language = [
            tensor
            for name, tensor in (*self._model.named_parameters(), *self._model.named_buffers())
            if not any(part in name for part in ("vision", "visual", "embed_tokens"))
        ]
        return sum(tensor.nbytes for tensor in language)

    def close(self) -> None:
        """See `Engine.close`."""
        self._is_closed = True
        self._template.close()
        self._loop = self._model = None
        release_memory()

    # ---- the stages of an answer

    def _prepare(self, request: Request) -> _Prepared:
        """Leaves out the oldest pairs after the first if the turns are too long."""
        if self._is_closed:
            raise closed_engine()
        turns = request.turns
        if not turns:
            raise PromptError(
                translatable(
                    "core",
                    "There is no prompt. Type a question about the image.",
                )
            )
        if 1 + len(request.others) > self.facts.most_pictures:
            most = self.facts.most_pictures
            text = translatable(
                "core", "This model takes at most {most} images at a time. Choose fewer."
            )
            if most == 1:
                text = translatable("core", "This model takes one image at a time. Choose one.")
            raise PromptError(text.format(most=most))
        context = self.facts.context_length
        wanted = min(request.sampling.max_new_tokens, context // 4)
        kept = [(left, [turns[0], *turns[1 + left :]]) for left in range(len(turns) - 1)]
        kept.append((len(turns) - 1, [turns[-1]]))
        length = 0
        for left_out, some in kept:
            prompt = self._prompt(some, 1 + len(request.others)) + request.beginning
            inputs = self._inputs([prompt], [_pixels(request)])
            length = inputs["input_ids"].shape[1]
            if context - length >= (1 if len(some) == 1 else wanted):
                most = min(request.sampling.max_new_tokens, context - length)
                return _Prepared(prompt, inputs, length, most, left_out)
        raise PromptError(
            translatable(
                "core",
                "Prompt and image take {count} tokens, but the model reads {most}. Shorten "
                "the prompt, or choose a smaller image.",
            ).format(count=length, most=context)
        )

    def _prompt(self, turns: Sequence[Turn], pictures: int) -> str:
        return self._template.render(messages(turns, pictures, self._escaped))

    def _escaped(self, text: str) -> str:
        """Splits the special tokens that a person typed, so that they stay text."""
        for mark in self._marks:
            if mark in text:
                text = text.replace(mark, mark[0] + _WORD_JOINER + mark[1:])
        return text

    def _inputs(self, prompts: list[str], pictures: list[list[Any]]) -> dict[str, torch.Tensor]:
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

    @torch.inference_mode()
    def _generate(
        self,
        inputs: dict[str, torch.Tensor],
        sampling: Sampling,
        max_new_tokens: int,
        is_over: Callable[[], bool],
        streamer: PieceStreamer | RowsStreamer | None = None,
    ) -> list[list[int]]:
        """Returns the new ids of each row; all rows have the length of the longest answer."""
        inputs = on_device(inputs, self._model)
        length = inputs["input_ids"].shape[1]
        banned = self._banned_words.processor(sampling.banned_words, length)
        finite = FiniteScores()
        output = self._model.generate(
            **inputs,
            generation_config=generation_config(
                sampling,
                max_new_tokens=max_new_tokens,
                end_ids=self._end_ids,
                pad_id=self._processor.tokenizer.pad_token_id,
            ),
            logits_processor=logits_processors(sampling, banned, finite, length),
            stopping_criteria=stopping(is_over, finite),
            streamer=streamer,
        )
        return output[:, length:].tolist()

    def _answer_batch(
        self, requests: list[Request], listeners: Listeners
    ) -> Generator[tuple[Request, Answer]]:
        prepared = self._prepare_all(requests, listeners)
        if not prepared:
            return
        answers = [PendingAnswer(request, self._decoder) for request, _ in prepared]
        most = min(one.max_new_tokens for _, one in prepared)
        on_piece = listeners.on_piece
        streamed = StreamedAnswers(self._decoder, on_piece) if on_piece else None
        streamer = None
        if streamed:
            streamer = RowsStreamer([streamed.begin(r) for r, _ in prepared], self._end_ids)

        def is_over() -> bool:
            for answer in answers:
                answer.note_token()
            has_failed = streamed is not None and streamed.failure is not None
            return has_failed or all(listeners.ends(request) for request, _ in prepared)

        try:
            pictures = [_pixels(request) for request, _ in prepared]
            inputs = self._inputs([one.prompt for _, one in prepared], pictures)
            rows = self._generate(inputs, prepared[0][0].sampling, most, is_over, streamer)
        except AppError:
            raise
        except Exception as failure:
            raise self._failed(failure) from failure
        if streamed and streamed.failure is not None:
            raise streamed.failure
        for answer, (_, one), ids in zip(answers, prepared, rows, strict=True):
            yield answer.request, answer.complete_generated(one, ids, self._end_ids)

    def _prepare_all(
        self, requests: list[Request], listeners: Listeners
    ) -> list[tuple[Request, _Prepared]]:
        prepared: list[tuple[Request, _Prepared]] = []
        with self._failures_explained():
            for request in requests:
                try:
                    prepared.append((request, self._prepare(request)))
                except PromptError as error:
                    listeners.refuse(request, error)
        return prepared

    @contextmanager
    def _failures_explained(self) -> Iterator[None]:
        """Raises an AppError for whatever goes wrong before the model answers, such as the
        processor's arrays that find no memory."""
        try:
            yield
        except AppError:
            raise
        except Exception as failure:
            raise self._failed(failure) from failure

    def _failed(self, failure: BaseException) -> AppError:
        """Returns the error to raise for a failure of the model, whose memory is released."""
        if self._loop is not None:
            self._loop.release()
        return engine_failure(failure, self._device, self.facts.dtype)


def _next_group(waiting: Iterator[Request | None], most: int) -> list[Request]:
    """Returns up to `most` requests that wait now; none once there will be no more."""
    group: list[Request] = []
    for request in waiting:
        if request is not None:
            group.append(request)
        if len(group) == most or (request is None and group):
            break
    return group


def _pixels(request: Request) -> list[Image.Image]:
    return [request.picture.pixels, *(other.pixels for other in request.others)]


@dataclass(frozen=True, eq=False)
class _Prepared:
    """The processor's tensors for a request; `length` counts the prompt's positions."""

    prompt: str
    inputs: dict[str, torch.Tensor]
    length: int
    max_new_tokens: int
    left_out: int
