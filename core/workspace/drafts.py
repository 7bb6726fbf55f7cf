"""What a person is writing for images, until it is in their caption files."""

from __future__ import annotations

import os
import threading
from collections.abc import Generator
from contextlib import closing, contextmanager
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


class DraftOutside:
    """What a person is writing for an image outside of its workspace, as in a row of a folder run:
    a draft in the database in the folder `data`, which is in the editor once the image is opened.

    What was being written in its workspace, and is still undecided, stands above it. Used by one
    thread at a time; calls raise StoreError.
    """

    def __init__(self, data: Path, image: Path):
        self._data, self._path = data, os.path.abspath(image)  # noqa: PTH100
        self._kept: str | None = None
        self._other: Draft | None = None

    def keep(self, draft: Draft) -> None:
        """Keeps it, in the place of what was kept here before."""
        with self._records() as records:
            found = records.get(self._path)
            if found.draft not in (None, self._kept, draft.text):
                self._other = Draft(found.draft, found.seen)
            texts = (self._other.text, draft.text) if self._other else (draft.text,)
            whole = Draft("\n\n".join(texts), draft.seen)
            records.set_draft(self._path, whole)
            self._kept = whole.text

    def forget(self) -> None:
        """Forgets what was kept here."""
        with self._records() as records:
            if self._kept is not None and records.get(self._path).draft == self._kept:
                records.set_draft(self._path, self._other)
            self._kept = self._other = None

    def hand_over(self) -> None:
        """Leaves what was kept to the workspace, which writes it and forgets it then."""
        if self._other is not None:
            self.forget()
        self._kept = None

    @contextmanager
    def _records(self) -> Generator[Records]:
        connection, _ = open_database(self._data)
        with closing(connection), failing():
            yield Records(connection)
