"""What is tried, and how it went: the values that parent and child exchange, and that are kept."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from core.formatting import format_bytes
from core.isolation.protocol import Ended, Limits
from core.message import Message, renamed, translatable

_MEMORY_BYTES = 1_200_000_000


NAME = "{name}"


class EngineKind(StrEnum):
    """Which engine reads the folder: our own loop for LLaVA-1.5, or transformers."""

    LLAVA = "llava"
    CHAT = "chat"


class Part(StrEnum):
    """A part of a model that is tried by itself, in this order."""

    TOKENIZER = "tokenizer"
    TEMPLATE = "chat template"
    IMAGES = "image processor"

    @property
    def spoken(self) -> Message:
        """What a sentence calls it."""
        match self:
            case Part.TOKENIZER:
                return translatable("core", "tokenizer")
            case Part.TEMPLATE:
                return translatable("core", "chat template")
            case Part.IMAGES:
                return translatable("core", "image processor")

    @property
    def limits(self) -> Limits:
        """What its trial may take.

        Published ones take milliseconds, but for tokenizers: a `tokenizer.json` of 33 MB, the
        largest there is, takes 4 s and 0.7 GB.
        """
        if self is Part.TOKENIZER:
            return Limits(cpu_seconds=12, seconds=22, memory_bytes=_MEMORY_BYTES)
        return Limits(cpu_seconds=5, seconds=10, memory_bytes=_MEMORY_BYTES)


@dataclass(frozen=True)
class Trial:
    """A folder to be tried, as the engine of this kind would use it."""

    kind: EngineKind
    folder: Path

    @property
    def parts(self) -> tuple[Part, ...]:
        """What is tried: of LLaVA-1.5 all but the tokenizer is ours."""
        return (Part.TOKENIZER,) if self.kind is EngineKind.LLAVA else tuple(Part)

    def request(self, part: Part) -> dict[str, Any]:
        """Returns the trial of a part as the child reads it."""
        return {"kind": self.kind.value, "folder": str(self.folder), "part": part.value}

    @classmethod
    def read(cls, request: dict[str, Any]) -> tuple[Trial, Part]:
        """Reads what `request` returned."""
        return cls(EngineKind(request["kind"]), Path(request["folder"])), Part(request["part"])


@dataclass(frozen=True)
class Verdict:
    """How a trial went: `problem` says why the model must not be used, "" if it may be.

    `NAME` in it stands for the model's name, as a verdict counts for any folder with the same
    files. `is_lasting` is false for what may go otherwise at another time.
    """

    problem: str = ""
    is_lasting: bool = True

    def named(self, name: str) -> Verdict:
        """Returns the verdict about the model of this name."""
        return replace(self, problem=renamed(self.problem, NAME, name))

    def record(self) -> dict[str, Any]:
        """Returns the verdict as it is sent and kept."""
        return asdict(self)

    @classmethod
    def read(cls, record: dict[str, Any]) -> Verdict:
        """Reads what `record` returned. Raises KeyError, TypeError or ValueError for others."""
        if not isinstance(record["problem"], str):
            raise TypeError(record)
        return cls(record["problem"], bool(record["is_lasting"]))


NOT_TRIED = Verdict(
    translatable(
        "core",
        "“{name}” could not be checked in a separate process, so it was not loaded. Close other "
        "programs, then load the model again.",
    ).format(name=NAME),
    is_lasting=False,
)


def refusal(part: Part, problem: str) -> Verdict:
    """Returns the verdict for what no model does; `problem` is the middle of a sentence."""
    return Verdict(
        translatable(
            "core",
            "The {part} of “{name}” is unsafe ({problem}). Choose another model.",
        ).format(part=part.spoken, name=NAME, problem=problem)
    )


def verdict_of_failure(part: Part, ended: Ended) -> Verdict:
    """Returns the verdict for a child that was ended, or ended by itself, while it tried a part."""
    match ended:
        case Ended.SLOW:
            return Verdict(
                translatable(
                    "core",
                    "The {part} of “{name}” never finishes. Choose another model.",
                ).format(part=part.spoken, name=NAME),
                is_lasting=False,
            )
        case Ended.BUSY:
            return Verdict(
                translatable(
                    "core",
                    "The {part} of “{name}” could not be checked within {seconds} s. Close "
                    "other programs, then load the model again.",
                ).format(part=part.spoken, name=NAME, seconds=f"{part.limits.seconds:.0f}"),
                is_lasting=False,
            )
        case Ended.MEMORY:
            return Verdict(
                translatable(
                    "core",
                    "The {part} of “{name}” needs more than {size} of memory. Choose another "
                    "model.",
                ).format(part=part.spoken, name=NAME, size=format_bytes(_MEMORY_BYTES))
            )
        case Ended.CRASHED | Ended.NOT_STARTED:
            return Verdict(
                translatable(
                    "core",
                    "The {part} of “{name}” crashes the library that reads it. Download the "
                    "model again, or choose another one.",
                ).format(part=part.spoken, name=NAME)
            )
