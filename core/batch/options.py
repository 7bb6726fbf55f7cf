"""What a folder run asks and writes, and how each of its pictures stands, as data."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from core.batch import export, sidecar
from core.batch.journal import Record
from core.batch.sidecar import Existing
from core.batch.wording import filled, to_last_sentence, without_opening
from core.picture import Picture
from core.transcript import Answer, Ending, Request, Sampling, Turn

TEXT_KINDS = ("txt", "caption")
KINDS = (*TEXT_KINDS, "xmp", *export.KINDS)

EDITED = "Edited by hand, and kept."
HAS_CAPTION = "Has a caption already."

_CLOSING_SIGNS = tuple(".,;:!?…)’”")


class ItemState(StrEnum):
    WAITING = "waiting"
    WORKING = "working"
    DONE = "done"
    SKIPPED = "skipped"
    FAILED = "failed"
    UNDONE = "undone"


@dataclass(frozen=True, slots=True)
class Item:
    """One picture of a run. `reason` says why it failed or was skipped."""

    path: Path
    state: ItemState = ItemState.WAITING
    caption: str = ""
    reason: str = ""
    is_edited: bool = False


class Phase(StrEnum):
    """Where a run is, for those who show it."""

    CHOOSING = "choosing"
    FINDING = "finding"
    RUNNING = "running"
    ENDING = "ending"
    PAUSED = "paused"
    OVER = "over"
    UNDOING = "undoing"
    UNDONE = "undone"


@dataclass(frozen=True)
class Progress:
    """How a run goes on; `rate` in pictures a second, `seconds_left` None while unknown."""

    counts: dict[ItemState, int]
    rate: float = 0.0
    seconds_left: float | None = None


@dataclass(frozen=True)
class BatchOptions:
    """What a run asks and writes.

    `writes` are some of `KINDS`; `name` is what a text file is called, without its suffix.
    `beginning` is put in front of every answer, which goes on from it. `replaces_edited` names
    pictures, by path or by file name, whose captions may be replaced although they were edited
    by hand.
    """

    prompts: tuple[str, ...]
    writes: tuple[str, ...] = ("txt",)
    existing: Existing = Existing.SKIP
    name: str = "{stem}"
    is_recursive: bool = False
    sampling: Sampling = field(default_factory=Sampling)
    beginning: str = ""
    strips_openings: bool = False
    ends_at_sentence: bool = False
    replaces_edited: tuple[str, ...] = ()

    def checked(self) -> BatchOptions:
        """Itself; raises ValueError with a sentence when it is no run."""
        if not self.prompts or not all(prompt.strip() for prompt in self.prompts):
            raise ValueError("There is no prompt. Say what to ask about each picture.")
        if not self.writes or (wrong := set(self.writes) - set(KINDS)):
            named = ", ".join(sorted(wrong)) if self.writes else "Nothing"
            raise ValueError(f"{named} cannot be written; choose among {', '.join(KINDS)}.")
        for kind in self.text_kinds:
            sidecar.text_path(Path("picture.png"), f"{self.name}.{kind}")
        return self

    @property
    def text_kinds(self) -> tuple[str, ...]:
        return tuple(kind for kind in TEXT_KINDS if kind in self.writes)

    def targets(self, picture: Path) -> list[Path]:
        """The files beside `picture` that get its caption."""
        paths = [sidecar.text_path(picture, f"{self.name}.{kind}") for kind in self.text_kinds]
        return [*paths, sidecar.xmp_path(picture)] if "xmp" in self.writes else paths

    def filled_prompts(self, picture: Path, index: int, caption: str) -> list[str]:
        """What is asked about `picture`, the `index`-th from 1, whose caption so far is given."""
        return [filled(prompt, picture, index, caption) for prompt in self.prompts]

    def request(self, picture: Picture, prompt: str) -> Request:
        return Request(picture, (Turn(prompt),), self.sampling, self.beginning)

    def caption_of(self, answer: Answer) -> str:
        """What is made of the answer's words."""
        text = answer.text.strip()
        if self.beginning and not text.startswith(self.beginning):
            blank = "" if text.startswith(_CLOSING_SIGNS) else " "
            text = f"{self.beginning}{blank}{text}".strip()
        if self.strips_openings:
            text = without_opening(text)
        if self.ends_at_sentence and answer.ending is Ending.LENGTH:
            text = to_last_sentence(text)
        return text

    def recipe(self, model: str) -> str:
        """Tells whether a caption would be made in the same way again."""
        sampling = asdict(self.sampling)
        if not self.sampling.banned_words:
            del sampling["banned_words"]
        if self.sampling.temperature == 0:
            for unused in ("seed", "top_k", "top_p"):
                del sampling[unused]
        made_by = [self.prompts, sampling, self.beginning, model]
        return _digest([*made_by, self.strips_openings, self.ends_at_sentence])

    @staticmethod
    def from_record(record: Record) -> BatchOptions:
        values: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in record.items()
        }
        sampling = values["sampling"]
        banned = tuple(sampling.get("banned_words", ()))
        values["sampling"] = Sampling(**{**sampling, "banned_words": banned})
        values["existing"] = Existing(values["existing"])
        return BatchOptions(**values)


@dataclass(frozen=True)
class Tally:
    """How a run stands. `reasons` counts why pictures failed, the most frequent first."""

    done: int = 0
    skipped: int = 0
    failed: int = 0
    waiting: int = 0
    undone: int = 0
    reasons: tuple[tuple[str, int], ...] = ()

    @property
    def total(self) -> int:
        return self.done + self.skipped + self.failed + self.waiting + self.undone


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:24]
