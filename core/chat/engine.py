"""A model of another architecture answers, through its own processor and `generate()`.

The same interface as `core.llava.engine`: it blocks, belongs to the thread that opened it, and is
stopped by an event. What such a model cannot do is in its `facts.missing`, with the reason.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Generator, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from typing import Any

import torch
from transformers import (
    GenerationConfig,
    LogitsProcessorList,
    RepetitionPenaltyLogitsProcessor,
    StoppingCriteriaList,
)

from core.chat.model import render
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
from core.transcript import Answer, Ending, Request, Sampling, Turn

_CHOOSE_LLAVA = "Choose LLaVA-1.5 for it."
MISSING = {
    Capability.EVIDENCE: Missing(
        "What its words rest on can be asked of LLaVA-1.5 alone.", _CHOOSE_LLAVA
    ),
    Capability.SLOTS: Missing(
        "Pictures are looked at in groups, each as long as its longest answer."
    ),
    Capability.TRACE: Missing("The pipeline's trace is that of LLaVA-1.5.", _CHOOSE_LLAVA),
}
"""What this kind of engine lacks."""

_WORD_JOINER = "\N{WORD JOINER}"


class ChatEngine:
    """A model that transformers runs, on its device; `facts` tell which and where."""

    def __init__(self, model: Any, processor: Any, facts: EngineFacts, *, end_ids: Sequence[int]):
        self.facts = replace(facts, missing=MISSING)
        self._model = model
        self._processor = processor
        self._end_ids = frozenset(end_ids)
        tokenizer = processor.tokenizer
        # Answers are written behind the prompts, so short prompts are filled up in front.
        tokenizer.padding_side = "left"
        if tokenizer.pad_token_id is None:
            tokenizer.pad_token = tokenizer.eos_token
        self._words = _Words(tokenizer)
        self._vocabulary: list[bytes] | None = None
        self._marks = [text for text in tokenizer.all_special_tokens if len(text) > 1]
        # What generation needs is passed with each answer; a checkpoint's own settings, with
        # their temperatures and lengths, do not count.
        model.generation_config = GenerationConfig()

    def answer(
        self, request: Request, on_piece: Callable[[str], None], stop: threading.Event
    ) -> Answer:
        """Answer the last turn; `on_piece` gets the text in this thread as it comes.

        The pieces put together are the answer's text. Raises PromptError, OutOfMemory, and
        EngineError when the model or its device failed; the engine can be asked again.
        """
        started = time.perf_counter()
        seed = seed_of(request.sampling)
        if stop.is_set():
            return Answer("", Ending.STOPPED, 0, 0.0, seed=seed)
        asked = self._prepared(request)
        streamer = Pieces(self._words)
        run = Run(partial(self._one, asked, request.sampling, seed, streamer), streamer, stop)
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
        if run.failure is not None:
            raise self._failed(run.failure) from run.failure
        answer = self._told(asked, run.ids, seed, started, first)
        if request.sampling.beams > 1 and answer.text:
            # Beams know what they say only at the end.
            on_piece(answer.text)
        return answer

    def answer_all(
        self,
        requests: Iterable[Request],
        stop: threading.Event,
        *,
        slots: int = 8,
        on_piece: Callable[[Request, str], None] | None = None,
    ) -> Generator[tuple[Request, Answer]]:
        """Answer many requests, `slots` at once, and yield them as they end.

        Greedy ones with the same sampling go through `generate()` together; the others one by
        one, as their random numbers are their own. Once `stop` is set those under way end and no
        further one begins. Raises as `answer` does, and then leaves the others. `on_piece` gets
        the text of each in this thread as it comes, a few times a second.
        """
        waiting = iter(requests)
        while not stop.is_set() and (group := list(islice(waiting, max(1, slots)))):
            while group:
                sampling = group[0].sampling
                together = [one for one in group if one.sampling == sampling]
                if sampling.temperature > 0 or sampling.beams > 1 or len(together) == 1:
                    together = group[:1]
                    if not stop.is_set():
                        hear = partial(on_piece, group[0]) if on_piece else _ignore
                        yield group[0], self.answer(group[0], hear, stop)
                else:
                    yield from self._together(together, stop, on_piece)
                group = [one for one in group if all(one is not other for other in together)]

    def by_generate(self) -> ChatEngine:
        """Itself: it knows no other way."""
        return self

    @property
    def bytes_per_token(self) -> int:
        """How much of the weights is read for each token: all that is not the vision tower's."""
        language = [
            tensor
            for name, tensor in (*self._model.named_parameters(), *self._model.named_buffers())
            if not any(part in name for part in ("vision", "visual", "embed_tokens"))
        ]
        return sum(tensor.nbytes for tensor in language)

    def close(self) -> None:
        """Let go of the weights and their memory; the engine answers no more."""
        del self._model
        release_memory()

    # ---- the stages of an answer

    def _prepared(self, request: Request) -> _Asked:
        """The inputs; the oldest pairs after the first are left out when the turns are too long."""
        turns = request.turns
        if not turns:
            raise PromptError("Nothing was asked. Type a question about the picture.")
        if 1 + len(request.others) > self.facts.most_pictures:
            most = self.facts.most_pictures
            raise PromptError(
                f"This model looks at {most} picture{'s' if most > 1 else ''} at a time, not at "
                f"{1 + len(request.others)}. Choose fewer."
            )
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
                return _Asked(prompt, inputs, length, most, left_out)
        raise PromptError(
            f"Question and picture take {length} tokens, and the model reads {context} at a time. "
            "Shorten the question, or choose a smaller picture."
        )

    def _prompt(self, turns: Sequence[Turn], pictures: int) -> str:
        messages: list[dict[str, Any]] = []
        for number, turn in enumerate(turns):
            images = [{"type": "image"}] * pictures if number == 0 else []
            words = {"type": "text", "text": self._harmless(turn.prompt)}
            messages.append({"role": "user", "content": [*images, words]})
            if turn.answer is not None:
                said = {"type": "text", "text": self._harmless(turn.answer)}
                messages.append({"role": "assistant", "content": [said]})
        return render(self._processor, messages)

    def _harmless(self, text: str) -> str:
        """What a person types stays text, even where it looks like one of the model's marks."""
        for mark in self._marks:
            if mark in text:
                text = text.replace(mark, mark[0] + _WORD_JOINER + mark[1:])
        return text

    def _inputs(self, prompts: list[str], pictures: list[list[Any]]) -> dict[str, torch.Tensor]:
        begin = self._processor.tokenizer.bos_token
        is_begun = bool(begin) and prompts[0].startswith(begin)
        try:
            inputs = self._processor(
                text=prompts,
                images=pictures,
                padding=True,
                return_tensors="pt",
                add_special_tokens=not is_begun,
            )
        except (ValueError, TypeError, IndexError, KeyError) as error:
            raise EngineError(
                f"The model's image processor does not take this picture ({error}). Try another "
                "picture or another model."
            ) from error
        device, dtype = self._model.device, self._model.dtype
        return {
            name: tensor.to(device, dtype if tensor.is_floating_point() else tensor.dtype)
            for name, tensor in inputs.items()
            if isinstance(tensor, torch.Tensor)
        }

    def _one(
        self,
        asked: _Asked,
        sampling: Sampling,
        seed: int | None,
        streamer: Pieces,
        is_over: Callable[[], bool],
    ) -> list[int]:
        hears = streamer if sampling.beams == 1 else None
        with seeded(seed, self._model.device):
            return self._generate(asked.inputs, sampling, asked.max_new_tokens, is_over, hears)[0]

    @torch.inference_mode()
    def _generate(
        self,
        inputs: dict[str, torch.Tensor],
        sampling: Sampling,
        max_new_tokens: int,
        is_over: Callable[[], bool],
        streamer: Pieces | _Rows | None = None,
    ) -> list[list[int]]:
        """The new ids of each row, up to the ends that all share."""
        length = inputs["input_ids"].shape[1]
        processors = LogitsProcessorList()
        if sampling.repetition_penalty != 1:
            # Only what was said in this answer is a repetition.
            processors.append(
                RepetitionPenaltyLogitsProcessor(
                    sampling.repetition_penalty, prompt_ignore_length=length
                )
            )
        if banned := self._banned(sampling.banned_words, length):
            processors.append(banned)
        settings = GenerationConfig(
            max_new_tokens=max_new_tokens,
            num_beams=sampling.beams,
            eos_token_id=sorted(self._end_ids) or None,
            pad_token_id=self._processor.tokenizer.pad_token_id,
            use_cache=True,
            **choosing(sampling),
        )
        output = self._model.generate(
            **inputs,
            generation_config=settings,
            logits_processor=processors,
            stopping_criteria=StoppingCriteriaList([Stop(is_over)]),
            streamer=streamer,
        )
        return output[:, length:].tolist()

    def _banned(self, words: tuple[str, ...], prompt_length: int) -> BannedWords | None:
        if not words:
            return None
        if self._vocabulary is None:
            tokenizer = self._processor.tokenizer
            pieces = tokenizer.convert_ids_to_tokens(list(range(len(tokenizer))))
            self._vocabulary = vocabulary_bytes(pieces)
        return BannedWords(words, self._vocabulary, prompt_length)

    def _together(
        self,
        requests: list[Request],
        stop: threading.Event,
        on_piece: Callable[[Request, str], None] | None,
    ) -> Generator[tuple[Request, Answer]]:
        started = time.perf_counter()
        asked = [self._prepared(request) for request in requests]
        most = min(one.max_new_tokens for one in asked)
        firsts: list[float] = []
        voices = Voices(self._words, on_piece) if on_piece else None
        rows_heard = _Rows([voices.of(r) for r in requests], self._end_ids) if voices else None

        def is_over() -> bool:
            firsts.append(time.perf_counter() - started)
            return stop.is_set() or (voices is not None and voices.failure is not None)

        try:
            inputs = self._inputs([one.prompt for one in asked], [_pixels(r) for r in requests])
            rows = self._generate(inputs, requests[0].sampling, most, is_over, rows_heard)
        except AppError:
            raise
        except Exception as failure:
            raise self._failed(failure) from failure
        if voices and voices.failure is not None:
            raise voices.failure
        for request, one, ids in zip(requests, asked, rows, strict=True):
            yield request, self._told(one, ids, None, started, firsts[0] if firsts else None)

    def _told(
        self,
        asked: _Asked,
        ids: list[int],
        seed: int | None,
        started: float,
        first: float | None,
    ) -> Answer:
        ends = [place for place, number in enumerate(ids) if number in self._end_ids]
        said = ids[: ends[0]] if ends else ids
        if ends:
            ending = Ending.COMPLETE
        else:
            ending = Ending.LENGTH if len(ids) >= asked.max_new_tokens else Ending.STOPPED
        seconds = time.perf_counter() - started
        return Answer(
            text=self._words.decode(said).strip(),
            ending=ending,
            tokens=len(said),
            seconds=seconds,
            seconds_to_first_token=seconds if first is None else first,
            input_tokens=asked.length,
            output_ids=tuple(said),
            left_out=asked.left_out,
            seed=seed,
        )

    def _failed(self, failure: BaseException) -> AppError:
        """What to say of a failure of the model, whose memory is given back."""
        return failed(failure, self._model.device, self.facts.dtype)


def _ignore(piece: str) -> None:
    """Hears the pieces of an answer that is wanted whole."""


def _pixels(request: Request) -> list[Any]:
    return [request.picture.pixels, *(other.pixels for other in request.others)]


@dataclass(frozen=True, eq=False)
class _Asked:
    """A request made ready: `length` positions of prompt, and how many may follow."""

    prompt: str
    inputs: dict[str, torch.Tensor]
    length: int
    max_new_tokens: int
    left_out: int


class _Rows:
    """What `generate()` says in several rows at once, heard row by row up to their ends."""

    def __init__(self, voices: Sequence[Voice], end_ids: Collection[int]):
        self._voices: list[Voice | None] = list(voices)
        self._end_ids = end_ids

    def put(self, value: torch.Tensor) -> None:
        if value.dim() > 1:  # The prompts.
            return
        for row, token in enumerate(value.tolist()):
            voice = self._voices[row]
            if voice is None:
                continue
            if token in self._end_ids:
                voice.end()
                self._voices[row] = None
            else:
                voice.hear(token)

    def end(self) -> None:
        for voice in filter(None, self._voices):
            voice.end()


class _Words:
    """Ids become text without the tokenizer's own marks."""

    def __init__(self, tokenizer: Any):
        self._tokenizer = tokenizer

    def decode(self, ids: list[int]) -> str:
        return str(self._tokenizer.decode(ids, skip_special_tokens=True))
