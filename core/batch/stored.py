"""Values inside journal lines, and their JSON: answers, file changes, options, items.

The keys here are a stored format: journals on people's disks have them. `events` has the lines
themselves.
"""

from __future__ import annotations

import base64
import re
import zlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from types import UnionType
from typing import Any, cast, get_args, get_origin, get_type_hints

from core.batch.items import Item, ItemState
from core.batch.options import BatchOptions
from core.captions.formats import CaptionFormat, TablePaths
from core.captions.sidecar import Existing
from core.errors import StoreError
from core.message import translatable
from core.transcript import Answer, Sampling

JsonObject = dict[str, Any]


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """An answer to one prompt of a run, and the `caption` that was made of its text.

    `unknown` are keys of a newer version, which are kept when the answer is written again.
    """

    prompt: str
    caption: str
    text: str
    ending: str
    tokens: int
    seconds: float
    seed: int | None
    unknown: tuple[tuple[str, Any], ...] = ()

    @classmethod
    def of(cls, prompt: str, caption: str, answer: Answer) -> StoredAnswer:
        """Returns what a journal keeps of `answer`."""
        ending, seconds = answer.ending.value, round(answer.seconds, 3)
        return cls(prompt, caption, answer.text, ending, answer.tokens, seconds, answer.seed)

    @classmethod
    def from_json(cls, stored: JsonObject) -> StoredAnswer:
        """Reads it from a journal line."""
        for key in ("prompt", "caption", "text", "ending"):
            if not isinstance(stored[key], str):
                raise TypeError(f"{key} must be text")
        unknown: tuple[tuple[str, Any], ...] = ()
        if len(stored) > len(_ANSWER_KEYS):
            unknown = tuple((k, v) for k, v in stored.items() if k not in _ANSWER_KEYS)
        return cls(
            stored["prompt"],
            stored["caption"],
            stored["text"],
            stored["ending"],
            stored["tokens"],
            stored["seconds"],
            stored["seed"],
            unknown,
        )

    def to_json(self) -> JsonObject:
        """Returns what the journal line holds."""
        return {**{key: getattr(self, key) for key in _ANSWER_KEYS}, **dict(self.unknown)}


_ANSWER_KEYS = ("prompt", "caption", "text", "ending", "tokens", "seconds", "seed")


@dataclass(frozen=True, slots=True)
class StoredChange:
    """The content of a file before and after a change, in base64; None if there is no file. With
    `row` it is the caption in a table's row for this image.

    It is decoded only where it is needed: a run of 100,000 images reads as many on resuming.
    """

    path: str
    before: str | None
    after: str | None
    row: str = ""

    @classmethod
    def of(
        cls, path: Path, before: bytes | None, after: bytes | None, row: str = ""
    ) -> StoredChange:
        """Returns what a journal keeps of a change."""
        return cls(str(path), _encoded(before), _encoded(after), row)

    @property
    def key(self) -> str:
        """Returns what identifies the place, as `core.batch.targets.Target` has it."""
        return f"{self.path}\n{self.row}" if self.row else self.path

    @property
    def before_bytes(self) -> bytes | None:
        """Returns the content before the change."""
        return _decoded(self.before)

    @property
    def after_bytes(self) -> bytes | None:
        """Returns the content after the change."""
        return _decoded(self.after)


@dataclass(frozen=True, slots=True)
class StoredTable:
    """What a table held before the run that continues it, compressed and in base64."""

    packed: str

    @classmethod
    def of(cls, content: bytes) -> StoredTable:
        """Returns what a journal keeps of a table's content."""
        return cls(base64.b64encode(zlib.compress(content)).decode("ascii"))

    @property
    def content(self) -> bytes:
        """Returns the table's content. Raises StoreError."""
        try:
            return zlib.decompress(base64.b64decode(self.packed))
        except (ValueError, zlib.error) as error:
            raise StoreError(
                translatable(
                    "core",
                    "The earlier content of a table cannot be restored, since the run's journal "
                    "is damaged. Move the table away, then start the run again.",
                )
            ) from error


def answers_from(stored: Sequence[JsonObject]) -> tuple[StoredAnswer, ...]:
    """Reads the answers of one image, in the order of the prompts."""
    return tuple(map(StoredAnswer.from_json, stored))


def answers_json(answers: Sequence[StoredAnswer]) -> list[JsonObject]:
    """Returns the answers of one image as a journal line holds them."""
    return [answer.to_json() for answer in answers]


def file_from(text: str) -> Path:
    """Reads the path of a file. Raises ValueError for one that no file can have."""
    path = Path(text)
    if not path.name or "\0" in text:
        raise ValueError("it is not the path of a file")
    return path


def changes_from(stored: Sequence[JsonObject]) -> tuple[StoredChange, ...]:
    """Reads the file changes of a journal line."""
    changes = tuple(
        StoredChange(one["path"], one["before"], one["after"], one.get("row", "")) for one in stored
    )
    for change in changes:
        file_from(change.path)
        if change.row:
            file_from(change.row)
        for content in (change.before, change.after):
            if content is not None and (len(content) % 4 or not _BASE64.fullmatch(content)):
                raise ValueError("the content of a file must be base64")
    return changes


_BASE64 = re.compile(r"[A-Za-z0-9+/]*={0,2}")


def changes_json(changes: Sequence[StoredChange]) -> list[JsonObject]:
    """Returns file changes as a journal line holds them."""
    return [
        {"path": one.path, "before": one.before, "after": one.after}
        | ({"row": one.row} if one.row else {})
        for one in changes
    ]


def item_from(path: Path, stored: JsonObject) -> Item:
    """Reads the state of an image."""
    state = ItemState(stored["state"])
    return Item(
        path,
        ItemState.WAITING if state is ItemState.WORKING else state,
        stored["caption"],
        stored["reason"],
        stored["is_edited"],
        tuple(stored.get("notes", ())),
    )


def item_json(item: Item) -> JsonObject:
    """Returns the state of an image as a journal line holds it, without its path."""
    return {
        "state": item.state.value,
        "caption": item.caption,
        "reason": item.reason,
        "is_edited": item.is_edited,
        **notes_json(item.notes or None),
    }


def notes_json(notes: Sequence[str] | None) -> JsonObject:
    """Returns the notes of an image as a journal line holds them, and nothing for None."""
    return {} if notes is None else {"notes": list(notes)}


def options_from(stored: JsonObject) -> BatchOptions:
    """Reads the options of a run."""
    values, sampling = dict(stored), dict(stored["sampling"])
    sampling["banned_words"] = tuple(sampling.get("banned_words", ()))
    values["sampling"] = Sampling(**sampling)
    values["existing"] = Existing(values["existing"])
    if "table_paths" in values:
        values["table_paths"] = TablePaths(values["table_paths"])
    for several in ("prompts", "replaces_edited", "vocabulary", "tables", "then"):
        values[several] = tuple(values.get(several, ()))
    values["image_notes"] = tuple(
        (str(path), str(text)) for path, text in values.get("image_notes", ())
    )
    # A newer version may know more formats.
    known = [str(one) for one in CaptionFormat]
    values["writes"] = tuple(CaptionFormat(one) for one in values["writes"] if one in known)
    options = BatchOptions(**values)
    _check_types(options)
    _check_types(options.sampling)
    return options


def _check_types(values: BatchOptions | Sampling) -> None:
    """Raises TypeError if a field of a dataclass has a value of another type than it declares."""
    for name, declared in get_type_hints(type(values)).items():
        if not _is_of(getattr(values, name), declared):
            raise TypeError(f"{name} has a wrong type")


def _is_of(value: Any, declared: Any) -> bool:
    if get_origin(declared) is UnionType:
        return any(_is_of(value, one) for one in get_args(declared))
    if get_origin(declared) is tuple:
        item = get_args(declared)[0]
        is_tuple = isinstance(value, tuple)
        return is_tuple and all(_is_of(one, item) for one in cast("tuple[Any, ...]", value))
    return isinstance(value, int | float if declared is float else declared)


_ADDED_OPTIONS = {
    "prefix",
    "suffix",
    "separator",
    "is_one_line",
    "drops_duplicates",
    "table_paths",
    "csv_separator",
    "note",
    "image_notes",
    "most_characters",
    "vocabulary",
    "has_keywords",
    "tables",
    "is_again",
    "then",
    "turn",
    "model",
}


def options_json(options: BatchOptions) -> JsonObject:
    """Returns the options of a run as its journal holds them.

    Options that version 0.1 did not have are left out where they are as at first.
    """
    values = asdict(options)
    added = {one.name: one.default for one in fields(BatchOptions) if one.name in _ADDED_OPTIONS}
    return {name: value for name, value in values.items() if added.get(name, ...) != value}


def _encoded(content: bytes | None) -> str | None:
    return None if content is None else base64.b64encode(content).decode("ascii")


def _decoded(text: str | None) -> bytes | None:
    return None if text is None else base64.b64decode(text)
