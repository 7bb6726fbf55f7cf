"""The web application: OpenAI's chat completions and list of models, and the server's health."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import time
from collections.abc import AsyncGenerator, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from typing import TypeVar

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from core.batch import openers_for, yield_to_model
from core.engine import Capability, EngineFacts
from core.picture import Picture
from core.serve.answering import Answering, error_response
from core.serve.chat import ChatRequest, Refused, read_chat_request
from core.serve.engine_thread import EngineThread, Full, PendingRequest
from core.serve.key import is_key
from core.serve.pictures import open_pictures
from core.serve.replies import models_object
from core.transcript import Request as EngineRequest

log = logging.getLogger(__name__)

_BODY_SECONDS = 60.0
# All bodies in memory are no larger than so many of the largest.
_BODIES_AT_ONCE, _BUSY_SECONDS = 6, 2

_T = TypeVar("_T")


@dataclass(frozen=True)
class Rules:
    """Who may ask, and how much. An empty `key` lets everybody ask.

    With `is_local` a request must name this computer as itself: a web page could have another name
    lead here, and its scripts would then be let in by the browser.
    """

    key: str
    is_local: bool
    most_bytes: int


def make_application(
    thread: EngineThread, facts: EngineFacts, model: str, rules: Rules
) -> Starlette:
    """Returns the application that answers with the engine, under the name `model`."""
    admission = _Admission(rules)
    models = _Models(admission, model, facts.context_length)
    return Starlette(
        routes=[
            Route("/health", _health),
            Route("/v1/models", models.list),
            Route("/v1/models/{name:path}", models.one),
            Route("/v1/chat/completions", _Chat(admission, thread, facts, model), methods=["POST"]),
        ],
        exception_handlers={HTTPException: _http_error, Exception: _unforeseen},
    )


async def _health(_: Request) -> Response:
    return JSONResponse({"status": "ok"})


async def _http_error(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    message = {
        404: f"There is no {request.url.path[:200]} here. See /v1/models, /v1/chat/completions.",
        405: f"{request.method} is not for {request.url.path[:200]}.",
    }
    return error_response(status, message.get(status, "The request cannot be answered."))


async def _unforeseen(request: Request, error: Exception) -> Response:
    log.error("%s failed", request.url.path, exc_info=error)
    return error_response(500, f"The server failed ({type(error).__name__}). Ask again.")


class _Admission:
    """Who is let in, and how much they may bring."""

    def __init__(self, rules: Rules):
        self._rules = rules
        self._held = 0  # Bytes of all bodies that are in memory.

    def refusal(self, request: Request) -> Response | None:
        """Returns the answer to a request that is not let in."""
        rules = self._rules
        if rules.is_local and not _is_loopback(request.headers.get("host", "")):
            return error_response(403, "Ask this server as localhost.", code="wrong_host")
        if rules.key and not is_key(request.headers.get("authorization", ""), rules.key):
            message = "The key is missing or wrong. Send it as “Authorization: Bearer KEY”."
            return error_response(401, message, code="invalid_api_key")
        return None

    @asynccontextmanager
    async def body(self, request: Request) -> AsyncGenerator[bytes]:
        """Reads the body, which counts as long as the block lasts.

        Raises Refused, ClientDisconnect, and Full if all bodies together are too large.
        """
        body = bytearray()
        try:
            async with asyncio.timeout(_BODY_SECONDS):
                async for part in self._parts(request):
                    self._held += len(part)
                    body += part
            yield bytes(body)
        except TimeoutError as error:
            raise Refused(
                "The request did not arrive in time. Send it again.", status=408
            ) from error
        finally:
            self._held -= len(body)

    async def _parts(self, request: Request) -> AsyncGenerator[bytes]:
        most, size = self._rules.most_bytes, 0
        with suppress(ValueError):
            size = int(request.headers.get("content-length", "0"))
        refused = Refused(
            f"The request is larger than {most // 1_000_000} MB. Send smaller images.", status=413
        )
        if size > most:
            raise refused
        size = 0
        async for part in request.stream():
            size += len(part)
            if size > most:
                raise refused
            if self._held + len(part) > _BODIES_AT_ONCE * most:
                raise Full(_BUSY_SECONDS)
            yield part


def _is_loopback(host: str) -> bool:
    """Whether a Host header names this computer as itself."""
    name = host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name.lower() == "localhost"


class _Models:
    """The list of models, which has the one that is loaded."""

    def __init__(self, admission: _Admission, name: str, context_length: int):
        self._admission, self._name = admission, name
        self._listed = models_object(name, int(time.time()), context_length)

    async def list(self, request: Request) -> Response:
        """All models."""
        return self._admission.refusal(request) or JSONResponse(self._listed)

    async def one(self, request: Request) -> Response:
        """One of them."""
        if refusal := self._admission.refusal(request):
            return refusal
        name = request.path_params["name"]
        if name != self._name:
            return _refused(_unknown_model(name, self._name))
        return JSONResponse(self._listed["data"][0])


class _Chat:
    """Chat completions. An application of its own, since it watches whether its client has gone."""

    def __init__(self, admission: _Admission, thread: EngineThread, facts: EngineFacts, model: str):
        self._admission, self._thread, self._facts, self._model = admission, thread, facts, model
        threads, on_card = openers_for(facts.engines), facts.device.startswith("cuda")
        before = None if on_card else yield_to_model
        self._openers = ThreadPoolExecutor(threads, "opener", initializer=before)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        request = Request(scope, receive)
        with suppress(ClientDisconnect, OSError):
            response = self._admission.refusal(request) or self._wrong_type(request)
            if response is None:
                response = await self._response(request, send)
            if response is not None:
                await response(scope, receive, send)

    @staticmethod
    def _wrong_type(request: Request) -> Response | None:
        """A web page of another site may send any other type without asking."""
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind == "application/json":
            return None
        return error_response(415, "Send the request as application/json.")

    async def _response(self, request: Request, send: Send) -> Response | None:
        """Returns what is to be sent; None if it was streamed, or the client has gone."""
        try:
            # Before the body is read, so that what waits in memory is bounded.
            with self._thread.place():
                prepared = await self._prepared(request)
                if prepared is None:
                    return None
                return await _unless_gone(request, self._answer(*prepared, send))
        except Full as full:
            response = error_response(
                503, "All places are taken. Ask again later.", code="queue_full"
            )
            response.headers["Retry-After"] = str(full.seconds)
            return response
        except Refused as refused:
            return _refused(refused)

    async def _prepared(self, request: Request) -> tuple[ChatRequest, EngineRequest] | None:
        """Reads the request and opens its images; None if the client has gone."""
        async with self._admission.body(request) as body:
            asked = read_chat_request(body)
            if asked.model != self._model:
                raise _unknown_model(asked.model, self._model)
            reason = self._facts.why_not(Capability.EVIDENCE)
            if asked.wants_logprobs and reason:
                raise Refused(reason, param="logprobs", code="unsupported_parameter")
            pictures = await _unless_gone(request, self._open(asked.images))
        # The images as they came are not needed any more, and may be large.
        return (replace(asked, images=()), asked.about(pictures)) if pictures else None

    async def _open(self, images: Sequence[str]) -> list[Picture]:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._openers, self._opened, images)

    def _opened(self, images: Sequence[str]) -> list[Picture]:
        pictures = open_pictures(images, self._facts)
        if len(pictures) > 1:
            return pictures
        return list(map(self._thread.prepare_picture, pictures))

    async def _answer(
        self, asked: ChatRequest, request: EngineRequest, send: Send
    ) -> Response | None:
        pending = PendingRequest(request, wants_evidence=asked.wants_logprobs)
        self._thread.submit(pending)
        try:
            return await Answering(asked, pending, self._model).response(send)
        finally:
            pending.stop()


def _unknown_model(name: str, here: str) -> Refused:
    return Refused(
        f"There is no model “{name[:200]}” here. Ask for “{here}”.",
        param="model",
        code="model_not_found",
        status=404,
    )


def _refused(refused: Refused) -> Response:
    return error_response(refused.status, refused.message, param=refused.param, code=refused.code)


async def _unless_gone(request: Request, work: Coroutine[None, None, _T]) -> _T | None:
    """Does the work, and ends it as soon as the client has gone; then returns None."""
    working, going = asyncio.create_task(work), asyncio.create_task(_until_gone(request))
    try:
        await asyncio.wait({working, going}, return_when=asyncio.FIRST_COMPLETED)
        return working.result() if working.done() else None
    finally:
        for task in (working, going):
            task.cancel()
        await asyncio.gather(working, going, return_exceptions=True)


async def _until_gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
