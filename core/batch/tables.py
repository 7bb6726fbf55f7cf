"""All captions of a run in one JSONL or CSV file, which follows the run's journal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

from core.batch import export
from core.batch.journal import Record, records
from core.batch.options import BatchOptions
from core.engine import EngineFacts
from core.errors import StoreError
from core.files import DiskFull, read_bytes, restore, write_error
from core.version import program_version

_SAID = ("prompt", "caption", "seed", "ending", "tokens", "seconds")


class Tables:
    """The files of one run, by their kind. What cannot be written is noted, and no reason to end
    the run: the journal has it. A full disk is one. Use it from one thread at a time."""

    def __init__(
        self,
        paths: dict[str, Path],
        options: BatchOptions,
        journal: Path,
        note: Callable[[str], None],
    ):
        self.paths = paths
        self._options = options
        self._journal = journal
        self._note = note

    def renew(self) -> None:
        """Write all of them from the journal; what somebody else has written there is kept
        beside them. Raises DiskFull."""
        for kind, path in self.paths.items():
            try:
                self._set_aside(path, kind)
                export.write(path, self._rows(), kind)
            except DiskFull:
                raise
            except StoreError as error:
                self._note(str(error))

    def add(self, items: list[Record], facts: EngineFacts | None) -> None:
        """Add the rows of the journal's lines. Raises DiskFull."""
        if not self.paths:
            return
        known = {} if facts is None else facts.record()
        by = program_version()
        rows = [row for item in items for row in rows_of(item, known, self._options, by)]
        if not rows:
            return
        for kind, path in self.paths.items():
            try:
                export.append(path, rows, kind)
            except DiskFull:
                raise
            except StoreError as error:
                self._note(str(error))

    def remove(self) -> list[Path]:
        """Take away those that hold nothing but rows of ours; gives the others. Raises
        StoreError."""
        left = []
        for kind, path in self.paths.items():
            data = read_bytes(path)
            if data is None:
                continue
            if export.holds_only(data, self._all_rows(), kind):
                restore(path, None)
            else:
                left.append(path)
        return left

    def _set_aside(self, path: Path, kind: str) -> None:
        """Give another name to a file that holds more than rows of ours. Raises StoreError."""
        data = read_bytes(path)
        if not data or export.holds_only(data, self._all_rows(), kind):
            return
        aside = export.free_path(path.parent, kind)
        try:
            path.rename(aside)
        except OSError as error:
            raise write_error(path, error) from error
        self._note(
            f"“{path.name}” held what this run has not written; that is kept as “{aside.name}”."
        )

    def _rows(self) -> Iterator[export.Row]:
        """A row for each caption in the journal, as it was last written."""
        rows: dict[str, list[export.Row]] = {}
        for picture, of_picture in self._versions():
            rows[picture] = of_picture
        for of_picture in rows.values():
            yield from of_picture

    def _all_rows(self) -> Iterator[export.Row]:
        """Every row that there ever was."""
        for _, of_picture in self._versions():
            yield from of_picture

    def _versions(self) -> Iterator[tuple[str, list[export.Row]]]:
        """The rows of a picture, each time that something has changed them."""
        facts: Record = {}
        by = ""
        said: dict[str, list[export.Row]] = {}
        now: dict[str, list[export.Row]] = {}
        doubts: dict[str, Record] = {}
        for record in records(self._journal):
            picture = record.get("picture", "")
            match record["kind"]:
                case "run":
                    facts = record["facts"]
                    by = record.get("version", by)
                    continue
                case "begin":
                    by = record["version"]
                    continue
                case "item":
                    now[picture] = said[picture] = rows_of(record, facts, self._options, by)
                case "failed":
                    said.pop(picture, None)
                    now[picture] = []
                case "edit" if picture in said:
                    first = said[picture][0]
                    now[picture] = [{**first, "caption": record["caption"], "edited": True}]
                case "unedit" if picture in said:
                    first, was = said[picture][0], record["was"]
                    edited = {**first, "caption": was["caption"], "edited": True}
                    now[picture] = [edited] if was["is_edited"] else said[picture]
                case "doubt" if picture in said:
                    doubts[picture] = record
                case _:
                    continue
            yield picture, _doubted(now[picture], doubts.get(picture))


def rows_of(item: Record, facts: Record, options: BatchOptions, by: str) -> list[export.Row]:
    """The rows of one picture, one for each prompt, as this version of the program made them."""
    sampling = asdict(options.sampling)
    del sampling["seed"]
    shared = {
        "picture": item["picture"],
        "model": facts.get("model", ""),
        "model_fingerprint": facts.get("fingerprint", ""),
        "sampling": sampling,
        "version": by,
    }
    return [
        {**shared, "edited": False, **{key: answer[key] for key in _SAID}}
        for answer in item["answers"]
    ]


def _doubted(rows: list[export.Row], doubt: Record | None) -> list[export.Row]:
    """With the most doubtful word beside the caption that has it, if it is of these captions."""
    if doubt is None or "\n".join(row["caption"] for row in rows) != doubt["caption"]:
        return rows
    told = {"doubtful_word": doubt["word"], "doubt": round(doubt["doubt"], 4)}
    at = next((n for n, row in enumerate(rows) if doubt["word"] in row["caption"]), 0)
    return [{**row, **told} if doubt["word"] and n == at else row for n, row in enumerate(rows)]
