"""Reviews in exports: what a person thinks of images goes along with their captions, and is found
again by the path of an image, or by its content where that has another path.

Formats that are tables have columns for it, the others a file of their own.
"""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any

from core.captions.cells import cell
from core.errors import Cancelled
from core.file_identity import fingerprint_of
from core.message import translatable
from core.workspace.data import ImageRow, ReviewState
from core.workspace.export.items import ExportItem

REVIEWS = "reviews.csv"
"""The file with the reviews beside caption files."""
_COLUMNS = ("file_name", "review", "fingerprint")


def with_reviews(
    items: Iterable[ExportItem],
    rows: Iterable[ImageRow],
    on_item: Callable[[], None] = lambda: None,
) -> list[ExportItem]:
    """Returns the items with what a person thinks of them, and what they are recognised by. Reads
    the files of which that is unknown; `on_item` is called before each."""
    known = {row.path: row for row in rows}
    contents = Contents(known.values())
    found: list[ExportItem] = []
    for item in items:
        on_item()
        path = item.path.absolute()
        row = known.get(path)
        state = ReviewState.UNREVIEWED if row is None else row.review
        found.append(replace(item, review=str(state), fingerprint=contents.fingerprint(path)))
    return found


def reviews_table(items: Iterable[ExportItem]) -> bytes:
    """Returns the content of the file with the reviews, for spreadsheets as well."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(_COLUMNS)
    for item in items:
        writer.writerow(map(cell, (item.name, item.review, item.fingerprint)))
    return f"\ufeff{text.getvalue()}".encode("utf-8", "backslashreplace")


def reviews_record(item: ExportItem) -> dict[str, Any]:
    """Returns what metadata.jsonl has of a review."""
    return {key: value for key, value in item.record().items() if key in _COLUMNS[1:]}


def review_in(value: object) -> ReviewState | None:
    """Returns the review that a cell names; None for none, also for *unreviewed*."""
    name = "-".join(str(value).lower().replace("_", " ").replace("-", " ").split())
    reviews = [state for state in ReviewState if state is not ReviewState.UNREVIEWED]
    return next((state for state in reviews if state == name), None)


class Contents:
    """What images are recognised by. Only files are read that may be the ones looked for. Raises
    Cancelled once `stop` is set."""

    def __init__(self, rows: Iterable[ImageRow], stop: Event | None = None):
        self._stop = stop
        self._known: dict[Path, str] = {}
        self._by_size: defaultdict[int, list[Path]] = defaultdict(list)
        for row in rows:
            self._by_size[row.bytes].append(row.path)
            if row.fingerprint:
                self._known[row.path] = row.fingerprint

    def fingerprint(self, path: Path) -> str:
        """Returns the fingerprint of an image; "" if it cannot be read."""
        if path not in self._known:
            try:
                found = fingerprint_of(path, self._stop)
            except OSError:
                found = ""
            if found is None:
                raise Cancelled(translatable("core", "Reading was cancelled."))
            self._known[path] = found
        return self._known[path]

    def images(self, fingerprint: str) -> Sequence[Path]:
        """Returns the images with this content."""
        try:
            size = int(fingerprint.partition("-")[0], 16)
        except ValueError:
            return ()
        found = self._by_size.get(size, ())
        return [path for path in found if self.fingerprint(path) == fingerprint]
