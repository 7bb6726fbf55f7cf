"""What happens in a run, as data: one frozen class for each kind of journal line about an image.

`run_events` has those about the run as a whole. `event_from` reads a line of either and `to_json`
writes it; no other module knows the keys of a line. A line of a kind that this version does not
know becomes an `Unknown`, and keys that it does not know are left out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from core.batch import stored
from core.batch.items import Item
from core.batch.kinds import Kind
from core.batch.run_events import Begun, Closed, Ended, Ran, Retried, Started, UndoBegun, Undone
from core.batch.stored import JsonObject, StoredAnswer, StoredChange


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
    """A person wrote the caption, or had the model write it again. `before` is the item's state
    before that.

    Edits that were made together have the same `group`. Early journals have neither. An edit
    `is_redone` if it was undone before. `recipe` is that of a caption by the model
    (`BatchOptions.recipe`), "" for a person's.
    """

    group: str | None
    picture: str
    caption: str
    before: Item | None
    changes: tuple[StoredChange, ...]
    is_redone: bool = False
    recipe: str = ""

    @property
    def is_by_hand(self) -> bool:
        """Returns whether a person wrote the caption."""
        return not self.recipe

    @classmethod
    def from_json(cls, line: JsonObject) -> Edited:
        picture, was = line["picture"], line.get("was")
        before = None if was is None else stored.item_from(Path(picture), was)
        changes = stored.changes_from(line["files"])
        is_redone = bool(line.get("again", False))
        caption, recipe = line["caption"], line.get("recipe", "")
        return cls(line.get("group"), picture, caption, before, changes, is_redone, recipe)

    def to_json(self) -> JsonObject:
        return {
            "kind": Kind.EDIT,
            "group": self.group,
            "picture": self.picture,
            "caption": self.caption,
            "was": stored.item_json(self.before or Item(Path(self.picture))),
            "files": stored.changes_json(self.changes),
            **({"again": True} if self.is_redone else {}),
            **({"recipe": self.recipe} if self.recipe else {}),
        }


@dataclass(frozen=True, slots=True)
class EditUndone:
    """A caption was edited, and the edit taken back; `after` is the item's state since then.

    `can_be_redone` if a person undid it; an edit whose files could not be written cannot.
    """

    group: str | None
    picture: str
    after: Item
    changes: tuple[StoredChange, ...]
    can_be_redone: bool = False

    @classmethod
    def from_json(cls, line: JsonObject) -> EditUndone:
        picture = line["picture"]
        after = stored.item_from(Path(picture), line["was"])
        changes = stored.changes_from(line["files"])
        return cls(line["group"], picture, after, changes, bool(line.get("redo", False)))

    def to_json(self) -> JsonObject:
        return {
            "kind": Kind.UNEDIT,
            "group": self.group,
            "picture": self.picture,
            "was": stored.item_json(self.after),
            "files": stored.changes_json(self.changes),
            **({"redo": True} if self.can_be_redone else {}),
        }


@dataclass(frozen=True, slots=True)
class Adopted:
    """Somebody else had written `caption` into the image's files, and a person chose to keep it."""

    picture: str
    caption: str

    @classmethod
    def from_json(cls, line: JsonObject) -> Adopted:
        return cls(line["picture"], line["caption"])

    def to_json(self) -> JsonObject:
        return {"kind": Kind.ADOPTED, "picture": self.picture, "caption": self.caption}


@dataclass(frozen=True, slots=True)
class ChangedElsewhere:
    """A person has changed the image's files elsewhere than in the run, so that they hold
    `caption`; or has changed them back, to what an item had that is not `is_edited`."""

    picture: str
    caption: str
    is_edited: bool = True

    @classmethod
    def from_json(cls, line: JsonObject) -> ChangedElsewhere:
        return cls(line["picture"], line["caption"], bool(line.get("edited", True)))

    def to_json(self) -> JsonObject:
        at = {"kind": Kind.CHANGED, "picture": self.picture, "caption": self.caption}
        return at if self.is_edited else {**at, "edited": False}


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
    | Adopted
    | ChangedElsewhere
    | Written
    | Failed
    | DoubtFound
    | Retried
    | Ran
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
    Kind.RAN: Ran.from_json,
    Kind.END: Ended.from_json,
    Kind.EDIT: Edited.from_json,
    Kind.UNEDIT: EditUndone.from_json,
    Kind.ADOPTED: Adopted.from_json,
    Kind.CHANGED: ChangedElsewhere.from_json,
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
    picture: str | None = getattr(event, "picture", None)
    if picture is not None and (not picture or "\0" in picture):
        raise ValueError("it is not the path of an image")
    return event


def changes_of(event: object) -> tuple[StoredChange, ...]:
    """Returns the changes to files that the event is about."""
    if isinstance(event, Captioned | Edited | EditUndone | Unknown):
        return event.changes
    return ()
