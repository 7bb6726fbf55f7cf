"""The text of answers while they are generated: token ids become pieces of text."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Protocol

import torch
from transformers import TextIteratorStreamer

from core.transcript import Request

OnPiece = Callable[[str], None]
OnPieceOf = Callable[[Request, str], None]

# How often the text of one answer among many is passed on, and the pause between two of them.
_PIECE_SECONDS = 0.1
_BETWEEN_SECONDS = 0.006


class TextDecoder(Protocol):
    """Turns token ids into text."""

    def decode(self, ids: list[int]) -> str:
        """Returns the text of the ids without special tokens."""
        ...


class PieceStreamer(TextIteratorStreamer):
    """The text of an answer as it is generated: one piece a token, often an empty one. The pieces
    joined are the decoded text without blanks at either end.

    The base class holds words back until a blank follows, which languages without blanks never
    write, and loses the blank at the beginning of a line. This one passes on all text that no
    later token can change: neither the bytes of half a character, nor blanks that may be the
    last.
    """

    def __init__(self, decoder: TextDecoder):
        # The base class wants a whole tokenizer, of which it uses `decode` alone.
        tokenizer: Any = decoder
        super().__init__(tokenizer)
        self._passed_on = 0

    def put(self, value: torch.Tensor) -> None:
        """Takes ids of the answer, (tokens,); `generate()` also passes the prompt, (1, tokens)."""
        if value.dim() > 1:
            return
        self.token_cache.extend(value.tolist())
        whole = self._text().rstrip("\N{REPLACEMENT CHARACTER}").rstrip()
        self._pass_on(whole)

    def end(self) -> None:
        """Passes on what was held back."""
        self._pass_on(self._text())

    def _text(self) -> str:
        return str(self.tokenizer.decode(self.token_cache)).strip()

    def _pass_on(self, text: str) -> None:
        self.text_queue.put(text[self._passed_on :])
        self._passed_on = max(self._passed_on, len(text))


class StreamedAnswers:
    """The text of answers that are generated at the same time. Use it in one thread.

    Each answer's text is passed on a few times a second, and that of all not much more often
    than every `_BETWEEN_SECONDS`: decoding every token of 64 answers would hold up the GPU.
    """

    def __init__(self, decoder: TextDecoder, on_piece: OnPieceOf):
        self.decoder, self.on_piece = decoder, on_piece
        self.failure: Exception | None = None
        """What `on_piece` raised; nothing is passed on after it."""
        self.count = 0
        """How many are being generated."""

    @property
    def seconds_between_pieces(self) -> float:
        """How long one answer waits from one piece to the next."""
        return max(_PIECE_SECONDS, _BETWEEN_SECONDS * self.count)

    def begin(self, request: Request) -> StreamedAnswer:
        """Returns the stream of an answer that begins."""
        self.count += 1
        return StreamedAnswer(self, request)


class StreamedAnswer:
    """The stream of one answer; its pieces joined are the answer's text."""

    def __init__(self, answers: StreamedAnswers, request: Request):
        self._answers, self._request = answers, request
        self._streamer = PieceStreamer(answers.decoder)
        self._pending: list[int] = []
        self._next = 0.0

    def add(self, token: int) -> None:
        """Takes the next id of the answer; the text is passed on when it is time."""
        self._pending.append(token)
        now = time.perf_counter()
        if now >= self._next:
            self._next = now + self._answers.seconds_between_pieces
            self._streamer.put(torch.tensor(self._pending))
            self._pending.clear()
            self._pass_on()

    def end(self) -> None:
        """Passes on the rest."""
        self._answers.count -= 1
        self._streamer.token_cache += self._pending
        self._streamer.end()
        self._pass_on()

    def _pass_on(self) -> None:
        piece = self._streamer.text_queue.get_nowait()
        if not piece or self._answers.failure is not None:
            return
        try:
            self._answers.on_piece(self._request, piece)
        except Exception as failure:
            # The listener failed, and not the model: the engine raises it as it is.
            self._answers.failure = failure


class UnthrottledAnswers(StreamedAnswers):
    """The text of a single answer, which is passed on with every token."""

    def __init__(self, decoder: TextDecoder, on_piece: OnPiece):
        super().__init__(decoder, lambda _, piece: on_piece(piece))

    @property
    def seconds_between_pieces(self) -> float:
        """None: each piece is passed on at once."""
        return 0.0
