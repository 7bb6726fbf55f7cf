"""Captions in tables: found in an image's folder or one above it, and read."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from core.captions.open_tables import OpenTables, TablePlaces, no_text, place_in
from core.errors import StoreError
from core.workspace.actions import StepKind
from core.workspace.caption_file import CaptionFile
from core.workspace.images import CaptionState, Images
from core.workspace.readers import CaptionChange, LineMove, NotedCaption, ReadCaption


class TableReader:
    """The captions in tables called `name`; `places` are the folders of the workspace, in which a
    new table is made."""

    def __init__(self, tables: OpenTables, name: str, places: Iterable[Path]):
        self._tables, self._rows = tables, TablePlaces(tables, name, places)

    def claim(self, images: Images, ids: Iterable[int]) -> None:
        """See `CaptionReader.claim`: rows are not shared."""

    def read(self, images: Images, id: int) -> NotedCaption | None:
        """See `CaptionReader.read`."""
        found = self.found(images.path_text(id))
        state, before = images.states[id], ReadCaption(images.targets[id], images.captions[id])
        is_known = state in (CaptionState.PRESENT, CaptionState.NONE)
        if before.caption and not found.caption and not os.path.lexists(images.path_text(id)):
            return None  # As where a disk is not connected any more: the scan finds that out.
        return None if is_known and found == before else _Row(self)

    def change(self, images: Images, id: int, caption: str) -> CaptionChange:
        """See `CaptionReader.change`."""
        image = images.path_text(id)
        path, table, key = self._rows.row(image)
        if not table.is_text(key):
            raise StoreError(no_text(path, image))
        before = table.raw(key)
        after = table.written(key, caption)
        return CaptionChange(path, StepKind.ROW, before, after, table.caption(before))

    def caption_in(self, path: str, data: bytes | None) -> str:
        """See `CaptionReader.caption_in`."""
        return CaptionFile.of(path, data).caption

    def moved(self, image: str, target: str | None) -> list[LineMove]:
        """See `CaptionReader.moved`. A row goes into the table of the folder that the image goes
        to, or of one above that; where there is none, into a new one."""
        path, table, key = self._rows.row(image)
        lines = table.lines(key)
        if not lines or target is None:
            return [LineMove(image, path, line, None) for line in lines]
        other_path = self._rows.paths(os.path.dirname(target))[0]  # noqa: PTH120 (quick)
        other = table if other_path == path else self._tables.table(other_path)
        other_key, name = place_in(other, other_path, target)
        if other is table and other_key not in table.places:
            renamed = [(line, table.line_for(line, table, other_key, name)) for line in lines]
            return [LineMove(target, path, line, new) for line, new in renamed]
        first, *further = [other.line_for(line, table, other_key, name) for line in lines]
        return [
            *(LineMove(image, path, line, None) for line in lines),
            LineMove(target, other_path, other.line(other_key), first),
            *(LineMove(target, other_path, None, line) for line in further),
        ]

    def found(self, image: str) -> ReadCaption:
        """Returns the caption of an image, or the problem with it."""
        path = self._rows.paths(os.path.dirname(image))[0]  # noqa: PTH120 (quick)
        try:
            path, table, key = self._rows.row(image)
            if not table.is_text(key):
                return ReadCaption(path, problem=no_text(path, image))
            return ReadCaption(path, table.caption(table.raw(key)))
        except StoreError as error:
            return ReadCaption(path, problem=error.message)


@dataclass(frozen=True)
class _Row:
    """A caption that is looked up again when it is noted: an edit may have come between."""

    reader: TableReader

    def note(self, images: Images, id: int) -> None:
        self.reader.found(images.path_text(id)).note(images, id)
