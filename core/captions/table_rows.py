"""A row of a table of captions, and which of its columns count."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from core.message import Message

FILE_COLUMNS = ("file_name", "filename", "file", "image", "image_path", "path", "picture", "name")
"""What columns with the images' names are called, the best first."""

CAPTION_COLUMNS = ("caption", "text", "description", "prompt")


class TableError(Exception):
    """What is wrong with a table; `reason` goes into a sentence for the user."""

    def __init__(self, reason: Message):
        super().__init__(reason)
        self.reason = reason


class Row(NamedTuple):
    """A row as it stands in the text, with its line end. `name` is the image's, "" for a row
    without one; the caption stands at `start` to `end`. `is_text` is False for a caption that is a
    number or a list."""

    text: str
    name: str = ""
    start: int = 0
    end: int = 0
    is_text: bool = True

    @property
    def raw(self) -> str:
        """The caption as it is written; "" for none."""
        return self.text[self.start : self.end]

    def with_caption_written(self, raw: str) -> Row:
        """Returns the row with another caption at the place of its own."""
        text = f"{self.text[: self.start]}{raw}{self.text[self.end :]}"
        return Row(text, self.name, self.start, self.start + len(raw))

    def with_end(self, end: str) -> Row:
        """Returns the row with a line end."""
        return self._replace(text=self.text + end)

    def without_end(self) -> Row:
        """Returns the row without its line end."""
        for end in ("\r\n", "\n", "\r"):
            if self.text.endswith(end):
                return self._replace(text=self.text.removesuffix(end))
        return self


def first_of(columns: tuple[str, ...], names: Iterable[str]) -> str | None:
    """Returns the first of these columns that is among the names, as it is written there."""
    known = {name.strip().lower(): name for name in reversed(list(names))}
    return next((known[column] for column in columns if column in known), None)


def usual_caption_column(table: str) -> str:
    """Returns what the captions of a new table are called; trainers read `text` of metadata."""
    return "text" if table.lower().startswith("metadata") else "caption"
