"""The loaded model: a request goes in, an answer comes out piece by piece.

An engine blocks, and belongs to the thread that opened it. Setting `stop` from any thread ends
the answer after the token under way; what was said so far is then the answer.
"""

from __future__ import annotations

import copy
import statistics
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from PIL import Image
from transformers import (
    GenerationConfig,
    LogitsProcessorList,
    RepetitionPenaltyLogitsProcessor,
    StoppingCriteriaList,
)

from core.engine import Capability, EngineFacts, Missing
from core.errors import AppError, EngineError, PromptError
from core.generation.banned_words import BannedWords, vocabulary_bytes
from core.generation.streaming import (
    Pieces,
    Run,
    Stop,
    Voice,
    Voices,
    choosing,
    failed,
    release_memory,
    seed_of,
    seeded,
)
from core.llava.decoding import DecodeLoop, Job, decode_loop
from core.llava.evidence import Examiner, Said
from core.llava.prompt import IMAGE_TOKEN_INDEX, STOP_STRING, Inputs, Tokenizer, prepare
from core.picture import ImagePreprocessing
from core.picture.pixel_values import CLIP_MEAN, CLIP_STD, PAD_COLOUR, pixel_values
from core.transcript import Answer, Ending, Request, Sampling, Turn
from core.words import Evidence, Presence, Word, WordMap, absent_questions, question_about

if TYPE_CHECKING:
    from transformers.models.llava.modeling_llava import LlavaForConditionalGeneration

# Positions that a first question about a picture and its answer seldom go beyond.
_USUAL_LENGTH = 960
# More pictures at once bring little more a second: a step's time is then that of their caches.
_MOST_SLOTS = 64

_NO_EVIDENCE = Missing(
    "What words rest on can be had only of LLaVA-1.5 that lies whole on one device.",
    "Choose such a model for it.",
)


class LlavaEngine:
    """A LLaVA-1.5 on its device; `facts` tell which and where."""

    def __init__(
        self,
        model: LlavaForConditionalGeneration,
        tokenizer: Tokenizer,
        facts: EngineFacts,
        *,
        prompt_length: int | None = None,
        mean: Sequence[float] = CLIP_MEAN,
        std: Sequence[float] = CLIP_STD,
    ):
        vision: Any = model.config.vision_config
        preprocessing = ImagePreprocessing(
            vision.image_size, vision.patch_size, tuple(mean), tuple(std)
        )
        self.facts = facts = replace(facts, preprocessing=preprocessing)
        # Its own types say that it cannot generate.
        self._model: Any = model
        self._tokenizer = tokenizer
        self._prompt_length = prompt_length
        self._mean, self._std = mean, std
        # The last picture's, for the next question about it.
        self._values: tuple[Image.Image, np.ndarray] | None = None
        self._seen: _Seen | None = None
        self._banned_words: tuple[tuple[str, ...], BannedWords] | None = None
        self._examiner: Examiner | None = None
        # What generation needs is passed with each answer; a checkpoint's own settings, with
        # their padding and lengths, do not count.
        model.generation_config = GenerationConfig()
        self._loop = decode_loop(model, {tokenizer.eos_token_id})
        if self._loop is None:
            self.facts = replace(facts, missing={Capability.EVIDENCE: _NO_EVIDENCE})
        else:
            try:
                length = min(_USUAL_LENGTH, facts.context_length)
                self._loop.warm_up(length)
                slots = min(_MOST_SLOTS, self._loop.forward.slots_that_fit(length))
                self.facts = replace(facts, slots_that_fit=slots)
            except RuntimeError as failure:
                raise self._failed(failure) from failure

    def answer(
        self, request: Request, on_piece: Callable[[str], None], stop: threading.Event
    ) -> Answer:
        """Answer the last turn; `on_piece` gets the text in this thread as it comes.

        The pieces put together are the answer's text. Raises PromptError, OutOfMemory, and
        EngineError when the model or its device failed; the engine can be asked again.
        """
        started = time.perf_counter()
        sampling = request.sampling
        seed = seed_of(sampling)
        if stop.is_set():
            return Answer("", Ending.STOPPED, 0, 0.0, seed=seed)
        inputs = self._prepare(request)
        if self._loop is not None and self._loop.supports(sampling):
            this = _UnderWay(request, seed, started)
            heard = _Heard(Pieces(self._tokenizer), on_piece)
            return self._decode(self._loop, inputs, this, heard, stop)
        streamer = Pieces(self._tokenizer)
        run = Run(partial(self._generate, inputs, request, seed, streamer), streamer, stop)
        run.start()
        first: float | None = None
        try:
            for piece in streamer:
                if first is None:
                    first = time.perf_counter() - started
                if piece:
                    on_piece(piece)
        except BaseException:
            run.abandon()
            raise
        finally:
            run.join()
        ids = self._ids_said(run)
        said = [number for number in ids if number != self._tokenizer.eos_token_id]
        if len(said) < len(ids):
            ending = Ending.COMPLETE
        else:
            is_full = len(ids) >= inputs.max_new_tokens
            ending = Ending.LENGTH if is_full else Ending.STOPPED
        answer = self._told(inputs, said, ending, seed, started, first)
        if sampling.beams > 1 and answer.text:
            # Beams know what they say only at the end.
            on_piece(answer.text)
        return answer

    def _decode(
        self,
        loop: DecodeLoop,
        inputs: Inputs,
        this: _UnderWay,
        heard: _Heard,
        stop: threading.Event,
    ) -> Answer:
        """The same answer as by `generate()`, sooner.

        In this thread: on two cores, a thread that reads beside one that computes made each
        token take more than twice as long.
        """

        def on_token(token: int) -> None:
            this.on_token(token)
            heard.on_token(token)

        def is_over() -> bool:
            return stop.is_set() or heard.failure is not None

        sampling = replace(this.request.sampling, seed=this.seed)
        job = Job(inputs, sampling, on_token, is_over, self._banned(sampling))
        try:
            (decoded,) = loop.decode([job])
        except Exception as failure:
            raise self._failed(failure) from failure
        heard.end()
        return self._told(inputs, decoded.ids, decoded.ending, this.seed, this.started, this.first)

    def answer_all(
        self,
        requests: Iterable[Request],
        stop: threading.Event,
        *,
        slots: int = 8,
        on_piece: Callable[[Request, str], None] | None = None,
    ) -> Generator[tuple[Request, Answer]]:
        """Answer many requests, `slots` at once, each the same as alone; yields them as they end.

        The next request is asked for when a slot is free, so that no more pictures are open than
        are looked at. Once `stop` is set those under way end and no further one begins. Raises
        as `answer` does, and then leaves the others. `on_piece` gets the text of each in this
        thread as it comes, a few times a second.
        """

        def alone(request: Request) -> tuple[Request, Answer]:
            hear = partial(on_piece, request) if on_piece else _ignore
            return request, self.answer(request, hear, stop)

        loop = self._loop
        if loop is None:
            yield from map(alone, requests)
            return
        voices = Voices(self._tokenizer, on_piece) if on_piece else None
        under_way: dict[Job, _UnderWay] = {}
        left: list[Request] = []

        def is_over() -> bool:
            return stop.is_set() or (voices is not None and voices.failure is not None)

        def jobs() -> Iterator[Job]:
            for request in requests:
                if is_over():
                    return
                if not loop.supports(request.sampling):
                    left.append(request)
                    continue
                this = _UnderWay(request, seed_of(request.sampling), time.perf_counter())
                sampling = replace(request.sampling, seed=this.seed)
                banned, inputs = self._banned(sampling), self._prepare(request)
                this.voice = voices.of(request) if voices else None
                job = Job(inputs, sampling, this.on_token, is_over, banned)
                under_way[job] = this
                yield job

        try:
            for decoded in loop.decode(jobs(), slots):
                this, inputs = under_way.pop(decoded.job), decoded.job.inputs
                if this.voice:
                    this.voice.end()
                yield (
                    this.request,
                    self._told(
                        inputs, decoded.ids, decoded.ending, this.seed, this.started, this.first
                    ),
                )
        except RuntimeError as failure:
            raise self._failed(failure) from failure
        if voices and voices.failure is not None:
            raise voices.failure
        yield from map(alone, left)

    def _told(
        self,
        inputs: Inputs,
        ids: Sequence[int],
        ending: Ending,
        seed: int | None,
        started: float,
        first: float | None,
    ) -> Answer:
        """The answer of these ids; `first` is None when not one token came."""
        seconds = time.perf_counter() - started
        return Answer(
            text=self._tokenizer.decode(list(ids)).strip(),
            ending=ending,
            tokens=len(ids),
            seconds=seconds,
            seconds_to_first_token=seconds if first is None else first,
            input_tokens=inputs.length,
            output_ids=tuple(ids),
            left_out=inputs.left_out,
            seed=seed,
        )

    def trace(self, request: Request, answer: Answer) -> dict[str, Any]:
        """What went through the pipeline for `answer`, as JSON; `core.llava.trace` writes it down.

        The stages before the first token are run once more, for their times. `answer` may come
        from the store, without its ids; they are then those of its text.
        """
        pixels, vision = request.picture.pixels, self._model.config.vision_config
        self._values = self._seen = None
        times = _Stopwatch(self._model.device)
        inputs = self._prepare(request)
        times.note("picture and prompt prepared")
        try:
            with torch.inference_mode():
                seen = self._see(pixels, inputs)
                times.note("picture seen: vision tower and projector")
                self._embed(inputs, seen.features)
                times.note("embeddings joined")
        except RuntimeError as failure:
            raise self._failed(failure) from failure
        output_ids = answer.output_ids or tuple(self._tokenizer.encode_parts([answer.text]))
        values, side = inputs.pixel_values, vision.image_size // vision.patch_size
        return {
            "model": self.facts.model,
            "device": self.facts.device_name,
            "dtype": self.facts.dtype,
            "prompt": inputs.prompt,
            "input_ids": list(inputs.input_ids),
            "input_pieces": self._tokenizer.pieces(inputs.input_ids),
            "image_tokens": inputs.image_tokens,
            "image_size": list(pixels.size),
            "padded_size": [max(pixels.size)] * 2,
            "pad_background_rgb": list(PAD_COLOUR),
            "images_tensor_shape": list(values.shape),
            "images_tensor_dtype": str(values.dtype),
            "images_tensor_range": [float(values.min()), float(values.max())],
            "patch_grid": [side, side],
            "image_features_shape_before_projector": list(seen.shape_before_projector),
            "image_features_shape_after_projector": list(seen.features.shape),
            "output_ids_generated": list(output_ids),
            "output_ids_known": bool(answer.output_ids or not answer.text),
            "output_pieces": self._tokenizer.pieces(output_ids),
            "text": answer.text,
            "ending": answer.ending.value,
            "stop_str": STOP_STRING,
            "max_new_tokens": inputs.max_new_tokens,
            "seed": answer.seed,
            "seconds": {
                **times.seconds,
                "answer to its first token": answer.seconds_to_first_token,
                "whole answer": answer.seconds,
            },
            "bytes": self._memory(inputs.length + len(output_ids)),
        }

    def _memory(self, positions: int) -> dict[str, int]:
        """What is held for an answer of that many positions, in bytes."""
        config = self._model.config.text_config
        heads = config.num_key_value_heads
        width = getattr(config, "head_dim", None) or (
            config.hidden_size // config.num_attention_heads
        )
        a_position = 2 * config.num_hidden_layers * heads * width * self._model.dtype.itemsize
        memory = {"weights": self.facts.memory_bytes, "keys and values": positions * a_position}
        if self._model.device.type == "cuda":
            memory["reserved on the card"] = torch.cuda.memory_reserved(self._model.device)
            memory["at most in use"] = torch.cuda.max_memory_allocated(self._model.device)
        return memory

    def evidence(self, request: Request, answer: Answer, stop: threading.Event) -> Evidence:
        """What each word of `answer`, which this model gave to `request`, rests on.

        Changes nothing that later answers are made from. Raises Cancelled once `stop` is set,
        EngineError if the facts say that there is none, and as `answer` does.
        """
        with self._examining() as examiner:
            return examiner.evidence(self._said(request, answer), stop.is_set)

    def word_map(self, request: Request, answer: Answer, word: Word) -> WordMap:
        """Where on the picture `word`, of the answer's evidence, rests. Raises as `evidence`."""
        return self.word_maps(request, answer, [word])[0]

    def word_maps(
        self, request: Request, answer: Answer, words: Sequence[Word]
    ) -> tuple[WordMap, ...]:
        """The maps of several words, in hardly more time than that of one."""
        with self._examining() as examiner:
            said = self._said(request, answer)
            return examiner.word_maps(said, words, request.picture.pixels.size)

    def look_again(self, request: Request, answer: Answer, word: Word) -> Presence:
        """Asks the model whether the thing that `word` names is there, and whether some things
        are that surely are not.

        The questions stand alone: in the conversation it would stay with what it said. Raises
        PromptError where `core.words.question.question_about` knows no question, and as `evidence`.
        """
        question = question_about(answer.text, word)
        if question is None:
            raise PromptError(f"“{word.text}” names no thing to look for. Choose another word.")
        questions = [question, *absent_questions(answer.text)]
        with self._examining() as examiner:
            odds = [self._yes_over_no(examiner, request, question) for question in questions]
        return Presence(question, odds[0], statistics.median(odds[1:]))

    @contextmanager
    def _examining(self) -> Iterator[Examiner]:
        if self._loop is None:
            raise EngineError(f"{_NO_EVIDENCE.reason} {_NO_EVIDENCE.remedy}")
        if self._examiner is None:
            plain = Image.new("RGB", (1, 1), PAD_COLOUR)
            size = self._model.config.vision_config.image_size
            values = pixel_values(plain, size, self._mean, self._std)
            self._examiner = Examiner(self._loop, self._tokenizer, values)
        try:
            yield self._examiner
        except RuntimeError as failure:
            self._examiner = None
            raise self._failed(failure) from failure

    def _said(self, request: Request, answer: Answer) -> Said:
        """An answer that comes from the store, or was edited, has the ids of its text."""
        inputs = self._prepare(request)
        ids = answer.output_ids
        if self._tokenizer.decode(list(ids)).strip() != answer.text:
            ids = self._ids_behind(request, inputs, answer.text)
        return Said(inputs, ids)

    def _ids_behind(self, request: Request, inputs: Inputs, text: str) -> tuple[int, ...]:
        """The ids of `text` as it goes on from the prompt."""
        beginning = f"{request.beginning} {text}" if request.beginning else text
        going_on = self._prepare(replace(request, beginning=beginning))
        return going_on.input_ids[len(inputs.input_ids) :]

    def _yes_over_no(self, examiner: Examiner, request: Request, question: str) -> float:
        asked = replace(request, turns=(Turn(question),), beginning="")
        inputs = self._prepare(asked)
        yes, no = (self._ids_behind(asked, inputs, word)[0] for word in ("Yes", "No"))
        return examiner.log_odds(inputs, yes, no)

    def by_generate(self) -> LlavaEngine:
        """The same model, answering by `generate()` alone: to compare what either way gives."""
        other = copy.copy(self)
        other._loop = None
        other.facts = replace(self.facts, missing={Capability.EVIDENCE: _NO_EVIDENCE})
        return other

    @property
    def bytes_per_token(self) -> int:
        """How much of the weights is read for each token: all layers and the head."""
        parts = (self._model.model.language_model.layers, self._model.lm_head)
        return sum(tensor.nbytes for part in parts for tensor in part.state_dict().values())

    def close(self) -> None:
        """Let go of the weights and their memory; the engine answers no more."""
        self._seen = self._loop = self._examiner = None
        del self._model
        release_memory()

    # ---- the stages of an answer

    def _prepare(self, request: Request) -> Inputs:
        if request.others:
            raise PromptError("This model looks at one picture at a time. Choose one.")
        pixels = request.picture.pixels
        vision = self._model.config.vision_config
        if self._values is None or self._values[0] is not pixels:
            values = pixel_values(pixels, vision.image_size, self._mean, self._std)
            self._values = pixels, values
        return prepare(
            request.turns,
            self._values[1],
            self._tokenizer,
            max_new_tokens=request.sampling.max_new_tokens,
            context_length=self.facts.context_length,
            prompt_length=self._prompt_length,
            patch_size=vision.patch_size,
            beginning=request.beginning,
        )

    def _see(self, pixels: Image.Image, inputs: Inputs) -> _Seen:
        """The image features; the last picture's are kept for the next question about it."""
        if self._seen is not None and self._seen.pixels is pixels:
            return self._seen
        self._seen = None
        model = self._model.model
        values = torch.from_numpy(inputs.pixel_values).to(self._model.device, self._model.dtype)
        layers = model.vision_tower(values, output_hidden_states=True).hidden_states
        patches = layers[self._model.config.vision_feature_layer][:, 1:]  # Without CLS.
        features = model.multi_modal_projector(patches)
        self._seen = _Seen(pixels, tuple(patches.shape), features)
        return self._seen

    def _embed(self, inputs: Inputs, features: torch.Tensor) -> torch.Tensor:
        """The embeddings of the prompt, (1, positions, hidden), with the image spliced in.

        Not by an image token's id: LLaVA-1.5's vocabulary ends before it.
        """
        embed = self._model.get_input_embeddings()
        place = inputs.input_ids.index(IMAGE_TOKEN_INDEX)
        before, after = inputs.input_ids[:place], inputs.input_ids[place + 1 :]
        tensors = [torch.tensor([ids], device=self._model.device) for ids in (before, after)]
        return torch.cat([embed(tensors[0]), features, embed(tensors[1])], dim=1)

    def _generate(
        self,
        inputs: Inputs,
        request: Request,
        seed: int | None,
        streamer: Pieces,
        is_over: Callable[[], bool],
    ) -> list[int]:
        sampling = request.sampling
        with torch.inference_mode(), seeded(seed, self._model.device):
            features = self._see(request.picture.pixels, inputs).features
            embeddings = self._embed(inputs, features)
            processors = LogitsProcessorList()
            if sampling.repetition_penalty != 1:
                # Given here it looks at the answer alone, as in the original, and warns of nothing.
                processors.append(RepetitionPenaltyLogitsProcessor(sampling.repetition_penalty))
            if banned := self._banned(sampling):
                processors.append(banned)
            output = self._model.generate(
                inputs_embeds=embeddings,
                attention_mask=torch.ones(embeddings.shape[:2], device=embeddings.device).long(),
                generation_config=self._settings(sampling, inputs.max_new_tokens),
                logits_processor=processors,
                stopping_criteria=StoppingCriteriaList([Stop(is_over)]),
                streamer=streamer if sampling.beams == 1 else None,
            )
        return output[0].tolist()

    def _banned(self, sampling: Sampling) -> BannedWords | None:
        """What keeps them from being said; that of the last words is kept, as it takes a while."""
        words = sampling.banned_words
        if not words:
            return None
        if self._banned_words is None or self._banned_words[0] != words:
            pieces = self._tokenizer.pieces(range(self._tokenizer.size))
            self._banned_words = words, BannedWords(words, vocabulary_bytes(pieces))
        return self._banned_words[1]

    def _settings(self, sampling: Sampling, max_new_tokens: int) -> GenerationConfig:
        return GenerationConfig(
            max_new_tokens=max_new_tokens,
            num_beams=sampling.beams,
            bos_token_id=self._tokenizer.bos_token_id,
            eos_token_id=self._tokenizer.eos_token_id,
            pad_token_id=self._tokenizer.pad_token_id,
            use_cache=True,
            **choosing(sampling),
        )

    def _ids_said(self, run: Run) -> list[int]:
        """The ids that were generated, up to and with the end of the sequence, or the failure."""
        if run.failure is not None:
            raise self._failed(run.failure) from run.failure
        end = self._tokenizer.eos_token_id
        return run.ids[: run.ids.index(end) + 1] if end in run.ids else run.ids

    def _failed(self, failure: BaseException) -> AppError:
        """What to say of a failure of the model, whose memory is given back."""
        self._seen = None
        if self._loop is not None:
            self._loop.release()
        return failed(failure, self._model.device, self.facts.dtype)


def _ignore(piece: str) -> None:
    """Hears the pieces of an answer that is wanted whole."""


@dataclass(eq=False)
class _UnderWay:
    """An answer in the decode loop. `first` is the seconds from its start to its first token."""

    request: Request
    seed: int | None
    started: float
    first: float | None = None
    voice: Voice | None = None

    def on_token(self, token: int) -> None:
        if self.first is None:
            self.first = time.perf_counter() - self.started
        if self.voice is not None:
            self.voice.hear(token)


class _Heard:
    """Ids become pieces, and `on_piece` hears them.

    What it raises is kept until the end: it is the listener's failure and not the model's.
    """

    def __init__(self, streamer: Pieces, on_piece: Callable[[str], None]):
        self._streamer, self._on_piece = streamer, on_piece
        self.failure: Exception | None = None

    def on_token(self, token: int) -> None:
        self._streamer.put(torch.tensor([token]))
        try:
            self._say()
        except Exception as failure:
            self.failure = failure

    def end(self) -> None:
        """Says what was held back. Raises what the listener raised."""
        if self.failure is not None:
            raise self.failure
        self._streamer.end()
        self._say()

    def _say(self) -> None:
        piece = self._streamer.text_queue.get_nowait()
        if piece:
            self._on_piece(piece)


class _Stopwatch:
    """What each stage took, in `seconds`; a card is waited for, which else runs behind."""

    def __init__(self, device: torch.device):
        self._device = device
        self.seconds: dict[str, float] = {}
        self._began = self._now()

    def note(self, stage: str) -> None:
        now = self._now()
        self.seconds[stage], self._began = now - self._began, now

    def _now(self) -> float:
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)
        return time.perf_counter()


@dataclass(frozen=True, eq=False)
class _Seen:
    """A picture as the model has seen it: `features` are (1, patches, hidden)."""

    pixels: Image.Image
    shape_before_projector: tuple[int, ...]
    features: torch.Tensor
