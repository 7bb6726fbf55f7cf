"""What happens in a run, as data: one frozen class for each kind of journal line.

`event_from` reads a line and `to_json` writes it; no other module knows the keys of a line. A line
of a kind that this version does not know becomes an `Unknown`, and keys that it does not know are
left out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from core.batch import stored
from core.batch.formats import CaptionFormat
from core.batch.items import Item
from core.batch.options import BatchOptions
from core.batch.stored import JsonObject, StoredAnswer, StoredChange, StoredTable
from core.engine import EngineFacts

VERSION = 1
"""Of the journal's format; journals of another version are not opened."""


DAMAGE = (LookupError, TypeError, ValueError, AttributeError, OverflowError, RecursionError)
"""What reading a line may raise that is no line of a journal, or a damaged one."""


class Kind(StrEnum):
    """The `kind` of a journal line."""

    BEGIN = "begin"
    RUN = "run"
    ANSWER = "answer"
    STOPPED = "stopped"
    UNUSED = "unused"
    ITEM = "item"
    SKIPPED = "skipped"
    WRITTEN = "written"
    FAILED = "failed"
    RETRY = "retry"
    END = "end"
    EDIT = "edit"
    UNEDIT = "unedit"
    DOUBT = "doubt"
    UNDO = "undo"
    UNDONE = "undone"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Begun:
    """The first line: the run was planned by this `version` of the program.

    `tables` are the files that get all captions, and `earlier` is what those of them held that the
    run continues. `number` is larger than those of all earlier runs,
    whatever the clock said; None in journals of version 0.1.
    """

    version: str
    when: datetime
    roots: tuple[Path, ...]
    options: BatchOptions
    tables: dict[CaptionFormat, Path]
    number: int | None = None
    earlier: dict[CaptionFormat, StoredTable] = field(
        default_factory=dict[CaptionFormat, StoredTable]
    )

    @classmethod
    def from_json(cls, line: JsonObject) -> Begun:
        held = line.get("earlier", {})
        if not all(isinstance(one, str) for one in held.values()):
            raise TypeError("the content of a table must be text")
        return cls(
            line["version"],
            datetime.fromisoformat(line["when"]),
            tuple(map(Path, line["roots"])),
            stored.options_from(line["options"]),
            {one: Path(line["exports"][one]) for one in CaptionFormat if one in line["exports"]},
            None if line.get("number") is None else int(line["number"]),
            {one: StoredTable(held[one]) for one in CaptionFormat if one in held},
        )

    def to_json(self) -> JsonObject:
        earlier = {one.value: table.packed for one, table in self.earlier.items()}
        return {
            "kind": Kind.BEGIN,
            "journal": VERSION,
            "version": self.version,
            "when": self.when.isoformat(timespec="seconds"),
            "roots": [str(root) for root in self.roots],
            "options": stored.options_json(self.options),
            "exports": {one.value: str(path) for one, path in self.tables.items()},
            **({} if self.number is None else {"number": self.number}),
            **({"earlier": earlier} if earlier else {}),
        }


@dataclass(frozen=True, slots=True)
class Started:
    """Captioning started, or continued, with this engine and version of the program."""

    version: str | None
    engine: EngineFacts

    @classmethod
    def from_json(cls, line: JsonObject) -> Started:
        return cls(line.get("version"), EngineFacts.from_record(line["facts"]))

    def to_json(self) -> JsonObject:
        engine = self.engine.record()
        return {"kind": Kind.RUN, "version": self.version, "facts": engine}


@dataclass(frozen=True, slots=True)
class Answered:
    """One of several prompts about an image was answered. `notes` are those of the image."""

    picture: str
    prompt_index: int
    answer: StoredAnswer
    notes: tuple[str, ...] = ()

    @classmethod
    def from_json(cls, line: JsonObject) -> Answered:
        answer = StoredAnswer.from_json(line["answer"])
        return cls(line["picture"], line["place"], answer, tuple(line.get("notes", ())))

    def to_json(self) -> JsonObject:
        at = {"kind": Kind.ANSWER, "picture": self.picture, "place": self.prompt_index}
        return {**at, "answer": self.answer.to_json(), **stored.notes_json(self.notes or None)}


@dataclass(frozen=True, slots=True)
class Stopped:
    """The run was stopped inside an answer, after `text`; it is asked again."""

    picture: str
    prompt_index: int
    text: str

    @classmethod
    def from_json(cls, line: JsonObject) -> Stopped:
        return cls(line["picture"], line["place"], line["text"])

    def to_json(self) -> JsonObject:
        at = {"kind": Kind.STOPPED, "picture": self.picture, "place": self.prompt_index}
        return {**at, "text": self.text}


@dataclass(frozen=True, slots=True)
class Unused:
    """The answers were not written: the image got a caption from elsewhere meanwhile, or they have
    no words."""

    picture: str
    answers: tuple[StoredAnswer, ...]

    @classmethod
    def from_json(cls, line: JsonObject) -> Unused:
        return cls(line["picture"], stored.answers_from(line["answers"]))

    def to_json(self) -> JsonObject:
        answers = stored.answers_json(self.answers)
        return {"kind": Kind.UNUSED, "picture": self.picture, "answers": answers}


@dataclass(frozen=True, slots=True)
class Skipped:
    """An image was skipped, since its files held `caption`; "" if they held none."""

    picture: str
    caption: str

    @classmethod
    def from_json(cls, line: JsonObject) -> Skipped:
        return cls(line["picture"], line["caption"])

    def to_json(self) -> JsonObject:
        return {"kind": Kind.SKIPPED, "picture": self.picture, "caption": self.caption}


@dataclass(frozen=True, slots=True)
class Captioned:
    """An image got its caption; `changes` to files are made after this line is on the disk.

    `recipe` identifies prompts, sampling, options and model; see `BatchOptions.recipe`. `notes` are
    those of the image, None in journals of version 0.1.
    """

    picture: str
    caption: str
    answers: tuple[StoredAnswer, ...]
    model: str
    recipe: str
    changes: tuple[StoredChange, ...]
    notes: tuple[str, ...] | None = None

    @classmethod
    def from_json(cls, line: JsonObject) -> Captioned:
        return cls(
            line["picture"],
            line["caption"],
            stored.answers_from(line["answers"]),
            line.get("model", ""),
            line["recipe"],
            stored.changes_from(line["files"]),
            tuple(line["notes"]) if "notes" in line else None,
        )

    def to_json(self) -> JsonObject:
        return {
            "kind": Kind.ITEM,
            "picture": self.picture,
            "caption": self.caption,
            "answers": stored.answers_json(self.answers),
            "model": self.model,
            "recipe": self.recipe,
            "files": stored.changes_json(self.changes),
            **stored.notes_json(self.notes),
        }


@dataclass(frozen=True, slots=True)
class Edited:
    """A person wrote the caption. `before` is the item's state before that.

    Edits that were made together have the same `group`. Early journals have neither.
    """

    group: str | None
    picture: str
    caption: str
    before: Item | None
    changes: tuple[StoredChange, ...]

    @classmethod
    def from_json(cls, line: JsonObject) -> Edited:
        picture, was = line["picture"], line.get("was")
        before = None if was is None else stored.item_from(Path(picture), was)
        changes = stored.changes_from(line["files"])
        return cls(line.get("group"), picture, line["caption"], before, changes)

    def to_json(self) -> JsonObject:
        return {
            "kind": Kind.EDIT,
            "group": self.group,
            "picture": self.picture,
            "caption": self.caption,
            "was": stored.item_json(self.before or Item(Path(self.picture))),
            "files": stored.changes_json(self.changes),
        }


@dataclass(frozen=True, slots=True)
class EditUndone:
    """A caption was edited, and the edit taken back; `after` is the item's state since then."""

    group: str | None
    picture: str
    after: Item
    changes: tuple[StoredChange, ...]

    @classmethod
    def from_json(cls, line: JsonObject) -> EditUndone:
        picture = line["picture"]
        after = stored.item_from(Path(picture), line["was"])
        return cls(line["group"], picture, after, stored.changes_from(line["files"]))

    def to_json(self) -> JsonObject:
        return {
            "kind": Kind.UNEDIT,
            "group": self.group,
            "picture": self.picture,
            "was": stored.item_json(self.after),
            "files": stored.changes_json(self.changes),
        }


@dataclass(frozen=True, slots=True)
class Written:
    """The changes of the image's last line are on the disk; `is_changed` if somebody else has
    written one of the files since, which was left."""

    picture: str
    is_changed: bool = False

    @classmethod
    def from_json(cls, line: JsonObject) -> Written:
        return cls(line["picture"], bool(line.get("changed", False)))

    def to_json(self) -> JsonObject:
        changed = {"changed": True} if self.is_changed else {}
        return {"kind": Kind.WRITTEN, "picture": self.picture, **changed}


@dataclass(frozen=True, slots=True)
class Failed:
    """The image got no caption, for this reason."""

    picture: str
    reason: str

    @classmethod
    def from_json(cls, line: JsonObject) -> Failed:
        return cls(line["picture"], line["reason"])

    def to_json(self) -> JsonObject:
        return {"kind": Kind.FAILED, "picture": self.picture, "reason": self.reason}


@dataclass(frozen=True, slots=True)
class DoubtFound:
    """The most doubtful word of a caption; `core.batch.doubt.Doubt` explains the fields."""

    picture: str
    caption: str
    word: str = ""
    doubt: float = 0.0
    step: int = 0
    model: str = ""

    @classmethod
    def from_json(cls, line: JsonObject) -> DoubtFound:
        return cls(
            line["picture"],
            line["caption"],
            line.get("word", ""),
            line.get("doubt", 0.0),
            line.get("step", 0),
            line.get("model", ""),
        )

    def to_json(self) -> JsonObject:
        return {
            "kind": Kind.DOUBT,
            "picture": self.picture,
            "caption": self.caption,
            "word": self.word,
            "doubt": self.doubt,
            "step": self.step,
            "model": self.model,
        }


@dataclass(frozen=True, slots=True)
class Retried:
    """All images that had failed wait again."""

    @classmethod
    def from_json(cls, line: JsonObject) -> Retried:
        return cls()

    def to_json(self) -> JsonObject:
        return {"kind": Kind.RETRY}


@dataclass(frozen=True, slots=True)
class Ended:
    """No image waits any more."""

    done: int
    failed: int

    @classmethod
    def from_json(cls, line: JsonObject) -> Ended:
        return cls(line["done"], line["failed"])

    def to_json(self) -> JsonObject:
        return {"kind": Kind.END, "done": self.done, "failed": self.failed}


@dataclass(frozen=True, slots=True)
class UndoBegun:
    """The run is being undone; with `keeps_edits`, except for captions edited by hand."""

    keeps_edits: bool = True

    @classmethod
    def from_json(cls, line: JsonObject) -> UndoBegun:
        return cls(bool(line.get("keeps_edits", True)))

    def to_json(self) -> JsonObject:
        return {"kind": Kind.UNDO, **({} if self.keeps_edits else {"keeps_edits": False})}


@dataclass(frozen=True, slots=True)
class Undone:
    """The run was undone, except for the files `left`, which somebody had changed. `pictures` are
    the images that these belong to; None in journals of version 0.1."""

    left: tuple[Path, ...]
    pictures: frozenset[str] | None = None

    @classmethod
    def from_json(cls, line: JsonObject) -> Undone:
        left = tuple(map(Path, line["left"]))
        return cls(left, frozenset(line["pictures"]) if "pictures" in line else None)

    def to_json(self) -> JsonObject:
        pictures = {} if self.pictures is None else {"pictures": sorted(self.pictures)}
        return {"kind": Kind.UNDONE, "left": [str(path) for path in self.left], **pictures}


@dataclass(frozen=True, slots=True)
class Closed:
    """The journal was closed, and the tables hold what it says. Version 0.1 wrote no such line."""

    @classmethod
    def from_json(cls, line: JsonObject) -> Closed:
        return cls()

    def to_json(self) -> JsonObject:
        return {"kind": Kind.CLOSED}


@dataclass(frozen=True, slots=True)
class Unknown:
    """A line of a newer version. Its changes to files are undone with the run."""

    changes: tuple[StoredChange, ...]

    @classmethod
    def from_json(cls, line: JsonObject) -> Unknown:
        return cls(stored.changes_from(line.get("files", ())))


_TEXTS = ("picture", "caption", "reason", "text", "word", "model", "recipe")
"""Fields that are text in every event that has them."""

Event = (
    Begun
    | Started
    | Answered
    | Stopped
    | Unused
    | Skipped
    | Captioned
    | Edited
    | EditUndone
    | Written
    | Failed
    | DoubtFound
    | Retried
    | Ended
    | UndoBegun
    | Undone
    | Closed
)

_READERS: dict[str, Callable[[JsonObject], Event]] = {
    Kind.BEGIN: Begun.from_json,
    Kind.RUN: Started.from_json,
    Kind.ANSWER: Answered.from_json,
    Kind.STOPPED: Stopped.from_json,
    Kind.UNUSED: Unused.from_json,
    Kind.SKIPPED: Skipped.from_json,
    Kind.ITEM: Captioned.from_json,
    Kind.WRITTEN: Written.from_json,
    Kind.FAILED: Failed.from_json,
    Kind.RETRY: Retried.from_json,
    Kind.END: Ended.from_json,
    Kind.EDIT: Edited.from_json,
    Kind.UNEDIT: EditUndone.from_json,
    Kind.DOUBT: DoubtFound.from_json,
    Kind.UNDO: UndoBegun.from_json,
    Kind.UNDONE: Undone.from_json,
    Kind.CLOSED: Closed.from_json,
}


def event_from(line: JsonObject) -> Event | Unknown:
    """Reads the object of one journal line. Raises one of `DAMAGE` if it is none."""
    event = _READERS.get(line["kind"], Unknown.from_json)(line)
    for name in _TEXTS:
        if not isinstance(getattr(event, name, ""), str):
            raise TypeError(f"{name} must be text")
    return event


def changes_of(event: object) -> tuple[StoredChange, ...]:
    """Returns the changes to files that the event is about."""
    if isinstance(event, Captioned | Edited | EditUndone | Unknown):
        return event.changes
    return ()
