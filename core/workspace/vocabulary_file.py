"""Reads a vocabulary of tags: a text file with one on each line, or a CSV file as Danbooru's lists
have it, with the tag in the first column, and in others how frequent it is and its aliases."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from core.captions.cells import text_in
from core.captions.encoding import decoded
from core.errors import StoreError
from core.files import read_bytes
from core.message import translatable
from core.workspace.tags import tag_key

_LARGEST = 50_000_000
_HEADS = {"tag", "tags", "name"}


def read_vocabulary(path: Path) -> tuple[str, ...]:
    """Returns the tags of a file in their order, each once. Lines that begin with # are comments.
    Raises StoreError for a file that cannot be read, and one without tags."""
    data = read_bytes(path, most=_LARGEST)
    if data is None:
        text = translatable("core", "“{name}” is no longer there. Choose another vocabulary.")
        raise StoreError(text.format(name=path.name))
    lines = _first_cells(decoded(data, path.name), is_csv=path.suffix.lower() in (".csv", ".tsv"))
    tags: dict[str, str] = {}
    for number, line in enumerate(lines):
        tag = " ".join(line.split())
        is_head = number == 0 and tag.lower() in _HEADS
        if tag and not tag.startswith("#") and not is_head:
            tags.setdefault(tag_key(tag), tag)
    if not tags:
        text = translatable("core", "“{name}” has no tags. Write one on each line.")
        raise StoreError(text.format(name=path.name))
    return tuple(tags.values())


def _first_cells(text: str, *, is_csv: bool) -> list[str]:
    if not is_csv:
        lines = text.splitlines()
        # One line with commas is a list of tags as well.
        return text.split(",") if len(lines) == 1 else lines
    separator = max("\t;,", key=text.partition("\n")[0].count)
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    return [text_in(row[0]) for row in rows if row]
