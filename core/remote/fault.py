"""What is wrong with a server, as an error with a sentence for the person."""

from __future__ import annotations

import json
import re
import socket
import ssl
from typing import Any

from core.errors import ServerError, ServerFault
from core.message import translatable
from core.model_reference import host_of
from core.transfer.retrying import seconds_to_wait

_LONGEST_QUOTE = 240


def connection_fault(address: str, error: Exception, silent_seconds: float) -> ServerError:
    """Returns the error for a failure of the network, as the HTTP library raises it."""
    host, causes = host_of(address), _causes(error)
    name = type(error).__name__
    if any(isinstance(cause, ssl.SSLError) for cause in causes):
        return _tls_fault(host, causes)
    if any(isinstance(cause, socket.gaierror) for cause in causes):
        text = translatable("core", "There is no host “{host}”. Check the address and the network.")
        return ServerError(text.format(host=host), ServerFault.UNKNOWN_HOST)
    if name in ("ReadTimeout", "WriteTimeout"):
        text = translatable(
            "core",
            "{host} sent nothing for {seconds} s. Check whether the server still works, then ask "
            "again.",
        )
        text = text.format(host=host, seconds=round(silent_seconds))
        return ServerError(text, ServerFault.SILENT)
    if name in ("ConnectError", "ConnectTimeout", "PoolTimeout", "ProxyError"):
        text = translatable(
            "core",
            "{host} cannot be reached ({reason}). Check that the server is running and the "
            "address is right.",
        )
        reason = translatable("core", "no answer") if "Timeout" in name else _reason(causes)
        return ServerError(text.format(host=host, reason=reason), ServerFault.REFUSED)
    if name in ("LocalProtocolError", "UnsupportedProtocol", "DecodingError"):
        return garbage(address)
    if name == "RemoteProtocolError" and not _is_hang_up(error):
        return garbage(address)
    return cut(address)


def _tls_fault(host: str, causes: list[BaseException]) -> ServerError:
    invalid = next((one for one in causes if isinstance(one, ssl.SSLCertVerificationError)), None)
    if invalid is not None:
        text = translatable(
            "core",
            "The certificate of {host} is not trusted ({reason}). Add it to the system's "
            "certificates, or name it in SSL_CERT_FILE.",
        )
        return ServerError(text.format(host=host, reason=invalid.verify_message), ServerFault.TLS)
    text = translatable(
        "core",
        "{host} answers without encryption. Begin the address with http:// if that is what you "
        "want.",
    )
    return ServerError(text.format(host=host), ServerFault.TLS)


def status_fault(
    address: str, model: str, status: int, headers: Any, body: bytes, key: str
) -> ServerError:
    """Returns the error for an answer with a status other than 200."""
    said = _quote(body, key)
    seconds = seconds_to_wait(headers.get("retry-after"))
    fault, text = _of_status(status, has_key=bool(key), seconds=seconds)
    return ServerError(
        text.format(
            **{
                name: value
                for name, value in (
                    ("host", host_of(address)),
                    ("model", model),
                    ("status", status),
                    ("said", said or f"HTTP {status}"),
                    ("seconds", round(seconds or 0)),
                    ("location", str(headers.get("location", ""))[:_LONGEST_QUOTE]),
                )
                if f"{{{name}}}" in text.template
            }
        ),
        fault,
        seconds,
        status,
    )


def _of_status(status: int, *, has_key: bool, seconds: float | None) -> tuple[ServerFault, Any]:
    if status in (301, 302, 303, 307, 308):
        return ServerFault.REDIRECTED, translatable(
            "core", "{host} redirects to “{location}”. Enter that address if you trust it."
        )
    if status == 401 and has_key:
        return ServerFault.KEY, translatable("core", "{host} rejected the key. Enter another one.")
    if status == 401:
        return ServerFault.KEY, translatable("core", "{host} requires a key. Enter the key.")
    if status == 403:
        return ServerFault.FORBIDDEN, translatable(
            "core", "{host} does not allow this ({said}). Ask whoever runs the server for access."
        )
    if status in (404, 405, 501):
        return ServerFault.NO_MODEL, translatable(
            "core",
            "{host} has no model “{model}” for chat ({said}). Choose one that the server lists.",
        )
    if status == 413:
        return ServerFault.TOO_LARGE, translatable(
            "core",
            "{host} refuses the image as too large, even made smaller. Raise the server's limit.",
        )
    if status == 429 and seconds:
        return ServerFault.BUSY, translatable(
            "core", "{host} has too many requests. Try again in {seconds} s."
        )
    if status == 429:
        return ServerFault.BUSY, translatable(
            "core", "{host} has too many requests. Try again later."
        )
    if status == 503:
        return ServerFault.UNAVAILABLE, translatable(
            "core",
            "{host} is not ready ({said}). It may still be loading the model; try again in a "
            "minute.",
        )
    if status in (502, 504):
        return ServerFault.UNAVAILABLE, translatable(
            "core",
            "The server behind {host} does not answer (HTTP {status}). Check that it is running.",
        )
    if status >= 500:
        return ServerFault.FAILED, translatable(
            "core", "{host} failed ({said}). Ask again, or look into the server's log."
        )
    return ServerFault.REQUEST, translatable(
        "core", "{host} refused the request ({said}). Change the prompt, the image or the settings."
    )


def failed_while_answering(address: str, error: object, key: str) -> ServerError:
    """Returns the error for a stream that ends with an error of the server's."""
    text = translatable("core", "{host} failed ({said}). Ask again, or look into the server's log.")
    said = _quote(json.dumps({"error": error}).encode(), key) or "?"
    return ServerError(text.format(host=host_of(address), said=said), ServerFault.FAILED)


def no_such_model(address: str, model: str, listed: list[str]) -> ServerError:
    """Returns the error for a model that the server does not list."""
    shown = ", ".join(listed[:8]) + (", …" if len(listed) > 8 else "")
    if not listed:
        text = translatable("core", "{host} lists no model. Load one in the server.")
        return ServerError(text.format(host=host_of(address)), ServerFault.NO_MODEL)
    if not model:
        text = translatable("core", "{host} has several models. Choose one: {models}.")
        return ServerError(text.format(host=host_of(address), models=shown), ServerFault.NO_MODEL)
    text = translatable("core", "{host} has no model “{model}”. Choose one: {models}.")
    text = text.format(host=host_of(address), model=model, models=shown)
    return ServerError(text, ServerFault.NO_MODEL)


def cut(address: str) -> ServerError:
    """Returns the error for a connection that was closed in the middle."""
    text = translatable(
        "core", "{host} closed the connection before its answer was complete. Ask again."
    )
    return ServerError(text.format(host=host_of(address)), ServerFault.CUT)


def no_end(address: str) -> ServerError:
    """Returns the error for an answer of which nobody knows whether it is complete."""
    text = translatable(
        "core",
        "{host} did not say that its answer is complete. Ask again, or look into the server's log.",
    )
    return ServerError(text.format(host=host_of(address)), ServerFault.NO_END)


def garbage(address: str) -> ServerError:
    """Returns the error for what is no answer of a chat."""
    text = translatable(
        "core", "{host} answers in a way that Onlooker does not understand. Check the address."
    )
    return ServerError(text.format(host=host_of(address)), ServerFault.GARBAGE)


def unusable_key(address: str) -> ServerError:
    """Returns the error for a key that cannot be sent, such as one with a line break."""
    text = translatable("core", "The key for {host} contains invalid characters. Enter it again.")
    return ServerError(text.format(host=host_of(address)), ServerFault.KEY)


def no_api(address: str) -> ServerError:
    """Returns the error for a server that is none for models."""
    text = translatable(
        "core",
        "{host} is not a server for models. Check the address; it needs an API like OpenAI's.",
    )
    return ServerError(text.format(host=host_of(address)), ServerFault.NO_API)


def is_about_length(error: ServerError) -> bool:
    """Whether a refusal may come from too long a conversation."""
    words = r"context|too\W(long|many)|maximum|max_model_len|token"
    return error.fault is ServerFault.REQUEST and bool(re.search(words, str(error), re.IGNORECASE))


def _quote(body: bytes, key: str) -> str:
    """Returns what the server says in its own words, short, on one line, and without the key."""
    text = body[:100_000].decode(errors="replace")
    try:
        text = _words(json.loads(text)) or text
    except (ValueError, RecursionError):
        text = re.sub(r"<(style|script).*?</\1>|<[^>]*>", " ", text, flags=re.DOTALL)
    if key:
        text = text.replace(key, "…")
    text = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return text if len(text) <= _LONGEST_QUOTE else f"{text[:_LONGEST_QUOTE]}…"


def _words(content: Any) -> str:
    """Finds the sentence in one of the shapes that servers give an error."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "; ".join(filter(None, map(_words, content)))
    if isinstance(content, dict):
        where = content.get("loc")
        place = f"{where[-1]}: " if isinstance(where, list) and where else ""
        for name in ("error", "message", "msg", "detail"):
            if found := _words(content.get(name)):
                return place + found
    return ""


def _causes(error: BaseException) -> list[BaseException]:
    """Returns the error and all that led to it: the HTTP library wraps the system's errors."""
    found: list[BaseException] = []
    waiting: list[BaseException | None] = [error]
    while waiting:
        one = waiting.pop()
        if one is None or any(one is other for other in found):
            continue
        found.append(one)
        waiting += [one.__cause__, one.__context__]
        if isinstance(one, BaseExceptionGroup):
            waiting += one.exceptions
    return found


def _reason(causes: list[BaseException]) -> str:
    if any(isinstance(one, ConnectionRefusedError) for one in causes):
        return translatable("core", "connection refused")
    reasons = [one.strerror for one in causes if isinstance(one, OSError) and one.strerror]
    return reasons[-1] if reasons else str(causes[0]).strip(" .") or type(causes[0]).__name__


def _is_hang_up(error: Exception) -> bool:
    """Whether the server closed the connection, rather than wrote something that is not HTTP."""
    text = str(error).lower()
    return "disconnect" in text or "without" in text or "incomplete" in text or "closed" in text
