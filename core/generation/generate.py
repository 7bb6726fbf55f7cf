"""One `generate()` of transformers: in a thread of its own, streamed, and stopped early."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import torch
from transformers import StoppingCriteria, StoppingCriteriaList

from core.generation.pending import PendingAnswer
from core.generation.sampling import FiniteScores
from core.generation.streaming import OnPiece, PieceStreamer, TextDecoder

IsOver = Callable[[], bool]
Generate = Callable[[PieceStreamer, IsOver], list[int]]
"""Runs `generate()` with a streamer and a stopping criterion; returns the new ids."""


class GenerateFailed(Exception):
    """`generate()` raised `failure`."""

    def __init__(self, failure: BaseException):
        super().__init__(str(failure))
        self.failure = failure


def generate_in_thread(
    generate: Generate,
    decoder: TextDecoder,
    pending: PendingAnswer,
    on_piece: OnPiece,
    stop: threading.Event,
) -> list[int]:
    """Runs `generate` in a thread, calls `on_piece` in this one, and returns the new ids.

    Notes the time of the first token in `pending`. Raises GenerateFailed, and what `on_piece`
    raised; the thread has ended either way.
    """
    streamer = PieceStreamer(decoder)
    thread = _GenerateThread(generate, streamer, stop)
    thread.start()
    try:
        for piece in streamer:
            pending.note_token()
            if piece:
                on_piece(piece)
    except BaseException:
        thread.abandon()
        raise
    finally:
        thread.join()
    if thread.failure is not None:
        raise GenerateFailed(thread.failure)
    return thread.ids


def stopping(is_over: IsOver, finite: FiniteScores) -> StoppingCriteriaList:
    """Returns the criterion for `generate()` that asks `is_over` once a token.

    It also raises what `finite` has found: `generate()` waits for the device here anyway.
    """
    return StoppingCriteriaList([_StopWhenOver(is_over, finite)])


class _GenerateThread(threading.Thread):
    def __init__(self, generate: Generate, streamer: PieceStreamer, stop: threading.Event):
        super().__init__(name="generate", daemon=True)
        self._generate = generate
        self._streamer = streamer
        self._stop_requested = stop
        self._is_abandoned = False
        self.ids: list[int] = []
        self.failure: BaseException | None = None

    def abandon(self) -> None:
        """Ends after the current token, since nobody reads any more."""
        self._is_abandoned = True

    def _is_over(self) -> bool:
        return self._stop_requested.is_set() or self._is_abandoned

    def run(self) -> None:
        try:
            self.ids = self._generate(self._streamer, self._is_over)
        except BaseException as failure:
            self.failure = failure
        finally:
            # generate() ends the stream only if it succeeds, and uses none with beams; without
            # this the reader would wait for ever.
            self._streamer.text_queue.put(self._streamer.stop_signal)


class _StopWhenOver(StoppingCriteria):
    def __init__(self, is_over: IsOver, finite: FiniteScores):
        self._is_over, self._finite = is_over, finite

    def __call__(
        self, input_ids: torch.LongTensor, scores: torch.FloatTensor, **_: Any
    ) -> torch.BoolTensor:
        """Returns bool (rows,), the same for all."""
        self._finite.check()
        # The base class declares a BoolTensor, and torch.full a Tensor.
        is_over: Any = torch.full((input_ids.shape[0],), self._is_over(), device=input_ids.device)
        return is_over
