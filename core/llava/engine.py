"""LLaVA-1.5 as an `Engine`: answers with the decode loop, or with transformers' `generate()`."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from PIL import Image

from core.engine import Capability, EngineFacts, Missing
from core.errors import AppError, EngineError, PromptError
from core.generation.banned_words import BannedWordsCache
from core.generation.failure import closed_engine, engine_failure, release_memory
from core.generation.generate import GenerateFailed, generate_in_thread
from core.generation.listeners import Listeners
from core.generation.pending import PendingAnswer
from core.generation.streaming import PieceStreamer
from core.llava.decoding import DecodeLoop, LoopInputs, decode_loop
from core.llava.generate_path import GeneratePath
from core.llava.loop_answers import LoopAnswers
from core.llava.patch_grid import Canvas, square_grid
from core.llava.picture_resizer import PictureResizer
from core.llava.prompt import Inputs, prepare
from core.llava.tokenizer import IMAGE_TOKEN_INDEX, Tokenizer
from core.llava.tracing import Stopwatch, make_trace
from core.llava.word_maps import LayerMapExaminer
from core.message import joined, translatable
from core.picture import ImagePreprocessing, Picture
from core.picture.pixel_values import CLIP_MEAN, CLIP_STD, PAD_COLOUR, pixel_values
from core.trace import Trace
from core.transcript import Answer, Request
from core.words import Evidence, Presence, Word, WordMap

if TYPE_CHECKING:
    from transformers.models.llava.modeling_llava import LlavaForConditionalGeneration

# A first question about a picture and its answer seldom take more positions.
_USUAL_LENGTH = 960
# More slots hardly raise the captions per second: a step then mostly reads their KV caches.
_MOST_SLOTS = 64

_NO_EVIDENCE = Missing(
    translatable(
        "core",
        "Only LLaVA-1.5 models on a single device show the evidence for words.",
    ),
    translatable("core", "Load such a model."),
)
_MISSING = {Capability.EVIDENCE: _NO_EVIDENCE, Capability.MAPS: _NO_EVIDENCE}


class LlavaEngine:
    """A LLaVA-1.5 on its device, with all that `InspectableEngine` asks for."""

    def __init__(
        self,
        model: LlavaForConditionalGeneration,
        tokenizer: Tokenizer,
        facts: EngineFacts,
        *,
        prompt_length: int | None = None,
        mean: Sequence[float] = CLIP_MEAN,
        std: Sequence[float] = CLIP_STD,
        quantizes_cache: bool = False,
    ):
        """Warms the decode loop up. Raises OutOfMemory and EngineError if that fails.

        `quantizes_cache` keeps the loop's keys and values in 8 bits.
        """
        vision: Any = model.config.vision_config
        preprocessing = ImagePreprocessing(
            vision.image_size, vision.patch_size, tuple(mean), tuple(std)
        )
        self.facts = facts = replace(
            facts, preprocessing=preprocessing, count_tokens=tokenizer.count
        )
        # transformers' own types say that it cannot generate.
        self._model: Any = model
        self._device: torch.device = model.device
        self._is_closed = False
        self._tokenizer = tokenizer
        self._prompt_length = prompt_length
        self._mean, self._std = mean, std
        # The last picture's, for the next question about it.
        self._pixel_values: tuple[Image.Image, np.ndarray] | None = None
        self._banned_words = BannedWordsCache(lambda: tokenizer.pieces(range(tokenizer.size)))
        self._examiner: LayerMapExaminer | None = None
        self._generate_path = GeneratePath(model, tokenizer)
        self._usual_length = min(_USUAL_LENGTH, facts.context_length)
        self._resizer: PictureResizer | None = None
        self._loop = decode_loop(model, {tokenizer.eos_token_id}, quantizes_cache=quantizes_cache)
        if self._loop is None:
            self.facts = replace(facts, missing=_MISSING)
            return
        try:
            self._loop.warm_up(self._usual_length)
            self._resizer = self._warm_resizer(self._loop, vision.image_size)
            slots = self._slots_that_fit(self._loop)
            self.facts = replace(facts, slots_that_fit=slots, quantizes_cache=quantizes_cache)
        except (RuntimeError, MemoryError) as failure:
            raise self._failed(failure) from failure

    # ---- answers

    def answer(
        self, request: Request, on_piece: Callable[[str], None], stop: threading.Event
    ) -> Answer:
        """See `Engine.answer`."""
        pending = PendingAnswer(request, self._tokenizer)
        if stop.is_set():
            return pending.stopped()
        inputs = self._prepare(request, is_alone=True)
        if self._loop is not None and self._loop.supports(request.sampling):
            return self._answers_of(self._loop).answer(inputs, pending, on_piece, stop)
        return self._generate(inputs, pending, on_piece, stop)

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
        """See `Engine.answer_all`. Each answer is the same as `answer` would return.

        With beams, requests are answered one by one after the others.
        """
        listeners = Listeners(stop, on_piece, is_stopped, on_refused)
        if self._loop is None:
            for request in filter(None, requests):
                yield from listeners.answer_alone(request, self.answer)
            return
        answers = self._answers_of(self._loop)
        yield from answers.answer_all(requests, listeners, slots, self.answer)
        # Other programs may have taken memory meanwhile, or given some back.
        self.facts = replace(self.facts, slots_that_fit=self._slots_that_fit(self._loop))

    def _answers_of(self, loop: DecodeLoop) -> LoopAnswers:
        return LoopAnswers(
            loop,
            self._tokenizer,
            self._banned_words,
            self._prepare,
            self._failed,
            self._usual_length,
        )

    def _slots_that_fit(self, loop: DecodeLoop) -> int:
        return min(_MOST_SLOTS, loop.forward.slots_that_fit(self._usual_length))

    def _generate(
        self,
        inputs: Inputs,
        pending: PendingAnswer,
        on_piece: Callable[[str], None],
        stop: threading.Event,
    ) -> Answer:
        sampling, pixels = pending.request.sampling, pending.request.picture.pixels
        path, banned = self._generate_path, self._banned_words.processor(sampling.banned_words)

        def generate(streamer: PieceStreamer, is_over: Callable[[], bool]) -> list[int]:
            return path.generate(pixels, inputs, sampling, pending.seed, banned, streamer, is_over)

        try:
            ids = generate_in_thread(generate, self._tokenizer, pending, on_piece, stop)
        except GenerateFailed as failed:
            raise self._failed(failed.failure) from failed.failure
        answer = pending.complete_generated(inputs, ids, {self._tokenizer.eos_token_id})
        if sampling.beams > 1 and answer.text:
            # Beam search has the text only at its end.
            on_piece(answer.text)
        return answer

    # ---- what an answer rests on

    def trace(self, request: Request, answer: Answer) -> Trace:
        """See `InspectableEngine.trace`. Runs the stages before the first token once more."""
        if self._is_closed:
            raise closed_engine()
        self._pixel_values = None
        self._generate_path.forget_image()
        times = Stopwatch(self._model.device)
        inputs = self._prepare(request)
        times.note("picture and prompt prepared")
        try:
            with torch.inference_mode():
                encoded = self._generate_path.encode(request.picture.pixels, inputs)
                times.note("picture seen: vision tower and projector")
                self._generate_path.embed(inputs, encoded.features)
                times.note("embeddings joined")
        except (RuntimeError, MemoryError) as failure:
            raise self._failed(failure) from failure
        return make_trace(
            self.facts, self._model, self._tokenizer, inputs, encoded, answer, times.times
        )

    def evidence(self, request: Request, answer: Answer, stop: threading.Event) -> Evidence:
        """See `InspectableEngine.evidence`."""
        with self._examining() as examiner:
            return examiner.evidence(request, answer, stop.is_set)

    def word_map(self, request: Request, answer: Answer, word: Word) -> WordMap:
        """See `InspectableEngine.word_map`."""
        return self.word_maps(request, answer, [word])[0]

    def word_maps(
        self, request: Request, answer: Answer, words: Sequence[Word]
    ) -> tuple[WordMap, ...]:
        """See `InspectableEngine.word_maps`."""
        with self._examining() as examiner:
            return examiner.word_maps(request, answer, words)

    def look_again(self, request: Request, answer: Answer, word: Word) -> Presence:
        """See `InspectableEngine.look_again`."""
        with self._examining() as examiner:
            return examiner.look_again(request, answer, word)

    @contextmanager
    def _examining(self) -> Iterator[LayerMapExaminer]:
        if self._is_closed:
            raise closed_engine()
        if self._loop is None:
            raise EngineError(joined(_NO_EVIDENCE.reason, _NO_EVIDENCE.remedy))
        if self._examiner is None:
            plain = Image.new("RGB", (1, 1), PAD_COLOUR)
            size = self._model.config.vision_config.image_size
            values = pixel_values(plain, size, self._mean, self._std)
            self._examiner = LayerMapExaminer(
                self._loop, self._tokenizer, self._prepare, lambda _: values, _canvas
            )
        try:
            yield self._examiner
        except (RuntimeError, EngineError) as failure:
            self._examiner = None
            raise self._failed(failure) from failure

    # ---- measuring, closing

    def by_generate(self) -> LlavaEngine:
        """Returns an engine of the same model that uses `generate()` alone, for comparison."""
        other = copy.copy(self)
        other._loop = None
        other.facts = replace(self.facts, missing=_MISSING)
        return other

    @property
    def bytes_per_token(self) -> int:
        """How many bytes of the weights each token reads: all layers and the head."""
        parts = (self._model.model.language_model.layers, self._model.lm_head)
        return sum(tensor.nbytes for part in parts for tensor in part.state_dict().values())

    def close(self) -> None:
        """See `Engine.close`."""
        self._is_closed = True
        self._loop = self._examiner = self._resizer = None
        self._model = self._generate_path = cast(Any, None)
        release_memory()

    # ---- helpers of both

    def get_ready(self, picture: Picture) -> None:
        """See `core.engine.get_ready`."""
        self._values_of(picture.pixels, is_alone=True)

    def _prepare(self, request: Request, *, is_alone: bool = False) -> Inputs:
        """`is_alone` says that the device has nothing else to do."""
        if self._is_closed:
            raise closed_engine()
        if request.others:
            raise PromptError(
                translatable(
                    "core",
                    "This model takes one image at a time. Choose one.",
                )
            )
        return prepare(
            request.turns,
            self._values_of(request.picture.pixels, is_alone=is_alone),
            self._tokenizer,
            max_new_tokens=request.sampling.max_new_tokens,
            context_length=self.facts.context_length,
            prompt_length=self._prompt_length,
            patch_size=self._model.config.vision_config.patch_size,
            beginning=request.beginning,
        )

    def _warm_resizer(self, loop: DecodeLoop, size: int) -> PictureResizer | None:
        """What makes pixel values on the device, if it has our kernels."""
        kernels = loop.forward.language_model.kernels
        if kernels is None:
            return None
        resizer = PictureResizer(kernels, self._device, size, self._mean, self._std)
        resizer.pixel_values(Image.new("RGB", (640, 480)))
        return resizer

    def _values_of(self, pixels: Image.Image, *, is_alone: bool = False) -> np.ndarray:
        """The pixel values of an image; those of the last one are kept."""
        if self._is_closed:
            raise closed_engine()
        if self._pixel_values is None or self._pixel_values[0] is not pixels:
            size = self._model.config.vision_config.image_size
            resizer = self._resizer
            try:
                # Beside other answers the device would be waited for, and the processor has time.
                if resizer is not None and is_alone and resizer.takes(pixels):
                    values = resizer.pixel_values(pixels)
                else:
                    values = pixel_values(pixels, size, self._mean, self._std)
            except (RuntimeError, MemoryError) as failure:
                raise self._failed(failure) from failure
            self._pixel_values = pixels, values
        return self._pixel_values[1]

    def _failed(self, failure: BaseException) -> AppError:
        """Returns the error to raise for a failure of the model, whose memory is released."""
        if not self._is_closed:
            self._generate_path.forget_image()
        if self._loop is not None:
            self._loop.release()
        return engine_failure(failure, self._device, self.facts.dtype)


def _canvas(request: Request, inputs: LoopInputs) -> Canvas:
    count = inputs.positions.count(IMAGE_TOKEN_INDEX)
    return Canvas([square_grid(request.picture.pixels.size, count)])
