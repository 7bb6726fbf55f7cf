"""A server on loopback with OpenAI's chat API, whose model knows drawings and plain colours.

It describes an image by the colour in its middle. Of the drawings of `core.remote.canary` it knows
the shapes, so that it passes for a model that sees, unless `is_blind`. Each item of `faults` spoils
one request for an answer.
"""

from __future__ import annotations

import base64
import io
import json
import math
import socket
import ssl
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from itertools import product
from typing import Any

from PIL import Image, ImageChops, ImageStat

from core.remote import canary
from tests.support.loopback import LoopbackServer

MODEL = "tests/colours"


@dataclass
class Fault:
    """What is wrong with an answer: its `status`, or what becomes of the stream."""

    status: int = 200
    said: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    stream: str = ""
    """cut, garbage, no end, not http, error, hang, or whole (one JSON without a stream)."""


class ModelServer(LoopbackServer):
    """`asked` has the bodies of requests for answers, `keys` the Authorization of all requests.

    `refused` are names of fields that it answers with 422, or with `refusal`; `largest_body` the
    bytes above which it answers 413. `most_at_once` is how many requests it answers at once; more
    get 429. An answer waits until `gate` is set; it begins at once, and takes `seconds`. `scores`
    returns the log probabilities of a piece's tokens as OpenAI has them, where they are asked for;
    None for a server that ignores that. `has_left` is set once a client closes the connection
    inside an answer.
    """

    def __init__(self, *, port: int = 0, certificate: tuple[str, str] | None = None) -> None:
        super().__init__(_Handler, port)
        self.models = [MODEL]
        self.key = ""
        self.is_blind = False
        self.refused: set[str] = set()
        self.refusal: Fault | None = None
        self.largest_body = 10**9
        self.most_at_once = 10**9
        self.seconds = 0.0
        self.gate = threading.Event()
        self.gate.set()
        self.faults: list[Fault] = []
        self.listing: Fault | None = None
        self.pieces: Callable[[str], list[str]] = _words
        self.sends_usage = True
        self.scores: Callable[[str], list[dict[str, Any]]] | None = None
        self.asked: list[dict[str, Any]] = []
        self.keys: list[str] = []
        self.under_way = 0
        self.most_under_way = 0
        self.lock = threading.Lock()
        self.connections: list[Any] = []
        self.has_left = threading.Event()
        self.scheme = "http"
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            self.socket = context.wrap_socket(self.socket, server_side=True)
            self.scheme = "https"

    @property
    def address(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.server_port}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients may leave at any time, also inside the handshake."""

    def process_request(self, request: Any, client_address: Any) -> None:
        self.connections.append(request)
        super().process_request(request, client_address)

    def die(self) -> None:
        """Ends at once, with all connections, as a process that is killed."""
        self.shutdown()
        self.server_close()
        for connection in self.connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def captions(self) -> list[dict[str, Any]]:
        """The requests without those of the canary."""
        return [body for body in self.asked if _prompt(body) not in _CANARY]


_CANARY = (
    "What word is written in the image?",
    "What shape is shown in the image, in what color?",
)


def pixels_in(body: dict[str, Any], index: int = 0) -> Image.Image:
    """Returns an image of a request."""
    images = [part for part in body["messages"][0]["content"] if part["type"] == "image_url"]
    kind, _, data = images[index]["image_url"]["url"].partition(";base64,")
    image = Image.open(io.BytesIO(base64.b64decode(data)))
    assert image.format is not None
    assert kind == f"data:image/{image.format.lower()}"
    return image


def scored(token: str, probability: float = 0.9, **others: float) -> dict[str, Any]:
    """Returns a token as OpenAI's API gives it, with others that were possible."""
    found = sorted({token: probability, **others}.items(), key=lambda one: -one[1])
    top = [_scored(*one) for one in found]
    return _scored(token, probability) | {"top_logprobs": top}


def _scored(token: str, probability: float) -> dict[str, Any]:
    return {"token": token, "logprob": math.log(probability), "bytes": list(token.encode())}


def colour_name(pixels: Image.Image) -> str:
    """Returns what the server's model calls an image of one colour."""
    middle = pixels.getpixel((pixels.width // 2, pixels.height // 2))
    assert isinstance(middle, tuple)
    # JPEG changes a colour by a step or two.
    return "colour " + "-".join(str(round(value / 16)) for value in middle)


def _prompt(body: dict[str, Any]) -> str:
    content = [one for one in body["messages"] if one["role"] == "user"][-1]["content"]
    return content if isinstance(content, str) else content[-1]["text"]


def _words(text: str) -> list[str]:
    return [piece for word in text.split(" ") for piece in (" ", word)]


def _said(server: ModelServer, body: dict[str, Any]) -> str:
    if _prompt(body) == _CANARY[0]:
        return "There is no text."
    if _prompt(body) == _CANARY[1]:
        return "A red circle." if server.is_blind else _shape_in(pixels_in(body))
    if _prompt(body).startswith("Is there"):
        return "Yes" if "colour" in _prompt(body) else "No"
    return f"{colour_name(pixels_in(body))} for {_prompt(body)}"


def _shape_in(pixels: Image.Image) -> str:
    small = pixels.convert("RGB").resize((32, 32))

    def difference(name: tuple[str, str]) -> float:
        drawing = canary.shape_drawing(*name).resize((32, 32))
        return sum(ImageStat.Stat(ImageChops.difference(small, drawing)).sum)

    colour, shape = min(product(canary.COLOURS, canary.SHAPES), key=difference)
    return f"It is a {colour} {shape}."


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: ModelServer

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        server = self.server
        server.keys.append(self.headers.get("Authorization", ""))
        if server.listing:
            self._fail(server.listing)
        elif self._is_refused():
            return
        elif self.path == "/v1/models":
            self._say(200, {"object": "list", "data": [{"id": name} for name in server.models]})
        else:
            self._say(404, {"detail": "Not Found"})

    def do_POST(self) -> None:
        server = self.server
        content = self.rfile.read(int(self.headers["Content-Length"]))
        server.keys.append(self.headers.get("Authorization", ""))
        with server.lock:
            server.under_way += 1
            server.most_under_way = max(server.most_under_way, server.under_way)
            is_too_many = server.under_way > server.most_at_once
        try:
            if is_too_many:
                self._say(429, {"error": {"message": "Too many requests"}})
            elif self._is_refused():
                return
            elif len(content) > server.largest_body:
                self._say(413, {"error": "Payload too large"})
            else:
                self._answer(json.loads(content))
        except (ConnectionError, ssl.SSLError):
            server.has_left.set()
            self.close_connection = True
        finally:
            with server.lock:
                server.under_way -= 1

    def _is_refused(self) -> bool:
        key = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if key == self.server.key:
            return False
        self._say(401, {"error": {"message": f"Incorrect API key provided: {key}"}})
        return True

    def _answer(self, body: dict[str, Any]) -> None:
        server = self.server
        server.asked.append(body)
        if body["model"] not in server.models:
            self._say(404, {"error": {"message": "The model does not exist."}})
            return
        wrong = server.refused & set(body)
        if wrong and server.refusal:
            self._fail(server.refusal)
            return
        if wrong:
            self._say(422, {"detail": [{"loc": ["body", sorted(wrong)[0]], "msg": "Extra input"}]})
            return
        fault = server.faults.pop(0) if server.faults and _prompt(body) not in _CANARY else None
        if fault and (fault.status != 200 or fault.stream in ("garbage", "not http")):
            self._fail(fault)
            return
        self._stream(body, fault.stream if fault else "")

    def _fail(self, fault: Fault) -> None:
        if fault.stream == "not http":
            self.wfile.write(b"220 mail.example ESMTP\r\n\r\n")
            self.close_connection = True
        elif fault.stream == "garbage":
            self._say(200, "<!doctype html><p>Welcome</p>", **fault.headers)
        else:
            said = fault.said or f"status {fault.status}"
            self._say(fault.status, {"error": {"message": said}}, **fault.headers)

    def _stream(self, body: dict[str, Any], spoilt: str) -> None:
        text = _said(self.server, body)
        self.server.gate.wait(20)
        all_pieces = self.server.pieces(text)
        pieces = all_pieces[: body.get("max_tokens", 10**6)]
        reason = "length" if len(pieces) < len(all_pieces) else "stop"
        if spoilt == "whole":
            said = {"message": {"content": "".join(pieces)}, "finish_reason": "stop"}
            self._say(200, {"choices": [said]})
            return
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for number, piece in enumerate(pieces):
            if spoilt and number == 2:
                break
            if self.server.seconds and number:
                time.sleep(self.server.seconds / (len(pieces) - 1))
            choice: dict[str, Any] = {"index": 0, "delta": {"content": piece}}
            if self.server.scores and body.get("logprobs"):
                choice["logprobs"] = {"content": self.server.scores(piece)}
            self._chunk({"choices": [choice]})
        if spoilt:
            self._spoil(spoilt)
            return
        end: dict[str, Any] = {"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]}
        if self.server.sends_usage:
            end["usage"] = {"prompt_tokens": 600, "completion_tokens": len(pieces)}
        self._chunk(end)
        self._write(b"data: [DONE]\n\n")
        self._write(b"")

    def _spoil(self, spoilt: str) -> None:
        if spoilt == "no end":
            self._write(b"")
        elif spoilt == "error":
            self._chunk({"error": {"message": "CUDA error", "code": 500}})
            self._write(b"")
        elif spoilt == "hang":
            self.server.is_held.set()
            self.server.go_on.wait(20)
            self.close_connection = True
        else:
            self.close_connection = True

    def _chunk(self, content: dict[str, Any]) -> None:
        self._write(b"data: " + json.dumps(content).encode() + b"\n\n")

    def _write(self, content: bytes) -> None:
        self.wfile.write(b"%x\r\n%s\r\n" % (len(content), content))
        self.wfile.flush()

    def _say(self, status: int, content: object, **headers: str) -> None:
        is_text = isinstance(content, str)
        body = content.encode() if isinstance(content, str) else json.dumps(content).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Type", "text/html" if is_text else "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
