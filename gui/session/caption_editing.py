"""The caption of the image in view while it is edited: written after a pause, never lost."""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject, QTimer, Signal, Slot

from core.errors import AppError
from core.message import Message
from core.workspace import Conflict, Draft, EditReport, ImageRow, SetCaption
from gui.session.caption_writing import (
    CaptionWriting,
    ReadCaption,
    UnsavedCaption,
    WrittenCaption,
    read_caption,
    write_caption,
)
from gui.session.worker_thread import unforeseen
from gui.session.workspace import FolderWorkspace
from gui.widgets.draft_timer import DraftTimer
from gui.widgets.translated import translated

_WRITE_MS = 1500


log = logging.getLogger(__name__)


class CaptionEditing(QObject):
    """What is typed is kept as a draft at once, and written when one pauses or leaves the image.

    `shown(str)`: another text is to be in the editor. `changed()`: `is_modified`, `found` or
    `is_known` is another. `leaving()`: another image comes into view, so what is still in a field
    is to be given to `type`. `image_left()`: another image is in view.
    """

    shown = Signal(str)
    leaving = Signal()
    image_left = Signal()
    changed = Signal()

    def __init__(self, workspace: FolderWorkspace, parent: QObject | None = None):
        super().__init__(parent)
        self._workspace = workspace
        self._id: int | None = None
        self._path: Path | None = None
        self._seen = ""
        self._text = ""
        self._found: str | None = None
        self._answer: str | None = None
        # Until these end, rows say what was there before.
        self._under_way: dict[asyncio.Future[WrittenCaption], CaptionWriting] = {}
        self._unsaved: dict[Path, tuple[CaptionWriting, UnsavedCaption]] = {}
        # What could be kept nowhere else, as on a full disk.
        self._kept: dict[Path, Draft] = {}
        self._edits = 0
        self._outdated = 0
        self._draft_timer = DraftTimer(self)
        self._draft_timer.timeout.connect(self._keep_draft)
        self._write_timer = QTimer(self, interval=_WRITE_MS, singleShot=True)
        self._write_timer.timeout.connect(self.write)
        workspace.leaving.connect(self._finish)
        workspace.opened.connect(self._on_opened)
        workspace.edited.connect(self._on_edited)

    @property
    def id(self) -> int | None:
        """The image whose caption it is; None for none."""
        return self._id

    @property
    def path(self) -> Path | None:
        """The file of that image."""
        return self._path

    @property
    def is_known(self) -> bool:
        """Whether there is an image, and its caption as its file has it now."""
        return self._id is not None and not self._outdated

    @property
    def is_modified(self) -> bool:
        """Whether something was typed that is not written yet."""
        return self._id is not None and self._text != self._seen

    @property
    def found(self) -> str | None:
        """What another program has written meanwhile; None without a conflict."""
        return self._found

    @property
    def has_unsaved(self) -> bool:
        """Whether something that a person wrote is in no caption file, or not there yet."""
        return self.is_modified or bool(self._under_way or self._unsaved)

    @property
    def unsaved(self) -> list[UnsavedCaption]:
        """What could not be written, and why."""
        return [left for _, left in self._unsaved.values()]

    @property
    def text(self) -> str:
        """What is in the editor."""
        return self._text

    @property
    def answer(self) -> str | None:
        """What a model wrote last about the image; None if that is not known."""
        return self._answer

    @property
    def edits(self) -> int:
        """How many edits have ended. A row that was read before the last one is out of date."""
        return self._edits

    async def read(self, path: Path) -> ReadCaption | None:
        """Return what `show` needs for an image; None if the workspace does not know it. It is
        read in one step, after all edits: so nothing can be typed before the draft is known."""
        found, edits = None, -1
        while edits != self._edits:
            edits = self._edits
            found = await self._workspace.read(partial(read_caption, path=path))
        return found

    def show(self, read: ReadCaption) -> None:
        """Edit the caption of another image; what was typed for the one before is written."""
        row = read.row
        if row.id == self._id:
            self.take_row(row)
            return
        self._finish()
        self._id, self._path = row.id, row.path
        self._seen, self._text, self._found = row.caption, row.caption, None
        self._answer = read.answer
        if draft := self._kept.pop(row.path, None) or read.draft:
            self._take_draft(draft)
        else:
            self.shown.emit(row.caption)
            self.changed.emit()

    def _take_draft(self, draft: Draft) -> None:
        """Go on with what was typed earlier. The caption that is there now may be another one than
        it was typed over."""
        if self._id is not None and draft.text in (self._seen, draft.seen):
            self._drop_draft(self._id)
            self.shown.emit(self._text)
            self.changed.emit()
            return
        self._text = draft.text
        if draft.seen in (None, self._seen):
            self._write_timer.start()
        else:
            self._seen, self._found = draft.seen, self._seen
        self.shown.emit(draft.text)
        self.changed.emit()

    def leave(self) -> None:
        """Another image is in view, whose caption is not known yet: `show` follows. What was typed
        is written."""
        self._finish()
        self._id, self._path, self._found, self._answer = None, None, None, None
        self._seen = self._text = ""
        self.image_left.emit()
        self.changed.emit()

    def take_up(self, path: Path, draft: Draft) -> None:
        """Go on with what a person wrote elsewhere for an image, if it is in view unchanged."""
        if path == self._path and not self.is_modified:
            self._take_draft(draft)

    def begin_reading(self) -> None:
        """The program itself has just written the caption in view, and reads it: until then,
        nothing is to be typed over the one before. `end_reading` follows."""
        self._outdated += 1
        self.changed.emit()

    def end_reading(self) -> None:
        """The caption in view is the one that was written."""
        self._outdated -= 1
        if self.is_known:
            self.shown.emit(self._text)
        self.changed.emit()

    def take_row(self, row: ImageRow) -> None:
        """The image in view may have another caption now, written elsewhere."""
        if row.id != self._id or self._under_way:
            return
        if row.caption == self._seen:
            if self._found is None:
                return
            self._found = None  # The other program has taken its own back.
            self._write_timer.start()
        elif not self.is_modified:
            self._seen = self._text = row.caption
            self.shown.emit(row.caption)
        elif row.caption == self._text:
            self._seen = row.caption
            self._found = None
        else:
            self._found = row.caption
        self.changed.emit()

    @Slot(str)
    def type(self, text: str) -> None:
        """Something was typed."""
        if self._id is None or text == self._text:
            return
        self._text = text
        self._draft_timer.begin()
        if self._found is None:
            self._write_timer.start()
        self.changed.emit()

    @Slot()
    def write(self) -> None:
        """Write what was typed, unless there is a conflict; then it stays a draft."""
        self._write_timer.stop()
        if self._found is not None or not self.is_modified:
            if self._draft_timer.isActive():
                self._keep_draft()
            return
        self._write_text(self._text, self._seen, SetCaption(self._text).name)

    async def finish(self) -> None:
        """Write what was typed, and once more what could not be written, and wait for it; `unsaved`
        says then what is left."""
        self._finish()
        for writing, _ in list(self._unsaved.values()):
            if writing.path != self._path and writing.serial == self._workspace.serial:
                self._start(writing)
        while self._under_way:
            await asyncio.wait(self._under_way)

    async def read_answer(self) -> None:
        """A model may have written something else about the image in view."""
        id = self._id
        if id is None:
            return
        answer = await self._workspace.read(lambda workspace: workspace.answers.of(id))
        if id == self._id and answer != self._answer:
            self._answer = answer
            self.changed.emit()

    def write_for(self, row: ImageRow, text: str, name: Message, *, drafted: str = "") -> None:
        """Write a caption that a person made elsewhere, in the place of that of the row, as an edit
        called `name`; `drafted` was kept of it until now. It is kept like what is typed: in the
        editor if its image is in view, and as a draft until it is written. What was typed before
        and is undecided stays the draft."""
        is_in_editor = row.path == self._path and self._found is None
        if is_in_editor:
            self._write_timer.stop()
            self._draft_timer.stop()
            self._seen = self._text = text
            self.shown.emit(text)
        serial = self._workspace.serial
        self._start(
            CaptionWriting(
                *(name, row.id, row.path, text, row.caption, serial),
                replaces_draft=is_in_editor,
                drafted=drafted,
            )
        )
        self.changed.emit()

    def shows(self, conflict: Conflict) -> bool:
        """Whether it is in view that another program changed what was to be written."""
        ours = self._id, self._text, self._found
        return ours == (conflict.id, conflict.ours, conflict.found)

    def revert(self) -> None:
        """Give up what a person changed for what the model wrote."""
        if self._id is None or self._answer is None or self._found is not None:
            return
        self._write_timer.stop()
        seen, self._text = self._seen, self._answer
        self._write_text(self._text, seen, SetCaption(self._text).name, is_by_model=True)
        self.shown.emit(self._text)
        self.changed.emit()

    def keep_ours(self) -> None:
        """Write what was typed in the place of what another program has written."""
        if self._id is not None and self._found is not None:
            found, self._found = self._found, None
            self._write_text(self._text, found, SetCaption(self._text).name)

    def take_theirs(self) -> None:
        """Give up what was typed for what another program has written."""
        if self._id is not None and self._found is not None:
            self._seen = self._text = self._found
            self._found = None
            self._drop_draft(self._id)
            self.shown.emit(self._text)
            self.changed.emit()

    def _write_text(
        self, text: str, seen: str, name: Message, *, is_by_model: bool = False
    ) -> None:
        """Write the caption of the image in view."""
        if self._id is None or self._path is None:
            return
        self._draft_timer.stop()
        self._seen = text
        serial = self._workspace.serial
        image = name, self._id, self._path, text, seen, serial
        self._start(CaptionWriting(*image, is_by_model=is_by_model))
        self.changed.emit()

    def _start(self, writing: CaptionWriting) -> None:
        if self._workspace.edits.is_under_way and writing.replaces_draft:
            # It is written once that of many captions is done.
            draft = Draft(writing.text, writing.seen)
            self._workspace.keep_draft(writing.id, draft)
        written = self._workspace.begin(partial(write_caption, writing=writing))
        if written is not None:
            self._under_way[written] = writing
            written.add_done_callback(self._on_written)

    def _on_written(self, written: asyncio.Future[WrittenCaption]) -> None:
        writing = self._under_way.pop(written)
        try:
            result = written.result()
        except AppError as error:
            result = WrittenCaption.failed(writing, error)
        except Exception:
            log.exception("A caption could not be written")
            result = WrittenCaption.failed(writing, unforeseen())
        self._note(writing, result)
        if writing.serial == self._workspace.serial:
            self._workspace.take_report(result.report)
        self.changed.emit()

    def _note(self, writing: CaptionWriting, result: WrittenCaption) -> None:
        """What could not be written is not written yet, so no other text takes its place."""
        path, report = writing.path, result.report
        is_in_view = path == self._path
        self._unsaved.pop(path, None)
        if not report.failures and not report.conflicts:
            return
        if is_in_view and writing.text == self._seen:
            self._seen = writing.seen
            self._draft_timer.start()
        for conflict in report.conflicts:
            if is_in_view and conflict.ours == self._text:
                self._found = conflict.found
        if report.failures:
            reason = translated(report.failures[0].reason)
            self._unsaved[path] = writing, UnsavedCaption(path, reason, result.is_kept)
        if not result.is_kept and not is_in_view:
            self._kept[path] = Draft(writing.text, writing.seen)

    def _drop_draft(self, id: int) -> None:
        self._workspace.keep_draft(id, None)
        if self._path is not None:
            self._unsaved.pop(self._path, None)

    @Slot()
    def _finish(self) -> None:
        self.leaving.emit()
        self.write()

    @Slot()
    def _keep_draft(self) -> None:
        self._draft_timer.stop()
        if self.is_modified and self._id is not None:
            self._workspace.keep_draft(self._id, Draft(self._text, self._seen))
        elif self._id is not None:
            self._drop_draft(self._id)  # It was taken back by hand.
            self.changed.emit()

    @Slot()
    def _on_opened(self) -> None:
        self._draft_timer.stop()
        self._write_timer.stop()
        self._id, self._path, self._found, self._answer = None, None, None, None
        self._seen = self._text = ""
        self.shown.emit("")
        self.changed.emit()

    @Slot(object)
    def _on_edited(self, report: EditReport) -> None:
        self._edits += 1
        for conflict in report.conflicts:
            if conflict.id == self._id and conflict.ours == self._text:
                self._found = conflict.found
                self.changed.emit()
