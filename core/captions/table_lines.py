"""The rows of JSON lines: an object on each, of which only the caption is changed."""

from __future__ import annotations

import json
import re
from json.decoder import JSONDecodeError, scanstring  # type: ignore[attr-defined]
from typing import Any, NamedTuple, cast

from core.captions.table_rows import (
    CAPTION_COLUMNS,
    FILE_COLUMNS,
    Row,
    TableError,
    first_of,
    usual_caption_column,
)
from core.message import translatable

_BLANK = re.compile(r"[ \t\r\n]*")
_DECODER = json.JSONDecoder()


class _Member(NamedTuple):
    """A value of an object, and where it stands in the line."""

    value: Any
    start: int
    end: int


class LineRows:
    """The lines of a file. The captions are under the first of the usual keys that any line has."""

    def __init__(self, name: str):
        self._file_key = FILE_COLUMNS[0]
        self._caption_key = usual_caption_column(name)
        self._escapes = False

    def rows(self, text: str) -> list[Row]:
        """Takes a file apart. Raises TableError."""
        # Only here: a caption may hold other line ends, such as U+2028.
        lines = text.split("\n")
        lines = [f"{line}\n" for line in lines[:-1]] + ([lines[-1]] if lines[-1] else [])
        found: list[dict[str, _Member]] = []
        for number, line in enumerate(lines, 1):
            try:
                found.append(_members(line) if line.strip() else {})
            except (ValueError, RecursionError) as error:
                reason = translatable("core", "line {number} is damaged")
                raise TableError(reason.format(number=f"{number:,}")) from error
        self._choose_keys(found)
        self._escapes = text.isascii() and "\\u" in text
        return [self._row(*pair) for pair in zip(lines, found, strict=True)]

    def value(self, raw: str) -> str:
        """Returns the text of a JSON string; "" for null."""
        value = json.loads(raw) if raw else None
        return value if isinstance(value, str) else ""

    def raw(self, caption: str, old: str) -> str:
        """Returns a JSON string, escaped where the file is, or where it is not Unicode."""
        text = json.dumps(caption, ensure_ascii=self._escapes)
        try:
            text.encode()
        except UnicodeEncodeError:  # A single surrogate.
            return json.dumps(caption)
        return text

    def can_name(self, name: str) -> bool:
        """Returns True: a name that is not Unicode is escaped."""
        return True

    def with_raw(self, row: Row, raw: str) -> Row:
        """Returns a line with another caption; "" takes the key away where it is the last."""
        text, (start, end) = row.text, (row.start, row.end)
        if raw and start != end:
            return row.with_caption_written(raw)
        if start == end:  # The object has no such key yet.
            if not raw:
                return row
            raw = f", {json.dumps(self._caption_key)}: {raw}"
        else:
            added = f", {json.dumps(self._caption_key)}: "
            if text.endswith(added, 0, start) and text[end:].strip() == "}":
                start -= len(added)
            else:
                raw = '""'
        text = f"{text[:start]}{raw}{text[end:]}"
        return self._row(text, _members(text))

    def new_row(self, name: str, raw: str) -> Row:
        """Returns an object with a name and a caption."""
        members = [f"{json.dumps(self._file_key)}: {self.raw(name, '')}"]
        if raw:
            members.append(f"{json.dumps(self._caption_key)}: {raw}")
        text = f"{{{', '.join(members)}}}"
        return self._row(text, _members(text))

    def renamed(self, row: Row, name: str) -> Row:
        """Returns a line for another image, whose other values stay."""
        _, start, end = _members(row.text)[self._file_key]
        return self.row_of(f"{row.text[:start]}{self.raw(name, '')}{row.text[end:]}")

    def row_of(self, text: str) -> Row:
        """Takes one line apart. Raises ValueError."""
        return self._row(text, _members(text))

    @property
    def columns(self) -> tuple[str, ...]:
        """What lines need in common to be of one table."""
        return ("jsonl", self._file_key, self._caption_key)

    def head(self) -> str:
        """Returns nothing: each line has its keys."""
        return ""

    def _choose_keys(self, found: list[dict[str, _Member]]) -> None:
        texts: dict[str, None] = {}
        captions: dict[str, None] = {}
        for members in found:
            for key, member in members.items():
                captions.setdefault(key)
                if isinstance(member.value, str):
                    texts.setdefault(key)
        if found and any(found):
            file_key = first_of(FILE_COLUMNS, texts)
            if file_key is None:
                reason = translatable("core", "it has no column such as {column}")
                raise TableError(reason.format(column=FILE_COLUMNS[0]))
            self._file_key = file_key
        known = first_of(CAPTION_COLUMNS, texts) or first_of(CAPTION_COLUMNS, captions)
        self._caption_key = known or self._caption_key

    def _row(self, line: str, members: dict[str, _Member]) -> Row:
        name = members.get(self._file_key)
        if name is None or not isinstance(name.value, str) or not name.value:
            return Row(line)
        caption = members.get(self._caption_key)
        if caption is None:
            end = line.rindex("}")
            end = len(line[:end].rstrip())
            return Row(line, name.value, end, end)
        is_text = caption.value is None or isinstance(caption.value, str)
        return Row(line, name.value, caption.start, caption.end, is_text)


def _members(line: str) -> dict[str, _Member]:
    """Returns the values of the object on a line by their keys, the last one of each. Raises
    ValueError for what is no object."""
    members: dict[str, _Member] = {}
    at = _after(line, 0, "{")
    if line.startswith("}", at):
        return _ended(line, at, members)
    while True:
        if not line.startswith('"', at):
            raise JSONDecodeError("a key is missing", line, at)
        key, at = cast("tuple[str, int]", scanstring(line, at + 1, True))
        at = _after(line, at, ":")
        value, end = _DECODER.raw_decode(line, at)
        members[key] = _Member(value, at, end)
        at = _blank(line, end)
        if line.startswith("}", at):
            return _ended(line, at, members)
        at = _after(line, at, ",")


def _ended(line: str, at: int, members: dict[str, _Member]) -> dict[str, _Member]:
    if _blank(line, at + 1) != len(line):
        raise JSONDecodeError("there is more on the line", line, at)
    return members


def _after(line: str, at: int, mark: str) -> int:
    """Returns where the next value begins, behind a mark."""
    at = _blank(line, at)
    if not line.startswith(mark, at):
        raise JSONDecodeError(f"{mark} is missing", line, at)
    return _blank(line, at + 1)


def _blank(line: str, at: int) -> int:
    found = _BLANK.match(line, at)
    return found.end() if found else at
