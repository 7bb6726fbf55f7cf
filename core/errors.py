"""What can go wrong, in words for the person who uses the program.

AppError
├── PictureError       this file cannot be shown; names the file
├── PromptError        this question cannot be asked as it is
├── CheckpointError    this model cannot be loaded
├── HubError           this model cannot be got from the hub
├── PackError          this engine pack cannot be got or used
├── ServeError         the server cannot start
├── OutOfMemory        the device has too little memory for what was asked
├── EngineError        the model failed while answering
│   ├── EngineLost     … and cannot be asked again
│   └── ServerError    the server that runs the model cannot be reached, or refuses to answer
├── StoreError         something could not be kept on disk
└── Cancelled          the user ended it; not a failure, never shown as one

Each message is one or two sentences: what happened, and one action that helps. It is made by
`core.message.translatable`, so that the window can translate it. The library's own exception stays
as `__cause__`.
"""

import re
from enum import StrEnum

from core.message import Message


class AppError(Exception):
    """An expected failure whose text is written for the user."""

    def __init__(self, message: str):
        super().__init__(message)

    @property
    def message(self) -> str:
        """The sentences for the user, a `Message` if core wrote them: it can be translated."""
        return self.args[0]


class PictureError(AppError):
    """A file that cannot be shown as a picture."""


class PromptError(AppError):
    """A question that cannot be put to the model as it is."""


class CheckpointError(AppError):
    """A model folder that cannot be loaded.

    `missing_id` is the hub id of the missing part of the model, "" if nothing is missing. What the
    model's own files say may be part of the message, so it is cut to what a person can read.
    """

    def __init__(self, message: str, missing_id: str = ""):
        super().__init__(_readable(message))
        self.missing_id = missing_id


_LONGEST_WORD = re.compile(r"(\S{80})\S+")
_LONGEST_FIELD = 300
_LONGEST_MESSAGE = 600


def _readable(message: str) -> str:
    """Cuts long words and long texts in the fields, and replaces line breaks and control
    characters; if the message then still is too long, cuts it as a whole."""
    if not isinstance(message, Message) or not message.fields:
        return message if isinstance(message, Message) else _cut(message, _LONGEST_MESSAGE)
    fields: dict[str, str | int | float] = {}
    for name, value in message.fields.items():
        is_ours = isinstance(value, Message)
        fields[name] = _readable(value) if is_ours else value
        if isinstance(value, str) and not is_ours:
            fields[name] = _cut(value, _LONGEST_FIELD)
    readable = Message(message.template, fields)
    is_short = len(readable) <= _LONGEST_MESSAGE
    return readable if is_short else _cut(readable, _LONGEST_MESSAGE)


def _cut(text: str, most: int) -> str:
    text = _LONGEST_WORD.sub(r"\1…", text)
    if len(text) > most:
        half = most // 2
        text = f"{text[:half]} … {text[-half:]}"
    return "".join(character if character.isprintable() else " " for character in text)


class HubNeed(StrEnum):
    """What would let a failed download succeed, where a window can offer it."""

    TOKEN = "token"
    LICENCE = "licence"
    SPACE = "space"
    NETWORK = "network"
    ONLINE = "online"


class HubError(AppError):
    """A model that cannot be looked up or downloaded. `need` is what would help, if known."""

    def __init__(self, message: str, need: HubNeed | None = None):
        super().__init__(message)
        self.need = need


class PackError(AppError):
    """An engine pack that cannot be got, tried or removed. `need` is what would help, if known."""

    def __init__(self, message: str, need: HubNeed | None = None):
        super().__init__(message)
        self.need = need


class ServeError(AppError):
    """A server that cannot start as it is asked to."""


class OutOfMemory(AppError):
    """Too little memory on the device for the weights or for the answer.

    `precision` is the value of a `core.transcript.Precision` in which the model would have fitted,
    None if it fits in none or that is not known.
    """

    def __init__(self, message: str, precision: str | None = None):
        super().__init__(message)
        self.precision = precision


class EngineError(AppError):
    """The model or its device failed while answering."""


class EngineLost(EngineError):
    """The engine failed, and cannot be asked again: its process has ended."""


class ServerFault(StrEnum):
    """What is wrong with a server that runs a model."""

    ADDRESS = "address"
    """What was typed is not an address."""
    OFFLINE = "offline"
    REFUSED = "refused"
    """Nothing listens there, or there is no way to it."""
    UNKNOWN_HOST = "unknown_host"
    TLS = "tls"
    REDIRECTED = "redirected"
    KEY = "key"
    FORBIDDEN = "forbidden"
    NO_MODEL = "no_model"
    BLIND = "blind"
    """The model answers, but is not given the image."""
    NO_API = "no_api"
    """Something answers, but not as a server for models."""
    TOO_LARGE = "too_large"
    REQUEST = "request"
    """The server refuses this request; another one may be answered."""
    BUSY = "busy"
    FAILED = "failed"
    UNAVAILABLE = "unavailable"
    CUT = "cut"
    GARBAGE = "garbage"
    NO_END = "no_end"
    SILENT = "silent"


class ServerError(EngineError):
    """A server that does not answer as it should. `seconds` is how long it asks to wait, `status`
    that of its answer, 0 if there was none."""

    def __init__(
        self, message: str, fault: ServerFault, seconds: float | None = None, status: int = 0
    ):
        super().__init__(message)
        self.fault = fault
        self.seconds = seconds
        self.status = status

    @property
    def is_of_one_request(self) -> bool:
        """Whether the server may well answer another request at the same moment."""
        return self.fault in _OF_ONE_REQUEST


_OF_ONE_REQUEST = {
    ServerFault.TOO_LARGE,
    ServerFault.REQUEST,
    ServerFault.FAILED,
    ServerFault.CUT,
    ServerFault.GARBAGE,
    ServerFault.NO_END,
    ServerFault.SILENT,
}


class StoreError(AppError):
    """A file of ours that cannot be read or written."""


class Cancelled(AppError):
    """Loading was ended by the user."""
