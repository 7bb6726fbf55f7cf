"""What happens to a run as a whole, as data: one frozen class for each kind of journal line.

`events` has the lines about single images, and reads all of them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from core.batch import stored
from core.batch.kinds import VERSION, Kind
from core.batch.options import BatchOptions
from core.batch.stored import JsonObject, StoredTable
from core.captions.formats import CaptionFormat
from core.engine import EngineFacts


@dataclass(frozen=True, slots=True)
class Begun:
    """The first line: the run was planned by this `version` of the program.

    `tables` are the files that get all captions, and `earlier` is what those of them held that the
    run continues. `rows` is what the tables held, by path, whose rows the run replaces. `number` is
    larger than those of all earlier runs, whatever the clock said; None in journals of version 0.1.
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
    rows: dict[str, StoredTable] = field(default_factory=dict[str, StoredTable])

    @classmethod
    def from_json(cls, line: JsonObject) -> Begun:
        held, rows = line.get("earlier", {}), line.get("rows", {})
        if not all(isinstance(one, str) for one in (*held.values(), *rows.values())):
            raise TypeError("the content of a table must be text")
        return cls(
            line["version"],
            datetime.fromisoformat(line["when"]),
            tuple(map(Path, line["roots"])),
            stored.options_from(line["options"]),
            {
                one: stored.file_from(line["exports"][one])
                for one in CaptionFormat
                if one in line["exports"]
            },
            None if line.get("number") is None else int(line["number"]),
            {one: StoredTable(held[one]) for one in CaptionFormat if one in held},
            {path: StoredTable(packed) for path, packed in rows.items()},
        )

    def to_json(self) -> JsonObject:
        earlier = {one.value: table.packed for one, table in self.earlier.items()}
        rows = {path: table.packed for path, table in self.rows.items()}
        return {
            "kind": Kind.BEGIN,
            "journal": VERSION,
            "version": self.version,
            # So exact that a caption written just before the run is not taken for a newer one.
            "when": self.when.isoformat(),
            "roots": [str(root) for root in self.roots],
            "options": stored.options_json(self.options),
            "exports": {one.value: str(path) for one, path in self.tables.items()},
            **({} if self.number is None else {"number": self.number}),
            **({"earlier": earlier} if earlier else {}),
            **({"rows": rows} if rows else {}),
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
class Retried:
    """All images that had failed wait again."""

    @classmethod
    def from_json(cls, line: JsonObject) -> Retried:
        return cls()

    def to_json(self) -> JsonObject:
        return {"kind": Kind.RETRY}


@dataclass(frozen=True, slots=True)
class Ran:
    """Captioning went on for so long, until no image waited or somebody ended it."""

    seconds: float

    @classmethod
    def from_json(cls, line: JsonObject) -> Ran:
        return cls(float(line["seconds"]))

    def to_json(self) -> JsonObject:
        return {"kind": Kind.RAN, "seconds": round(self.seconds, 3)}


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
