"""What a process and its isolated child say to each other: one JSON object a line, over pipes.

The parent asks one thing at a time: `{"limits": {...}, "request": {...}}`. The child answers with
any number of `{"stage": "..."}`, and then with one of `{"reply": {...}}`, `{"failure": ...}` (text,
or a message as `core.message.as_record` writes it) and `{"out_of_memory": true}`.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

VERB = "isolated"
"""The first argument of the program that makes it such a child; it is not for people."""

WITH_TORCH = "with-torch"
"""The argument after the module's name that lets the child import torch and use the cards."""

LONGEST_LINE = 256_000_000
"""Bytes; what the child sends is made from files that somebody else wrote."""


class Ended(StrEnum):
    """Why an isolated child gave no reply."""

    NOT_STARTED = "not started"
    SLOW = "slow"
    BUSY = "busy"
    MEMORY = "memory"
    CRASHED = "crashed"


@dataclass(frozen=True)
class Limits:
    """How long a request may compute and last, in seconds, and the child's resident bytes.

    Memory is not limited for None. A computer that does much else makes it last longer than it
    computes.
    """

    cpu_seconds: float
    seconds: float
    memory_bytes: int | None


class ChildFailed(Exception):
    """The child was ended, or ended, before it replied; `stage` is what it did last, "" at first.

    `SLOW` means that it computed for too long, `BUSY` that it hardly computed and did not end in
    time: it waited for the disk or for other programs.
    """

    def __init__(self, ended: Ended, stage: str = "", details: str = ""):
        super().__init__(f"{ended}: {stage} {details}")
        self.ended, self.stage = ended, stage


class RequestFailed(Exception):
    """The child could not do what it was asked. `record` is what the library said; or a message of
    ours for `core.message.from_record`, where the child does nothing that others wrote."""

    def __init__(self, record: object):
        super().__init__(str(record))
        self.record = record


@dataclass(frozen=True)
class Envelope:
    """A request with its limits; None where nothing of what is done comes from other people."""

    request: dict[str, Any]
    limits: Limits | None = None

    def line(self) -> bytes:
        """Returns the envelope as the child reads it."""
        return encoded(asdict(self))

    @classmethod
    def read(cls, line: bytes) -> Envelope:
        """Reads what `line` returned."""
        content = json.loads(line)
        limits = content["limits"]
        return cls(content["request"], Limits(**limits) if limits else None)


def encoded(content: object) -> bytes:
    """Returns a line of JSON; lone surrogates survive, since everything is ASCII."""
    return json.dumps(content).encode() + b"\n"
