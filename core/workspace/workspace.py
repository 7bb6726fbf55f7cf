"""A folder of images with their captions: found, read, searched, edited, reviewed, and undone."""

from __future__ import annotations

import os
import threading
from array import array
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from threading import Event

from core.captions.formats import CaptionFormat
from core.captions.open_tables import OpenTables
from core.files import is_folder
from core.message import Message
from core.workspace.answers import Answers
from core.workspace.bulk import Operation, changes_of
from core.workspace.changes import Changes
from core.workspace.counting import Counting
from core.workspace.data import (
    CaptionMode,
    Counts,
    EditReport,
    GiveWay,
    ImageRow,
    ReviewState,
    ScanProgress,
    ScanStage,
    Sort,
    Statistics,
    WorkspaceOptions,
)
from core.workspace.drafts import Drafts
from core.workspace.edits import Edits
from core.workspace.gone import Gone
from core.workspace.images import Images
from core.workspace.index import Index, index_path
from core.workspace.kept_options import KeptOptions
from core.workspace.listed_paths import ListedPaths
from core.workspace.made_tables import MadeTables
from core.workspace.ongoing import OngoingEdit, Parts, finished, whole
from core.workspace.opening import FILE_NAME, failing, open_database, write_lock
from core.workspace.preview import Preview, previewed
from core.workspace.query import Query
from core.workspace.reading import Reading
from core.workspace.records import Records
from core.workspace.search import Search
from core.workspace.similar import groups_of_similar
from core.workspace.sources import Sources, chosen_options

_ALL = Sort()
# A disk may take long to sync; what is not known to be done is looked at when it is opened again.
_SECONDS_FOR_SYNC = 2


class Workspace:
    """An open workspace. Any thread may call it; a scan may go on in one thread while another one
    searches and edits, which waits some milliseconds at most. Nothing is called back under a lock.

    Calls that write raise StoreError if the program's own database fails. `notes` are sentences
    about what was found at opening and in the last scan.
    """

    @staticmethod
    def open(
        roots: Sequence[Path], data: Path, options: WorkspaceOptions, *, recovers: bool = True
    ) -> Workspace:
        """Opens the images in these folders, and these images, as the index in the folder `data`
        knows them. With `recovers` it finishes what killed edits left, and waits for those that go
        on. Raises StoreError."""
        return Workspace(roots, data, options, recovers)

    def __init__(
        self, roots: Sequence[Path], data: Path, options: WorkspaceOptions, recovers: bool
    ):
        """Use `open`."""
        self.roots = tuple(Path(os.path.abspath(root)) for root in roots)  # noqa: PTH100
        self.reach, self.left_out = self.roots, tuple[Message, ...]()
        """The folders in which edits may change images; what the last scan left out."""
        self._guard = threading.RLock()
        self._images = Images(self.roots)
        self._counting = Counting(self._guard, self._images)
        self._places = tuple(root if is_folder(root) else root.parent for root in self.roots)
        self._connection, notes = open_database(data)
        self._kept = KeptOptions(self._connection, self._places)
        with failing():
            options = chosen_options(options, self._kept, self._places)
        self.options = options
        # Of single files there is nothing that takes long to read again.
        place = index_path(data / "workspaces", self.roots, options)
        self._index = Index(place if any(map(is_folder, self.roots)) else None)
        self._records = Records(self._connection, self._images.fingerprint_of)
        tables = OpenTables(MadeTables(self._connection))
        self._edits = Edits(self._connection, data / FILE_NAME, self._places, tables)
        self.answers = Answers(self._guard, self._images, self._records, self._edits)
        """What models wrote."""
        self.drafts = Drafts(self._guard, self._images, self._records)
        """What is being written."""
        self.gone = Gone(self._guard, self._images, self._records)
        """What is kept of images that are gone."""
        self.sources = Sources(self._guard, self._images, self._kept, self._places, tables)
        """Where captions are, and could be."""
        self._changes = Changes(self._images, self._records, self._edits, self._places)
        self._writing = write_lock(data)
        self._reading = Reading(
            *(self._images, self._index, self._records, self._guard),
            *(self.roots, self._places, options, tables),
        )
        if recovers:
            with self._writing, self._guard, failing():
                notes = (*notes, *self._changes.recover())
        with self._guard, failing():
            self.notes = self._opening_notes = notes
            self._index.load(self._images)
            self._reading.note_records()

    @property
    def counts(self) -> Counts:
        """How many images there are, and of each kind."""
        with self._guard:
            return self._images.counts()

    def ids(self, query: Query | None = None, sort: Sort = _ALL) -> array[int]:
        """Returns the ids of the images that a query finds, in this order. Raises QueryError."""
        search = self.search(query, sort)
        while not search.is_done:
            search.go_on()
        return search.found

    def search(self, query: Query | None = None, sort: Sort = _ALL) -> Search:
        """Returns a search that is made part by part, so that it can be left."""
        return Search(self._images, self._guard, query, sort)

    def rows(self, ids: Iterable[int]) -> list[ImageRow]:
        """Returns these images as lists show them; those that are gone are left out."""
        with self._guard:
            return [self._images.row(id) for id in ids if id in self._images]

    def paths(self, ids: Sequence[int]) -> ListedPaths:
        """Returns the files of these images, in this order."""
        with self._guard:
            return ListedPaths(self._images, ids)

    @property
    def folders(self) -> list[Path]:
        """The folders that were looked through, in the order in which they were found."""
        with self._guard:
            return [Path(folder) for folder in self._images.folders]

    def row_of(self, path: Path) -> ImageRow | None:
        """Returns an image; None if it is not in the workspace."""
        with self._guard:
            return None if (id := self._images.id_of(path)) is None else self._images.row(id)

    def statistics(
        self, ids: Iterable[int] | None = None, *, give_way: GiveWay | None = None
    ) -> Statistics:
        """Counts what these images have in common, or all. Takes a second for 100,000."""
        return self._counting.statistics(ids, self.options.mode, give_way)

    def guessed_mode(self) -> CaptionMode:
        """Returns what most captions look like that are read; texts while there are few."""
        return self._counting.guessed_mode()

    def tags(self, give_way: GiveWay | None = None) -> Mapping[str, int]:
        """Returns how many captions have each tag, counted once until one changes."""
        return self._counting.tags(give_way)

    def settle_mode(self) -> CaptionMode:
        """Returns what the captions are: as a person has chosen for these folders, or else what
        most captions look like that are read. `options` say it from then on. Descriptions in XMP
        files are texts unless a person says that the keywords are meant."""
        with self._guard, failing():
            if self.options.format is not CaptionFormat.XMP:
                mode = self._kept.mode or self.guessed_mode()
                self.options = replace(self.options, mode=mode)
        return self.options.mode

    def choose_mode(self, mode: CaptionMode) -> None:
        """Sets what the captions of these folders are, also for later. In XMP files tags are the
        keywords and texts the description, so there it counts when they are opened again."""
        with self._guard, failing():
            if self.options.format is not CaptionFormat.XMP:
                self.options = replace(self.options, mode=mode)
            self._kept.mode = mode

    def set_token_counter(self, count: Callable[[str], int] | None) -> None:
        """Sets what counts the tokens of captions for `tokens:`; None while no model is loaded."""
        with self._guard:
            # A caption takes up to 0.1 ms, and a query is typed by letters.
            self._images.count_tokens = count and lru_cache(maxsize=1 << 17)(count)

    def scan(
        self,
        stop: Event,
        on_progress: Callable[[ScanProgress], None],
        folders: Sequence[Path] | None = None,
        *,
        until: ScanStage = ScanStage.FINGERPRINTS,
        give_way: GiveWay | None = None,
    ) -> None:
        """Reads what has changed: names first, then captions, sizes and fingerprints, up to the
        stage `until`. With `folders` only these are looked through, as a watcher of folders wants
        it, without their subfolders but for new ones. Ends soon once `stop` is set. Calls
        `on_progress` in this thread, and `give_way` before it reads what no list shows."""
        self.left_out = self._reading.scan(
            stop, on_progress, folders, until=until, give_way=give_way
        )
        with self._guard, failing():
            self._edits.actions.forget_old()
        self.notes = (*self._opening_notes, *self.left_out)

    def find_similar(self, stop: Event, on_progress: Callable[[ScanProgress], None]) -> None:
        """Reads what duplicates are recognised by, of the images that are known. May go on in a
        thread beside a scan; ends soon once `stop` is set."""
        self._reading.find_similar(stop, on_progress)

    def groups_of_similar(self, *, only_equal: bool = False) -> list[tuple[int, ...]]:
        """Returns the groups of two or more images that are equal or look nearly the same, or only
        of equal ones, as far as these are known."""
        return groups_of_similar(self._images, self._guard, only_equal=only_equal)

    def read_again(self, images: Iterable[Path]) -> list[int]:
        """Reads the captions of these images, whose files may have changed; returns the ids of
        those that have."""
        changed: list[int] = []
        with self._guard:
            for image in images:
                if (id := self._images.id_of(image)) is not None:
                    found = self._reading.reader.read(self._images, id)
                    if found is not None:
                        found.note(self._images, id)
                        changed.append(id)
        return changed

    # Changing

    def set_captions(
        self,
        captions: Mapping[int, str],
        name: Message,
        *,
        overwrites: Collection[int] = (),
        seen: Mapping[int, str] | None = None,
        is_by_model: bool = False,
        reviews: Mapping[int, ReviewState] | None = None,
    ) -> EditReport:
        """Writes captions and sets `reviews` as one action, called `name`, that can be undone.

        A caption file that another program has changed since it had the text in `seen`, which
        stands for what was read last, is left: a conflict, unless `overwrites` names its image.
        """
        with self._writing, self._guard, failing():
            return whole(
                self._changes.set_captions(
                    *(captions.items(), len(captions), name, self._reading.reader),
                    overwrites=overwrites,
                    seen=seen,
                    is_by_person=not is_by_model,
                    reviews=reviews,
                )
            )

    def begin_set_captions(
        self,
        captions: Mapping[int, str],
        name: Message,
        *,
        seen: Mapping[int, str] | None = None,
        reviews: Mapping[int, ReviewState] | None = None,
    ) -> OngoingEdit:
        """Returns the edit that `set_captions` makes, to be made part by part."""

        def begin(stop: Event) -> Parts:
            what = captions.items(), len(captions), name, self._reading.reader
            return self._changes.set_captions(*what, seen=seen, reviews=reviews, stop=stop)

        return self._ongoing(begin)

    def apply(self, ids: Sequence[int], operation: Operation) -> EditReport:
        """Applies an operation to the captions of these images, as one action. Raises
        `bulk.PatternError`; then none is changed."""
        return finished(self.begin_apply(ids, operation))

    def begin_apply(self, ids: Sequence[int], operation: Operation) -> OngoingEdit:
        """Returns the same edit, to be made part by part; none is changed before its first."""

        def begin(stop: Event) -> Parts:
            captions = changes_of(operation, self._images, ids, self.options.mode)
            reader = self._reading.reader
            return self._changes.set_captions(captions, len(ids), operation.name, reader, stop=stop)

        return self._ongoing(begin)

    def preview(self, ids: Iterable[int], operation: Operation, most: int) -> Preview:
        """Returns what `apply` would do, with at most `most` captions shown. Raises as that."""
        with self._guard:
            return previewed(self._images, ids, operation, self.options.mode, most)

    def set_review(self, ids: Iterable[int], state: ReviewState) -> EditReport:
        """Sets what a person thinks of these images, as one action."""
        return finished(self.begin_set_review(ids, state))

    def begin_set_review(self, ids: Iterable[int], state: ReviewState) -> OngoingEdit:
        """Returns the same edit, to be made part by part."""
        wanted = list(dict.fromkeys(ids))
        return self._ongoing(lambda stop: self._changes.set_review(wanted, state, stop))

    def move_to(self, ids: Iterable[int], folder: Path) -> EditReport:
        """Moves images with the files beside them to another folder, as one action. Where a name is
        taken there, they get a number."""
        return finished(self.begin_move_to(ids, folder))

    def begin_move_to(self, ids: Iterable[int], folder: Path) -> OngoingEdit:
        """Returns the same edit, to be made part by part."""
        wanted = list(dict.fromkeys(ids))
        self.reach = (*self.reach, folder)

        def begin(stop: Event) -> Parts:
            pattern, reader = self.options.pattern, self._reading.reader
            return self._changes.move_to(wanted, folder, pattern, reader, stop)

        return self._ongoing(begin)

    def trash(self, ids: Iterable[int]) -> EditReport:
        """Moves images with the files beside them to the system's trash, their rows out of tables.
        Undone where `HAS_WAY_BACK`; else only the rows are. Raises StoreError without a trash."""
        return finished(self.begin_trash(ids))

    def begin_trash(self, ids: Iterable[int]) -> OngoingEdit:
        """Returns the same edit, to be made part by part."""
        wanted = list(dict.fromkeys(ids))

        def begin(stop: Event) -> Parts:
            pattern, reader = self.options.pattern, self._reading.reader
            return self._changes.trash(wanted, pattern, reader, stop)

        return self._ongoing(begin)

    @property
    def undo_name(self) -> Message | None:
        """What `undo` would undo; None for nothing."""
        with self._guard, failing():
            action = self._edits.last_made
            return action and action.name

    @property
    def redo_name(self) -> Message | None:
        """What `redo` would do again; None for nothing."""
        with self._guard, failing():
            action = self._edits.last_undone
            return action and action.name

    def undo(self) -> EditReport | None:
        """Undoes the last action on images of this workspace, also of an earlier session, but for
        files that were changed since. Returns None if there is none."""
        return self.begin_undo().finish()

    def begin_undo(self) -> OngoingEdit:
        """Returns the same edit, to be made part by part. What it has not come to when it is
        stopped can be undone later."""
        return self._ongoing(lambda stop: self._changes.undo(self._reading.reader, stop))

    def redo(self) -> EditReport | None:
        """Makes the action again that was undone last. Returns None if there is none."""
        return self.begin_redo().finish()

    def begin_redo(self) -> OngoingEdit:
        """Returns the same edit, as `begin_undo`."""
        return self._ongoing(lambda stop: self._changes.redo(self._reading.reader, stop))

    def note(self, path: Path) -> str:
        """Returns a person's note about an image or a folder; "" without one."""
        with self._guard, failing():
            return self._records.note(str(path))

    def image_notes(self) -> tuple[tuple[str, str], ...]:
        """Returns the notes about images of this workspace, with their paths."""
        with self._guard, failing():
            found = self._records.notes()
            known = self._images.id_of_text
            return tuple((path, text) for path, text in found.items() if known(path) is not None)

    def set_note(self, path: Path, text: str) -> None:
        """Keeps a person's note about an image or a folder, for its prompts; "" removes it."""
        with self._guard, failing():
            self._records.set_note(str(path), text, is_image=self._images.id_of(path) is not None)

    def close(self) -> None:
        """Writes the index and closes the files."""
        self._edits.close(_SECONDS_FOR_SYNC)
        self._index.save(self._images, self._guard)
        self._index.close()
        with self._guard:
            self._connection.close()

    def _ongoing(self, begin: Callable[[Event], Parts | None]) -> OngoingEdit:
        return OngoingEdit(self._guard, self._writing, begin)
