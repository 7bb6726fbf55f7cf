"""One answer on its way to a client: in a whole, or as a stream of events."""

from __future__ import annotations

import asyncio
from typing import Any

from starlette.responses import JSONResponse, Response
from starlette.types import Send

from core.errors import AppError, OutOfMemory, PromptError
from core.serve.chat import ChatRequest
from core.serve.engine_thread import Closing, Event, Failed, Finished, PendingRequest, Piece
from core.serve.replies import (
    END_OF_STREAM,
    Completion,
    error_object,
    event,
    finish_reason,
    logprobs,
)
from core.serve.stop_strings import StopStrings

_SEND_SECONDS = 60.0
_STREAM_HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache"),
    # Else nginx would collect the events.
    (b"x-accel-buffering", b"no"),
]


def error_response(
    status: int, message: str, *, param: str | None = None, code: str | None = None
) -> Response:
    """Returns an error as OpenAI's JSON."""
    kinds = {401: "authentication_error", 403: "permission_error", 404: "not_found_error"}
    usual = "server_error" if status >= 500 else "invalid_request_error"
    content = error_object(message, kinds.get(status, usual), param=param, code=code)
    return JSONResponse(content, status)


class Answering:
    """Turns what happens to a request into what its client is sent."""

    def __init__(self, asked: ChatRequest, pending: PendingRequest, model: str):
        self._asked, self._pending = asked, pending
        self._completion = Completion(model)
        self._stop_strings = StopStrings(asked.stop)
        self._text = ""

    async def response(self, send: Send) -> Response | None:
        """Returns the response; None if it was streamed.

        A stream begins with the first text, so that a request which is refused gets its status.
        """
        happened = await self._pending.next()
        if isinstance(happened, Failed):
            return _failure_response(happened.error)
        if self._asked.streams:
            await self._stream(happened, send)
            return None
        while isinstance(happened, Piece):
            self._add(happened)
            happened = await self._pending.next()
        if isinstance(happened, Failed):
            return _failure_response(happened.error)
        self._finish()
        ending = finish_reason(happened.answer)
        scores = logprobs(self._text, happened.evidence, self._asked.alternatives)
        whole = self._completion.whole(self._text, ending, happened.answer, scores)
        return JSONResponse(whole)

    async def _stream(self, happened: Event, send: Send) -> None:
        async def pass_on(data: bytes, *, is_last: bool = False) -> None:
            # A client that reads nothing must not keep its place.
            async with asyncio.timeout(_SEND_SECONDS):
                await send({"type": "http.response.body", "body": data, "more_body": not is_last})

        start: dict[str, Any] = {"type": "http.response.start", "status": 200}
        await send(start | {"headers": _STREAM_HEADERS})
        await pass_on(self._completion.chunk({"role": "assistant", "content": ""}))
        while isinstance(happened, Piece):
            if text := self._add(happened):
                await pass_on(self._completion.chunk({"content": text}))
            happened = await self._pending.next()
        match happened:
            case Failed(error):
                await pass_on(event(_failure_object(error)), is_last=True)
            case Finished():
                for data in self._ends(happened):
                    await pass_on(data)
                await pass_on(END_OF_STREAM, is_last=True)

    def _ends(self, finished: Finished) -> list[bytes]:
        """The events behind the text. All log probabilities come together: they are computed once
        the answer is complete."""
        events: list[bytes] = []
        if rest := self._finish():
            events.append(self._completion.chunk({"content": rest}))
        if finished.evidence is not None:
            scores = logprobs(self._text, finished.evidence, self._asked.alternatives)
            events.append(self._completion.chunk({"content": ""}, scores=scores))
        events.append(self._completion.chunk({}, finish_reason(finished.answer)))
        if self._asked.wants_usage:
            events.append(self._completion.usage(finished.answer))
        return events

    def _add(self, piece: Piece) -> str:
        """Takes a piece; returns the text to pass on. Ends the answer at a stop string."""
        text = self._stop_strings.add(piece.text)
        if self._stop_strings.is_found:
            self._pending.stop()
        self._text += text
        return text

    def _finish(self) -> str:
        """Returns the rest of the text."""
        rest = self._stop_strings.end()
        self._text += rest
        return rest


def _failure_object(error: AppError) -> dict[str, Any]:
    return error_object(error.message, "server_error")


def _failure_response(error: AppError) -> Response:
    if isinstance(error, PromptError):
        return error_response(400, error.message, param="messages")
    return error_response(503 if isinstance(error, OutOfMemory | Closing) else 500, error.message)
