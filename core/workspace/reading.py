"""Reading the images of a workspace: what a scan finds goes into the columns and the index."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from threading import Event

from core.captions.naming import CaptionNames
from core.captions.open_tables import OpenTables
from core.files import is_folder
from core.message import Message
from core.workspace.data import GiveWay, ScanProgress, ScanStage, Sort, WorkspaceOptions
from core.workspace.images import CaptionState, Images
from core.workspace.index import Index
from core.workspace.opening import failing
from core.workspace.orders import ordered
from core.workspace.readers import CaptionReader, SidecarReader
from core.workspace.records import Record, Records
from core.workspace.scan import Scan, roots_in
from core.workspace.table_reader import TableReader

_ALL = Sort()
_STAGES = list(ScanStage)


class Reading:
    """Reads files into `images`, under `guard` where it changes them; `index` keeps what was read.

    `reader` reads captions; it knows the images of the last scan.
    """

    def __init__(
        self,
        images: Images,
        index: Index,
        records: Records,
        guard: threading.RLock,
        roots: Sequence[Path],
        places: Sequence[Path],
        options: WorkspaceOptions,
        tables: OpenTables,
    ):
        """`places` are the folders of `roots`, which may be images."""
        self._tables, self._has_read_tables = tables, False
        self._images, self._index, self._records, self._guard = images, index, records, guard
        self._roots, self._places, self._options = roots, places, options
        self.reader = self._new_reader()

    def scan(
        self,
        stop: Event,
        on_progress: Callable[[ScanProgress], None],
        folders: Sequence[Path] | None = None,
        *,
        until: ScanStage = ScanStage.FINGERPRINTS,
        give_way: GiveWay | None = None,
    ) -> tuple[Message, ...]:
        """See `Workspace.scan`. Returns what to say of what was left out."""
        scan = Scan(self._images, self._guard, stop, on_progress, give_way)
        is_recursive = self._options.is_recursive
        roots = self._roots if folders is None else roots_in(folders, self._roots, self._places)
        scan.folders(roots, is_recursive=is_recursive and folders is None)
        if is_recursive and scan.new_folders:
            scan.folders(scan.new_folders, is_recursive=True)
        with self._guard:
            self.reader = self._new_reader()
        self.note_records()
        ids = self._to_read(folders)
        works = (
            (ScanStage.CAPTIONS, lambda: scan.captions(self.reader, ids)),
            (ScanStage.SIZES, scan.sizes),
            (ScanStage.FINGERPRINTS, lambda: scan.fingerprints(self._find_moved)),
            (ScanStage.SIMILARITY, scan.similarity),
        )
        for stage, work in works:
            is_waited_for = stage is ScanStage.CAPTIONS
            self._index.save(self._images, self._guard, None if is_waited_for else give_way)
            if not stop.is_set() and _STAGES.index(stage) <= _STAGES.index(until):
                work()
                self._has_read_tables |= stage is ScanStage.CAPTIONS and not stop.is_set()
        self._index.save(self._images, self._guard, give_way)
        return (*scan.notes, *self._tables.notes) if self._options.table else scan.notes

    def _to_read(self, folders: Sequence[Path] | None) -> list[int]:
        """Returns the images whose captions may be others, if only these folders have changed."""
        images = self._images
        ids = ordered(images, self._guard, _ALL)
        if self._options.table:
            # One of them may have the rows of all folders; what we write ourselves is known.
            with self._guard:
                places = list(map(Path, images.folders)) if folders is None else folders
                paths = [str(folder / self._options.table) for folder in places]
                has_changed = self._tables.take_changes(paths)
            if has_changed or not self._has_read_tables:
                return ids
            folders = ()
        elif folders is None:
            return ids
        with self._guard:
            wanted = {images.folder_id(str(folder)) for folder in folders}
            folder_of, states = images.folder_of[:], bytes(images.states)
        unknown = (CaptionState.UNREAD, CaptionState.UNREADABLE)
        return [id for id in ids if folder_of[id] in wanted or states[id] in unknown]

    def find_similar(self, stop: Event, on_progress: Callable[[ScanProgress], None]) -> None:
        """See `Workspace.find_similar`."""
        scan = Scan(self._images, self._guard, stop, on_progress)
        ids = ordered(self._images, self._guard, _ALL)
        # What was brought back from the trash is known by its name alone.
        works = (
            lambda: scan.captions(self.reader, ids),
            scan.sizes,
            lambda: scan.fingerprints(self._find_moved),
            scan.similarity,
        )
        for work in works:
            if not stop.is_set():
                work()
        if not stop.is_set():
            self._index.save(self._images, self._guard)

    def note_records(self) -> None:
        """Notes the records of images in folders that are new, or have new images."""
        with self._guard:
            new = self._images.take_new_folders()
        for folder in new:
            with self._guard, failing():
                names = self._images.names_in(folder)
                found = self._records.in_folder(self._images.folders[folder])
                for name, record in found.items():
                    if (id := names.get(name)) is not None:
                        self._note_record(id, record)

    def _note_record(self, id: int, record: Record) -> None:
        self._images.set_review(id, record.review)
        self._images.edited[id] = record.is_edited
        self._images.set_doubt(id, record.doubt)

    def _find_moved(self, found: Mapping[int, str]) -> None:
        """Gives images whose fingerprints are now known the records that they had elsewhere."""
        with failing():
            paths = {self._images.path_text(id): mark for id, mark in found.items()}
            for image, record in self._records.found_again(paths).items():
                if (id := self._images.id_of_text(image)) is not None:
                    self._note_record(id, record)

    def _new_reader(self) -> CaptionReader:
        if self._options.table:
            return TableReader(self._tables, self._options.table, self._places)
        images = [path for path in self._roots if not is_folder(path)]
        formats = (self._options.format,)
        names = CaptionNames(self._options.pattern, formats, self._places, images)
        return SidecarReader(names, are_keywords=self._options.are_keywords)
