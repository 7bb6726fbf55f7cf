"""What a person is writing for images, until it is in their caption files."""

from __future__ import annotations

import os
import threading
from contextlib import closing
from pathlib import Path

from core.captions.encoding import plain
from core.workspace.data import Draft
from core.workspace.images import Images
from core.workspace.opening import failing, open_database
from core.workspace.records import Records


class Drafts:
    """The drafts of a workspace; any thread may call. Raises StoreError if the database fails."""

    def __init__(self, guard: threading.RLock, images: Images, records: Records):
        self._guard, self._images, self._records = guard, images, records

    def of(self, id: int) -> Draft | None:
        """Returns what was being written for an image; None for nothing."""
        with self._guard, failing():
            record = self._records.get(self._images.path_text(id))
            return None if record.draft is None else Draft(record.draft, record.seen)

    def keep(self, id: int, draft: Draft | None) -> None:
        """Keeps what is being written for an image; None once it is written or given up."""
        with self._guard, failing():
            self._records.set_draft(self._images.path_text(id), draft)

    def unsaved(self) -> list[int]:
        """Returns the images whose drafts are not their captions, as far as these are read."""
        with self._guard, failing():
            images = self._images
            known = ((images.id_of_text(path), text) for path, text in self._records.drafts())
            return [
                id for id, text in known if id is not None and plain(text) != images.captions[id]
            ]


def keep_draft(data: Path, image: Path, draft: Draft) -> None:
    """Keeps what a person wrote for an image outside of its workspace, as in a row of a folder run,
    in the database in the folder `data`; it is in the editor once the image is opened. Raises
    StoreError."""
    connection, _ = open_database(data)
    with closing(connection), failing():
        Records(connection).set_draft(os.path.abspath(image), draft)  # noqa: PTH100


def forget_draft(data: Path, image: Path, text: str) -> None:
    """Forgets the draft of an image if it has this text. Raises StoreError."""
    connection, _ = open_database(data)
    path = os.path.abspath(image)  # noqa: PTH100
    with closing(connection), failing():
        records = Records(connection)
        if records.get(path).draft == text:
            records.set_draft(path, None)
