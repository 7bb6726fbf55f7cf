"""What a process and the engine in its child say to each other: pickled, one after the other.

The parent sends `Open`, which is answered by `Opened` or `Failed`. Each `Begin` then begins a
round: the child sends a `Wanted` for each request that it can take, and gets an `Ask`, a `NoneNow`
or a `NoMore` for it; each `Answered` and `Refused` is for good. `Over` or `Failed` ends the round.
"""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from typing import Any, BinaryIO

from core.engine import EngineFacts
from core.errors import AppError, PromptError
from core.transcript import Answer, ModelChoice, Request


@dataclass(frozen=True)
class Open:
    """Open an engine: `opener` is "package.module:function", called as `core.open_engine` is."""

    opener: str
    choice: ModelChoice


@dataclass(frozen=True)
class Begin:
    """Begin a round of requests, answered `slots` at once. `streams` wants the pieces too; without
    `goes_on`, a request that cannot be asked ends the round."""

    slots: int
    streams: bool
    goes_on: bool


@dataclass(frozen=True)
class Ask:
    """One request; `number` stands for it in what comes back."""

    number: int
    request: Request


@dataclass(frozen=True)
class NoneNow:
    """No request waits at the moment; answers go on."""


@dataclass(frozen=True)
class NoMore:
    """There is no further request in this round."""


@dataclass(frozen=True)
class Stop:
    """End the answers of this round after their current token."""


@dataclass(frozen=True)
class StopOne:
    """End the answer to one request after its current token."""

    number: int


@dataclass(frozen=True)
class Progress:
    """How far opening is."""

    fraction: float
    stage: str


@dataclass(frozen=True)
class Opened:
    """The engine is open."""

    facts: EngineFacts


@dataclass(frozen=True)
class Wanted:
    """One more request can be taken."""


@dataclass(frozen=True)
class Piece:
    """A piece of an answer's text."""

    number: int
    text: str


@dataclass(frozen=True)
class Answered:
    """An answer that is complete."""

    number: int
    answer: Answer


@dataclass(frozen=True)
class Refused:
    """A request that cannot be asked."""

    number: int
    error: PromptError


@dataclass(frozen=True)
class Over:
    """The round is over: all is answered, or stopped."""


@dataclass(frozen=True)
class Failed:
    """Opening or the round has failed; what was asked and not answered is not answered."""

    error: AppError


FromParent = Open | Begin | Ask | NoneNow | NoMore | Stop | StopOne
FromChild = Progress | Opened | Wanted | Piece | Answered | Refused | Over | Failed


def send(pipe: BinaryIO, message: FromParent | FromChild) -> None:
    """Writes a message. Raises OSError or ValueError if the other side is gone."""
    pickle.dump(message, pipe, pickle.HIGHEST_PROTOCOL)
    pipe.flush()


def receive(pipe: BinaryIO) -> Any:
    """Reads a message of the other side, which is this program too; None once it is gone."""
    try:
        return pickle.load(pipe)
    except (EOFError, pickle.UnpicklingError, OSError, ValueError):
        return None
