"""One server: asks it which models it has, and streams answers from it."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from core.errors import ServerError, ServerFault
from core.model_reference import host_of
from core.picture import USUAL_SENDING, Sending, is_encoded
from core.remote import fault, question
from core.remote.connections import Connections
from core.remote.event_stream import BrokenStream, EventStream
from core.remote.refused_fields import RefusedFields
from core.remote.scores import WANTED, scores_in
from core.remote.sent_picture import LEAST_SIDE, PLACE, data_url, json_with
from core.transcript import Request, TokenScore, Turn
from core.transfer.network import connection_failures

_LARGEST_LISTING = 4_000_000
_LARGEST_COMPLAINT = 100_000
_LONGEST_ANSWER = 1_000_000
_UNPROCESSABLE = 422
_SECONDS_FOR_THE_REST = 0.5
# OpenAI forbids (403) probabilities for some of its models.
_MAY_MIND_A_FIELD = {ServerFault.REQUEST, ServerFault.FORBIDDEN}


@dataclass(frozen=True)
class Timing:
    """How long to wait. `silent_seconds` is how long a server may send nothing: its first token
    can take minutes on a processor, or while it loads the model."""

    connect_seconds: float = 10.0
    silent_seconds: float = 180.0
    listing_seconds: float = 20.0


USUAL_TIMING = Timing()


@dataclass
class Reply:
    """What came of an answer so far. `finish` is the server's reason for the end, "" before it."""

    text: str = ""
    finish: str = ""
    chunks: int = 0
    tokens: int | None = None
    input_tokens: int = 0
    first_seconds: float | None = None
    left_out: int = 0
    scores: list[TokenScore] = field(default_factory=list[TokenScore])
    sending: Sending | None = None
    """How the pictures were sent."""


OnPiece = Callable[[str, Reply], None]
"""Gets the next text of an answer, and what has come of it so far, that text among it."""

_Send = Callable[[Mapping[str, Any]], Awaitable[Reply]]


class Server:
    """A server with OpenAI's API at `address`. Belongs to one event loop.

    `model` is the id to ask for, `key` is sent to this address and nowhere else.
    """

    def __init__(
        self,
        address: str,
        model: str,
        key: str = "",
        *,
        sending: Sending = USUAL_SENDING,
        timing: Timing = USUAL_TIMING,
    ):
        self.address, self.model = address, model
        self.host = host_of(address)
        self.refused = RefusedFields()
        self.gives_scores: bool | None = None
        """Whether its answers say how sure the model is; None before the first that was to."""
        self._key, self._timing, self._sending = key, timing, sending
        self._connections = Connections(address, key, timing.connect_seconds)

    async def models(self) -> list[str]:
        """Returns the ids of the server's models. Raises ServerError."""
        async with self._connections.answer(
            "GET", "/v1/models", None, self._timing.listing_seconds
        ) as response:
            body = await _read(response, _LARGEST_LISTING)
        if response.status_code in (404, 405, 501):
            raise fault.no_api(self.address)
        self._require_success(response, body)
        try:
            listed = json.loads(body)["data"]
            return [str(one["id"]) for one in listed]
        except (ValueError, KeyError, TypeError, RecursionError):
            raise fault.no_api(self.address) from None

    async def ask(
        self,
        request: Request,
        on_piece: OnPiece,
        *,
        extra: Mapping[str, Any] | None = None,
        wanted_scores: Mapping[str, Any] | None = None,
    ) -> Reply:
        """Answers the last turn of a request; `on_piece` gets the text as it comes.

        The fields `wanted_scores` ask how sure the model is of each token; they are left out where
        the server does not say that.
        What the server refuses is left out: fields, too large an image, the oldest turns of too
        long a conversation. Raises ServerError.
        """
        turns, left_out = request.turns, 0
        extra = dict(extra or {})
        if wanted_scores and self.gives_scores is not False:
            extra |= wanted_scores
        while True:
            try:
                reply = await self._ask_smaller(request, turns, on_piece, extra)
                reply.left_out = left_out
                return reply
            except ServerError as error:
                if len(turns) == 1 or not fault.is_about_length(error):
                    raise
                turns = (turns[0], *turns[2:]) if len(turns) > 2 else turns[-1:]
                left_out += 1

    async def close(self) -> None:
        """Closes all connections."""
        await self._connections.close()

    async def _ask_smaller(
        self,
        request: Request,
        turns: tuple[Turn, ...],
        on_piece: OnPiece,
        extra: Mapping[str, Any],
    ) -> Reply:
        """Asks again with a smaller image where the server refuses its size, and remembers that."""
        while True:
            sending = self._sending
            urls = await self._urls(request, sending)
            body = {
                "model": self.model,
                "messages": question.messages(request, [PLACE] * len(urls), turns),
                **question.fields(request),
                **extra,
            }
            try:
                reply = await self._ask_with_fields(
                    body, partial(self._stream, urls=urls, on_piece=on_piece)
                )
                reply.sending = sending
                return reply
            except ServerError as error:
                largest = max(
                    max(picture.pixels.size) for picture in (request.picture, *request.others)
                )
                sent = min(sending.longest_side, largest)
                if error.fault is not ServerFault.TOO_LARGE or sent <= LEAST_SIDE:
                    raise
                if self._sending.longest_side >= sent:
                    self._sending = replace(self._sending, longest_side=max(LEAST_SIDE, sent // 2))

    async def _urls(self, request: Request, sending: Sending) -> list[bytes]:
        loop = asyncio.get_running_loop()
        pictures = (request.picture, *request.others)
        return [
            data_url(picture, sending)
            if is_encoded(picture, sending)
            else await loop.run_in_executor(None, data_url, picture, sending)
            for picture in pictures
        ]

    async def _ask_with_fields(self, body: dict[str, Any], send: _Send) -> Reply:
        """Leaves out the fields that the server refuses, and learns which they are."""
        while True:
            sent = self.refused.without(body)
            try:
                reply = await send(sent)
                if reply.text and WANTED.keys() & sent.keys():
                    self.gives_scores = bool(self.gives_scores or reply.scores)
                return reply
            except ServerError as error:
                if error.fault in _MAY_MIND_A_FIELD and self.refused.learn(sent, str(error)):
                    continue
                if scores := self._suspected(sent, error):
                    reply = await self._without(sent, scores, send, error)
                    self.refused.names |= scores
                    return reply
                if error.fault is not ServerFault.REQUEST:
                    raise
                optional = [name for name in self.refused.optional(sent) if name != "max_tokens"]
                if error.status != _UNPROCESSABLE or not optional:
                    raise
                # It does not say which field it minds: it may be any of them.
                reply = await self._without(sent, optional, send, error)
                self.refused.names |= set(optional)
                return reply

    def _suspected(self, sent: Mapping[str, Any], error: ServerError) -> set[str]:
        """Returns the fields that ask for probabilities if they may be what made a server fail that
        was never asked for them. Not all say that they do not know them."""
        may_be = error.fault in _MAY_MIND_A_FIELD | {ServerFault.FAILED} and error.status
        is_new = self.gives_scores is None
        return WANTED.keys() & sent.keys() if may_be and is_new else set()

    async def _without(
        self, sent: dict[str, Any], names: Collection[str], send: _Send, first: ServerError
    ) -> Reply:
        try:
            return await send({name: value for name, value in sent.items() if name not in names})
        except ServerError as error:
            if error.fault is ServerFault.REQUEST:
                raise first from error
            raise

    async def _stream(
        self, body: Mapping[str, Any], urls: Sequence[bytes], on_piece: OnPiece
    ) -> Reply:
        began = time.perf_counter()
        content = json_with(urls, body)
        reply = Reply()
        async with self._connections.answer(
            "POST", "/v1/chat/completions", content, self._timing.silent_seconds
        ) as response:
            if response.status_code != 200:
                self._require_success(response, await _read(response, _LARGEST_COMPLAINT))
            if "json" in response.headers.get("content-type", ""):
                # It does not stream.
                whole = (await _read(response, _LONGEST_ANSWER)).decode(errors="replace")
                self._take(whole, reply, on_piece, began)
                return reply
            try:
                is_complete = await self._take_events(response, reply, on_piece, began)
            except BrokenStream:
                raise fault.garbage(self.address) from None
        if not is_complete:
            raise fault.no_end(self.address)
        return reply

    async def _take_events(
        self, response: Any, reply: Reply, on_piece: OnPiece, began: float
    ) -> bool:
        """Returns whether the stream said that the answer is complete."""
        events, blocks = EventStream(), response.aiter_bytes()
        async for block in blocks:
            for data in events.feed(block):
                if data == "[DONE]":
                    await _read_rest(blocks)
                    return True
                self._take(data, reply, on_piece, began)
        for data in events.end():
            if data != "[DONE]":
                self._take(data, reply, on_piece, began)
        # `transformers serve` ends without a mark, but gives the reason for the end.
        return bool(reply.finish)

    def _take(self, data: str, reply: Reply, on_piece: OnPiece, began: float) -> None:
        """Adds one chunk of the stream to the reply. Raises ServerError, BrokenStream."""
        try:
            chunk = json.loads(data)
            if chunk.get("error"):
                raise fault.failed_while_answering(self.address, chunk["error"], self._key)
            usage = chunk.get("usage") or {}
            reply.tokens = usage.get("completion_tokens", reply.tokens)
            reply.input_tokens = int(usage.get("prompt_tokens") or reply.input_tokens)
            choices = chunk.get("choices") or []
            if not choices and not usage and "choices" not in chunk:
                raise BrokenStream(data[:80])
            choice = choices[0] if choices else {}
            said = choice.get("delta") or choice.get("message") or {}
            piece = said.get("content") or ""
            reply.finish = choice.get("finish_reason") or reply.finish
            reply.scores += scores_in(choice)
        except (ValueError, AttributeError, KeyError, IndexError, TypeError, RecursionError):
            raise BrokenStream(data[:80]) from None
        if not isinstance(piece, str) or len(reply.text) + len(piece) > _LONGEST_ANSWER:
            raise BrokenStream("no text, or no end of it")
        if piece:
            if reply.first_seconds is None:
                reply.first_seconds = time.perf_counter() - began
            reply.chunks += 1
            reply.text += piece
            on_piece(piece, reply)

    def _require_success(self, response: Any, body: bytes) -> None:
        if response.status_code != 200:
            raise fault.status_fault(
                self.address, self.model, response.status_code, response.headers, body, self._key
            )


async def _read_rest(blocks: AsyncIterator[bytes]) -> None:
    """Reads what follows the answer, if it comes at once: the connection can then be used again."""
    with suppress(TimeoutError, connection_failures()):
        async with asyncio.timeout(_SECONDS_FOR_THE_REST):
            async for _ in blocks:
                pass


async def _read(response: Any, most: int) -> bytes:
    read = bytearray()
    async for block in response.aiter_bytes():
        read += block
        if len(read) > most:
            break
    return bytes(read)
