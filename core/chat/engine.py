"""A model of another architecture as an `Engine`: its own processor, and our decode loop.

The loop runs the language model by our own forward pass where that knows its layers, and else by
transformers' modules. Beam search, and what the loop cannot run at all, is left to `generate()`.
What such an engine lacks is in its `facts.missing`, with the reason.
"""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, cast

import torch
from PIL import Image
from transformers import GenerationConfig

from core.chat.generate_path import GeneratePath
from core.chat.inputs import ChatImage, ChatInputs, chat_inputs, image_token_of
from core.chat.loop import chat_loop
from core.chat.patches import knows_patches, picture_canvas
from core.chat.preparing import Prepared, Preparer
from core.chat.text import PlainDecoder, token_counter
from core.chat.tracing import PREPARED, READ, make_trace
from core.chat.word_maps import map_examiner
from core.engine import Capability, EngineFacts, Missing
from core.errors import AppError, EngineError, PromptError
from core.generation.banned_words import BannedWordsCache
from core.generation.failure import closed_engine, engine_failure, release_memory
from core.generation.generate import GenerateFailed
from core.generation.listeners import Listeners
from core.generation.pending import PendingAnswer
from core.llava.decoding import DecodeLoop
from core.llava.loop_answers import LoopAnswers
from core.llava.passes import SlotForward
from core.llava.patch_grid import Canvas
from core.llava.tracing import Stopwatch
from core.llava.word_maps import MapExaminer
from core.message import joined, translatable
from core.picture import Picture
from core.trace import Trace
from core.transcript import Answer, Request
from core.words import Evidence, Presence, Word, WordMap

_CHOOSE_LLAVA = translatable("core", "Load LLaVA-1.5.")
_IN_GROUPS = Missing(
    translatable(
        "core",
        "Images are captioned in groups, each as slow as its longest caption.",
    )
)
_NO_EVIDENCE = Missing(
    translatable("core", "What the words of this model rest on cannot be measured."),
    _CHOOSE_LLAVA,
)
_NO_MAPS = Missing(
    translatable("core", "Where in the image this model's tokens lie is not known."),
    _CHOOSE_LLAVA,
)
_MISSING_WITHOUT_LOOP = {
    Capability.MAPS: _NO_EVIDENCE,
    Capability.TRACE: Missing(
        translatable("core", "What goes on inside this model cannot be traced."), _CHOOSE_LLAVA
    ),
    Capability.EVIDENCE: _NO_EVIDENCE,
    Capability.SLOTS: _IN_GROUPS,
}
# A question about an image of 729 to 1,200 tokens, and its answer.
_USUAL_LENGTH = 1536
_MOST_SLOTS = 64


class ChatEngine:
    """A model that transformers knows, on its device, with all of `InspectableEngine` where our
    decode loop runs it, but for maps of families whose image positions are not known."""

    def __init__(
        self,
        model: Any,
        processor: Any,
        facts: EngineFacts,
        *,
        end_ids: Sequence[int],
        quantizes_cache: bool = False,
    ):
        """`end_ids` are the token ids that end an answer. `quantizes_cache` keeps keys and values
        in 8 bits where the language model runs by our own forward pass."""
        self._processor, tokenizer = processor, processor.tokenizer
        self.facts = replace(
            facts, missing=_MISSING_WITHOUT_LOOP, count_tokens=token_counter(tokenizer)
        )
        self._model: Any = model
        self._device: torch.device = model.device
        self._is_closed = False
        self._preparer = Preparer(processor, facts.context_length, facts.most_pictures)
        self._decoder = PlainDecoder(tokenizer)
        self._tokenizer: Any = tokenizer
        self._end_ids = tuple(end_ids)
        self._banned_words = BannedWordsCache(
            lambda: tokenizer.convert_ids_to_tokens(list(range(len(tokenizer))))
        )
        # Each answer passes its own settings; a checkpoint's, with their temperatures and lengths,
        # must not count.
        model.generation_config = GenerationConfig()
        ends = frozenset(end_ids)
        self._by_generate = GeneratePath(
            model,
            self._preparer,
            self._decoder,
            self._banned_words,
            ends,
            self._failures_explained,
        )
        self._usual_length = min(_USUAL_LENGTH, facts.context_length)
        self._loop = chat_loop(model, ends, quantizes_cache=quantizes_cache)
        if self._loop is not None:
            self._warm_up(self._loop)

    def _warm_up(self, loop: DecodeLoop[SlotForward]) -> None:
        try:
            loop.warm_up(self._usual_length)
            slots = self._slots_that_fit(loop)
        except (RuntimeError, MemoryError) as failure:
            raise self._failed(failure) from failure
        self.facts = replace(
            self.facts,
            missing=_missing_maps(self._model.config),
            slots_that_fit=slots,
            quantizes_cache=loop.forward.quantizes_cache,
        )

    # ---- answers

    def answer(
        self, request: Request, on_piece: Callable[[str], None], stop: threading.Event
    ) -> Answer:
        """See `Engine.answer`."""
        pending = PendingAnswer(request, self._decoder)
        if stop.is_set():
            return pending.stopped()
        prepared = self._prepare(request)
        if self._loop and self._loop.supports(request.sampling):
            inputs = self._loop_inputs(prepared)
            return self._answers_of(self._loop).answer(inputs, pending, on_piece, stop)
        try:
            return self._by_generate.answer(prepared, pending, on_piece, stop)
        except GenerateFailed as failed:
            raise self._failed(failed.failure) from failed.failure

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
        """See `Engine.answer_all`, and `GeneratePath.in_groups` for models without the loop."""
        listeners = Listeners(stop, on_piece, is_stopped, on_refused)
        if self._is_closed:
            raise closed_engine()
        if self._loop is not None:
            answers = self._answers_of(self._loop)
            yield from answers.answer_all(requests, listeners, slots, self.answer)
            # Other programs may have taken memory meanwhile, or given some back.
            self.facts = replace(self.facts, slots_that_fit=self._slots_that_fit(self._loop))
            return
        yield from self._by_generate.in_groups(requests, listeners, slots, self.answer)

    def _answers_of(self, loop: DecodeLoop[SlotForward]) -> LoopAnswers:
        return LoopAnswers(
            loop,
            self._decoder,
            self._banned_words,
            self._inputs_of,
            self._failed,
            self._usual_length,
        )

    def _slots_that_fit(self, loop: DecodeLoop[SlotForward]) -> int:
        return min(_MOST_SLOTS, loop.forward.slots_that_fit(self._usual_length))

    # ---- what an answer rests on

    def evidence(self, request: Request, answer: Answer, stop: threading.Event) -> Evidence:
        """See `InspectableEngine.evidence`."""
        with self._examining() as examiner:
            return examiner.evidence(request, answer, stop.is_set)

    def look_again(self, request: Request, answer: Answer, word: Word) -> Presence:
        """See `InspectableEngine.look_again`."""
        with self._examining() as examiner:
            return examiner.look_again(request, answer, word)

    def word_map(self, request: Request, answer: Answer, word: Word) -> WordMap:
        """See `InspectableEngine.word_map`."""
        return self.word_maps(request, answer, [word])[0]

    def word_maps(
        self, request: Request, answer: Answer, words: Sequence[Word]
    ) -> tuple[WordMap, ...]:
        """See `InspectableEngine.word_maps`."""
        with self._examining(Capability.MAPS) as examiner:
            return examiner.word_maps(request, answer, words)

    def trace(self, request: Request, answer: Answer) -> Trace:
        """See `InspectableEngine.trace`. Runs the prompt once more."""
        with self._examining() as examiner:
            times = Stopwatch(self._device)
            inputs = self._inputs_of(request)
            times.note(PREPARED)
            examiner.read(inputs)
            times.note(READ)
            forward: Any = cast("DecodeLoop[SlotForward]", self._loop).forward
            return make_trace(
                self.facts,
                self._model,
                self._tokenizer,
                self._end_ids,
                request=request,
                inputs=inputs,
                answer=answer,
                output_ids=answer.output_ids or examiner.generated(request, answer).ids,
                times=times.times,
                bytes_per_position=forward.cache.bytes_per_position,
            )

    @contextmanager
    def _examining(
        self, capability: Capability = Capability.EVIDENCE
    ) -> Iterator[MapExaminer[SlotForward]]:
        if self._is_closed:
            raise closed_engine()
        missing = self.facts.missing.get(capability)
        if missing or self._loop is None:
            missing = missing or _NO_EVIDENCE
            raise EngineError(joined(missing.reason, missing.remedy))
        with self._failures_explained():
            yield map_examiner(
                self._loop, self._decoder, self._inputs_of, self._plain_image, self._canvas
            )

    def _canvas(self, request: Request, inputs: ChatInputs) -> Canvas:
        return picture_canvas(self._model, self._processor, request, inputs)

    def _plain_image(self, request: Request) -> ChatImage:
        """What the model takes for the same prompt with images of one colour, as large."""
        first, *others = (
            Picture(None, Image.new("RGB", picture.pixels.size, self._preparer.plain_colour))
            for picture in (request.picture, *request.others)
        )
        return self._inputs_of(replace(request, picture=first, others=tuple(others))).image

    def prepare_picture(self, picture: Picture) -> Picture:
        """See `core.engine.picture_preparation`."""
        return self._preparer.prepare_picture(picture)

    # ---- measuring, closing

    def by_generate(self) -> ChatEngine:
        """Returns an engine of the same model that uses `generate()` alone, for comparison."""
        other = copy.copy(self)
        other._loop = None
        other.facts = replace(self.facts, missing=_MISSING_WITHOUT_LOOP)
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
        self._preparer.close()
        self._loop = self._model = self._processor = None
        self._by_generate = cast(Any, None)
        release_memory()

    # ---- helpers

    def _prepare(self, request: Request) -> Prepared:
        if self._is_closed:
            raise closed_engine()
        with self._failures_explained():
            return self._preparer.prepare(request)

    def _loop_inputs(self, prepared: Prepared) -> ChatInputs:
        return chat_inputs(
            prepared.prompt,
            prepared.inputs,
            prepared.max_new_tokens,
            prepared.left_out,
            image_token_of(self._model.config),
        )

    def _inputs_of(self, request: Request) -> ChatInputs:
        return self._loop_inputs(self._prepare(request))

    @contextmanager
    def _failures_explained(self) -> Iterator[None]:
        """Raises an AppError for whatever goes wrong in the model or before it, such as the
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


def _missing_maps(config: Any) -> dict[Capability, Missing]:
    """Why there are no maps; empty if there are."""
    if knows_patches(config):
        return {}
    return {Capability.MAPS: _NO_MAPS}
