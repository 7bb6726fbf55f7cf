"""A folder of images with their captions: found, read, searched, edited, reviewed, and undone."""

from __future__ import annotations

import os
import sqlite3
import threading
from array import array
from collections import Counter
from collections.abc import Callable, Collection, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Event

from core.captions.naming import CaptionNames
from core.errors import StoreError
from core.files import is_folder, write_error
from core.message import Message, translatable
from core.workspace import records
from core.workspace.actions import Step, StepKind
from core.workspace.caption_file import CaptionFile
from core.workspace.completion import Completion, completions
from core.workspace.data import (
    Conflict,
    Counts,
    EditReport,
    Failure,
    ImageRow,
    ReviewState,
    ScanProgress,
    Sort,
    WorkspaceOptions,
)
from core.workspace.edits import Edits, Outcome
from core.workspace.images import Images
from core.workspace.index import Index, index_path
from core.workspace.messages import as_message
from core.workspace.query import Query
from core.workspace.records import Records
from core.workspace.scan import CaptionReader, Scan, stamp_of
from core.workspace.tags import counted

_ALL = Sort()
_MOST_FOLDERS = 50


class Workspace:
    """An open workspace. Any thread may call it; a scan may go on in one thread while another one
    searches and edits, which waits some milliseconds at most. Nothing is called back under a lock.

    Calls that write raise StoreError if the program's own database fails. `notes` are sentences
    about what was found at opening and in the last scan.
    """

    @staticmethod
    def open(roots: Sequence[Path], data: Path, options: WorkspaceOptions) -> Workspace:
        """Opens the images in these folders, and these images, as the index in the folder `data`
        knows them. Finishes what a killed edit has left under way. Raises StoreError."""
        return Workspace(roots, data, options)

    def __init__(self, roots: Sequence[Path], data: Path, options: WorkspaceOptions):
        """Use `open`."""
        self.roots = tuple(Path(os.path.abspath(root)) for root in roots)  # noqa: PTH100
        self.options = options
        self.notes: tuple[Message, ...] = ()
        self._guard = threading.RLock()
        self._images = Images(self.roots)
        self._index = Index(index_path(data / "workspaces", self.roots, options))
        self._connection = _database(data / records.FILE_NAME)
        self._records = Records(self._connection)
        self._places = tuple(root if is_folder(root) else root.parent for root in self.roots)
        self._edits = Edits(self._connection, self._places)
        self._reader = self._new_reader()
        with self._guard:
            self._recover()
            self._index.load(self._images)
            for number in range(len(self._images.folders)):
                self._note_records(number)

    # What there is

    @property
    def counts(self) -> Counts:
        """How many images there are, and of each kind."""
        with self._guard:
            return self._images.counts()

    def ids(self, query: Query | None = None, sort: Sort = _ALL) -> array[int]:
        """Returns the ids of the images that a query finds, in this order."""
        with self._guard:
            ordered = self._images.ordered(sort)
            return array("q", ordered if query is None else query.among(self._images, ordered))

    def rows(self, ids: Iterable[int]) -> list[ImageRow]:
        """Returns these images as lists show them; those that are gone are left out."""
        with self._guard:
            return [self._images.row(id) for id in ids if id in self._images]

    def row_of(self, path: Path) -> ImageRow | None:
        """Returns an image; None if it is not in the workspace."""
        with self._guard:
            id = self._images.id_of(path)
            return None if id is None else self._images.row(id)

    def tags(self) -> Counter[str]:
        """Counts how many captions have each tag."""
        with self._guard:
            captions = [self._images.captions[id] for id in self._images.ids]
        return counted(captions)

    def completions(self, line: str, cursor: int) -> list[Completion]:
        """Returns what may be meant by the word before the cursor in a query line."""
        return completions(line, cursor, self.tags())

    def set_token_counter(self, count: Callable[[str], int] | None) -> None:
        """Sets what counts the tokens of captions for `tokens:`; None while no model is loaded."""
        with self._guard:
            self._images.count_tokens = count

    # Reading

    def scan(
        self,
        stop: Event,
        on_progress: Callable[[ScanProgress], None],
        folders: Sequence[Path] | None = None,
    ) -> None:
        """Reads what has changed: names first, then captions, then sizes. With `folders` only those
        are read, for a watcher of folders; then their subfolders are not. Ends soon once `stop` is
        set. Calls `on_progress` in this thread."""
        scan = Scan(self._images, self._guard, stop, on_progress)
        known = len(self._images.folders)
        scan.folders(folders or self.roots, is_recursive=self.options.is_recursive and not folders)
        with self._guard:
            self._reader = self._new_reader()
            for number in range(known, len(self._images.folders)):
                self._note_records(number)
            ids = self._images.ordered(_ALL)
            if folders:
                wanted = {self._images.folder_id(str(folder)) for folder in folders}
                ids = [id for id in ids if self._images.folder_of[id] in wanted]
            self._index.save(self._images)
        scan.captions(self._reader, ids)
        with self._guard:
            self._index.save(self._images)
        scan.sizes()
        with self._guard:
            self._index.save(self._images)

    # Changing

    def set_captions(
        self,
        captions: Mapping[int, str],
        name: Message,
        *,
        overwrites: Collection[int] = (),
        seen: Mapping[int, str] | None = None,
    ) -> EditReport:
        """Writes captions as one action, called `name`, that can be undone.

        A caption file that another program has changed since `seen`, or since it was read, is left:
        a conflict, unless its image is among those that `overwrites` names.
        """
        with self._guard, _failing():
            plan = _Plan(name)
            for id, caption in captions.items():
                if id in self._images:
                    was = self._images.captions[id] if seen is None else seen.get(id)
                    self._plan(plan, id, caption, None if id in overwrites else was)
            return self._make(plan)

    def change_captions(
        self, ids: Iterable[int], change: Callable[[str], str], name: Message
    ) -> EditReport:
        """Applies a function to the captions of these images, as one action."""
        with self._guard:
            images = self._images
            captions = {id: change(images.captions[id]) for id in ids if id in images}
            changed = {id: text for id, text in captions.items() if text != images.captions[id]}
            return self.set_captions(changed, name)

    def set_review(self, ids: Iterable[int], state: ReviewState) -> EditReport:
        """Sets what a person thinks of these images, as one action."""
        name = translatable("core", "Review")
        with self._guard, _failing():
            plan = _Plan(name)
            for id in ids:
                row = self._images.row(id)
                if row.review != state:
                    before, after = row.review.encode(), state.encode()
                    step = Step(row.path, row.path, before, after, kind=StepKind.REVIEW)
                    plan.steps[id] = step
            return self._make(plan)

    @property
    def undo_name(self) -> Message | None:
        """What `undo` would undo; None for nothing."""
        with self._guard, _failing():
            action = self._edits.last_made
            return action and action.name

    @property
    def redo_name(self) -> Message | None:
        """What `redo` would do again; None for nothing."""
        with self._guard, _failing():
            action = self._edits.last_undone
            return action and action.name

    def undo(self) -> EditReport | None:
        """Undoes the last action on images of this workspace, also of an earlier session, but for
        files that were changed since. Returns None if there is none."""
        with self._guard, _failing():
            action = self._edits.last_made
            return action and self._report(action.name, self._edits.undo(action))

    def redo(self) -> EditReport | None:
        """Makes the action again that was undone last. Returns None if there is none."""
        with self._guard, _failing():
            action = self._edits.last_undone
            return action and self._report(action.name, self._edits.redo(action))

    # Drafts

    def draft(self, id: int) -> str | None:
        """Returns the text that was being written for an image; None for none."""
        with self._guard, _failing():
            return self._records.get(self._images.path(id)).draft

    def keep_draft(self, id: int, text: str | None) -> None:
        """Keeps what is being written for an image; None once it is written or given up."""
        with self._guard, _failing():
            self._records.set("draft", {self._images.path(id): text})
            self._records.commit()

    def close(self) -> None:
        """Writes the index and closes the files."""
        with self._guard:
            self._index.save(self._images)
            self._index.close()
            self._connection.close()

    # Helpers

    def _new_reader(self) -> CaptionReader:
        images = [path for path in self.roots if not is_folder(path)]
        formats = (self.options.format,)
        return CaptionReader(CaptionNames(self.options.pattern, formats, self._places, images))

    def _note_records(self, folder: int) -> None:
        names = self._images.names_in(folder)
        for name, record in self._records.in_folder(self._images.folders[folder]).items():
            if (id := names.get(name)) is not None:
                self._images.set_review(id, record.review)
                self._images.edited[id] = record.is_edited
                self._images.set_doubt(id, record.doubt)

    def _recover(self) -> None:
        with _failing():
            for action, outcome in self._edits.recover():
                self._keep_records(outcome.made)
                text = translatable("core", "“{name}” was interrupted and has been finished.")
                if outcome.not_made:
                    text = translatable(
                        "core",
                        "“{name}” was interrupted. It was finished but for {count} captions that "
                        "were changed since.",
                    )
                    text = text.format(name=action.name, count=len(outcome.not_made))
                else:
                    text = text.format(name=action.name)
                self.notes = (*self.notes, text)

    def _plan(self, plan: _Plan, id: int, caption: str, was: str | None) -> None:
        """Adds what is to be done for a caption, unless the file no longer holds `was`."""
        image = self._images.path(id)
        try:
            file = CaptionFile.read(self._reader.target(image))
            after = file.with_caption(caption, image.suffix[1:])
        except StoreError as error:
            plan.failures.append(Failure(image, as_message(error.message)))
            return
        if was is not None and file.caption not in (was, caption):
            plan.conflicts.append(Conflict(id, image, caption, file.caption))
            self._note_caption(id, file.path, file.caption)
        elif after != file.data and file.caption != caption:
            was_edited = bool(self._images.edited[id])
            plan.steps[id] = Step(image, file.path, file.data, after, was_edited)

    def _make(self, plan: _Plan) -> EditReport:
        if not plan.steps:
            return plan.report()
        steps = list(plan.steps.values())
        folders = {step.image.parent for step in steps}
        if len(folders) > _MOST_FOLDERS:
            folders = set(self._places)
        outcome = self._edits.make(plan.name, steps, sorted(folders))
        return self._report(plan.name, outcome, plan)

    def _report(self, name: Message, outcome: Outcome, plan: _Plan | None = None) -> EditReport:
        """Notes what an action has changed."""
        plan = plan or _Plan(name)
        self._keep_records(outcome.made)
        changed: list[int] = []
        for step in outcome.made:
            if (id := self._images.id_of(step.image)) is not None:
                changed.append(id)
                self._note_step(id, step)
        for step, reason in outcome.failed:
            plan.failures.append(Failure(step.image, reason))
        for step, found in outcome.conflicts:
            if (id := self._images.id_of(step.image)) is not None:
                ours, theirs = _caption_in(step.path, step.after), _caption_in(step.path, found)
                plan.conflicts.append(Conflict(id, step.image, ours, theirs))
                self._note_caption(id, step.path, theirs)
        return plan.report(changed)

    def _keep_records(self, made: Sequence[Step]) -> None:
        edited = {step.image: step.is_edited for step in made if step.kind is StepKind.CONTENT}
        reviews = {
            step.image: (step.after or b"").decode()
            for step in made
            if step.kind is StepKind.REVIEW
        }
        self._records.set("is_edited", edited)
        self._records.set("review", reviews)
        self._records.commit()

    def _note_step(self, id: int, step: Step) -> None:
        if step.kind is StepKind.REVIEW:
            self._images.set_review(id, ReviewState((step.after or b"").decode()))
            return
        self._images.edited[id] = step.is_edited
        self._note_caption(id, step.path, _caption_in(step.path, step.after))

    def _note_caption(self, id: int, path: Path, caption: str) -> None:
        self._images.set_caption(id, caption, stamp_of(path))


class _Plan:
    """What an action is to do, by the images' ids, and what it will not."""

    def __init__(self, name: Message):
        self.name = name
        self.steps: dict[int, Step] = {}
        self.failures: list[Failure] = []
        self.conflicts: list[Conflict] = []

    def report(self, changed: Iterable[int] = ()) -> EditReport:
        return EditReport(self.name, tuple(changed), tuple(self.failures), tuple(self.conflicts))


@contextmanager
def _failing() -> Generator[None]:
    """Turns errors of the database into those for the user."""
    try:
        yield
    except sqlite3.Error as error:
        raise StoreError(
            translatable(
                "core",
                "Reviews and edits cannot be kept ({reason}). Free some space and allow writing in "
                "Onlooker's data folder, then try again.",
            ).format(reason=error)
        ) from error


def _database(path: Path) -> sqlite3.Connection:
    with _failing():
        try:
            return records.connected(path)
        except OSError as error:
            raise write_error(path, error) from error


def _caption_in(path: Path, data: bytes | None) -> str:
    try:
        return CaptionFile.of(path, data).caption
    except StoreError:
        return (data or b"").decode("utf-8", "replace").strip()
