"""One `generate()` of transformers: in a thread of its own, heard piece by piece, stopped early."""

from __future__ import annotations

import gc
import secrets
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import torch
from transformers import StoppingCriteria, TextIteratorStreamer

from core.device.choice import is_out_of_memory, lower_precision, out_of_memory
from core.errors import AppError, EngineError
from core.transcript import Precision, Request, Sampling

# How often an answer among many is told on, and how long the loop has in between.
_SAID_SECONDS = 0.1
_BETWEEN_SECONDS = 0.006


class Words(Protocol):
    """What turns ids into text."""

    def decode(self, ids: list[int]) -> str: ...


def choosing(sampling: Sampling) -> dict[str, Any]:
    """How words are chosen, as `GenerationConfig` wants it; the repetition penalty excepted."""
    if sampling.temperature <= 0:
        return {"do_sample": False}
    return {
        "do_sample": True,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "top_k": sampling.top_k,
    }


def seed_of(sampling: Sampling) -> int | None:
    """The seed to use; None when nothing is drawn."""
    if sampling.temperature <= 0:
        return None
    return secrets.randbits(31) if sampling.seed is None else sampling.seed


@contextmanager
def seeded(seed: int | None, device: torch.device) -> Iterator[None]:
    """Within, the random numbers of `seed`; after, those that would have come without.

    `generate()` draws from the generator of the whole process, and takes no other.
    """
    if seed is None:
        yield
        return
    with torch.random.fork_rng(devices=[device.index or 0] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        yield


class Run(threading.Thread):
    """One `generate()`; its failure is kept for the one who waits."""

    def __init__(
        self,
        generate: Callable[[Callable[[], bool]], list[int]],
        streamer: TextIteratorStreamer,
        stop: threading.Event,
    ):
        super().__init__(name="generate", daemon=True)
        self._generate = generate
        self._streamer = streamer
        self._asked_to_stop = stop
        self._is_abandoned = False
        self.ids: list[int] = []
        self.failure: BaseException | None = None

    def abandon(self) -> None:
        """End because nobody listens any more."""
        self._is_abandoned = True

    def _is_over(self) -> bool:
        return self._asked_to_stop.is_set() or self._is_abandoned

    def run(self) -> None:
        try:
            self.ids = self._generate(self._is_over)
        except BaseException as failure:
            self.failure = failure
        finally:
            # generate() ends the stream only when it succeeds, and with beams has none; without
            # this the reader waits for ever.
            self._streamer.text_queue.put(self._streamer.stop_signal)


class Stop(StoppingCriteria):
    """Polled once a token."""

    def __init__(self, is_over: Callable[[], bool]):
        self._is_over = is_over

    def __call__(
        self, input_ids: torch.LongTensor, scores: torch.FloatTensor, **_: Any
    ) -> torch.BoolTensor:
        count, device = input_ids.shape[0], input_ids.device
        return torch.full((count,), self._is_over(), device=device)  # type: ignore[return-value]


class Pieces(TextIteratorStreamer):
    """The answer's text as it comes: one item a token, often empty; together the stripped text.

    The class above holds words back until a blank follows, which languages without blanks never
    write, and loses the blank at the beginning of a line. Here all text is said that no later
    token can change: not the bytes of half a character, nor blanks that may be the last.
    """

    def __init__(self, words: Words):
        super().__init__(words)  # type: ignore[arg-type]
        self._said = 0

    def put(self, value: torch.Tensor) -> None:
        if value.dim() > 1:  # The prompt; a token of the answer has one dimension.
            return
        self.token_cache.extend(value.tolist())
        whole = self._text().rstrip("\N{REPLACEMENT CHARACTER}").rstrip()
        self._say(whole)

    def end(self) -> None:
        self._say(self._text())

    def _text(self) -> str:
        return str(self.tokenizer.decode(self.token_cache)).strip()

    def _say(self, text: str) -> None:
        self.text_queue.put(text[self._said :])
        self._said = max(self._said, len(text))


class Voices:
    """The pieces of many answers that come at once. Use it in one thread.

    Each is said some times a second, all together not much oftener than 1 / `_BETWEEN_SECONDS`:
    to spell out every token of 64 answers would hold up the card that they come from.
    """

    def __init__(self, words: Words, on_piece: Callable[[Request, str], None]):
        self.words, self.on_piece = words, on_piece
        self.failure: Exception | None = None
        """What `on_piece` has raised; from then on nothing is said."""
        self.speaking = 0

    def of(self, request: Request) -> Voice:
        """That of an answer that begins."""
        self.speaking += 1
        return Voice(self, request)


class Voice:
    """One answer of several; the pieces put together are its text."""

    def __init__(self, voices: Voices, request: Request):
        self._voices, self._request = voices, request
        self._pieces = Pieces(voices.words)
        self._unsaid: list[int] = []
        self._next = 0.0

    def hear(self, token: int) -> None:
        """Take up one more id of the answer."""
        self._unsaid.append(token)
        now = time.perf_counter()
        if now >= self._next:
            self._next = now + max(_SAID_SECONDS, _BETWEEN_SECONDS * self._voices.speaking)
            self._pieces.put(torch.tensor(self._unsaid))
            self._unsaid.clear()
            self._say()

    def end(self) -> None:
        """Say what is left."""
        self._voices.speaking -= 1
        self._pieces.token_cache += self._unsaid
        self._pieces.end()
        self._say()

    def _say(self) -> None:
        piece = self._pieces.text_queue.get_nowait()
        if not piece or self._voices.failure is not None:
            return
        try:
            self._voices.on_piece(self._request, piece)
        except Exception as failure:
            # The listener's, and not the model's.
            self._voices.failure = failure


def failed(failure: BaseException, device: torch.device, dtype: Precision) -> AppError:
    """What to say of a failure of the model on `device`, whose memory is given back.

    `dtype` is the one that the engine's facts tell.
    """
    # The frames of the failed run hold its tensors.
    traceback.clear_frames(failure.__traceback__)
    release_memory()
    if is_out_of_memory(failure):
        return out_of_memory(device, failure, lower_precision(dtype))
    return EngineError(
        f"The model failed while answering ({type(failure).__name__}). Ask again; if "
        "it fails again, load the model anew."
    )


def release_memory() -> None:
    """Gives back to the card what nobody holds any more."""
    gc.collect()
    if torch.cuda.is_initialized():
        torch.cuda.empty_cache()
