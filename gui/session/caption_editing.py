"""The caption of the image in view while it is edited: written after a pause, never lost."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from PySide6.QtCore import QObject, QTimer, Signal, Slot

from core.message import Message
from core.workspace import Conflict, Draft, EditReport, ImageRow, SetCaption, Workspace
from gui.session.workspace import FolderWorkspace

_DRAFT_MS = 400
_WRITE_MS = 1500


@dataclass(frozen=True)
class _Writing:
    """A caption that is being written: of which image, and what its file held before."""

    name: Message
    id: int
    text: str
    seen: str


class CaptionEditing(QObject):
    """What is typed is kept as a draft at once, and written when one pauses or leaves the image.

    `shown(str)`: another text is to be in the editor. `changed()`: `is_modified` or `found` is
    another. `image_left()`: another image is in view.
    """

    shown = Signal(str)
    image_left = Signal()
    changed = Signal()

    def __init__(self, workspace: FolderWorkspace, parent: QObject | None = None):
        super().__init__(parent)
        self._workspace = workspace
        self._id: int | None = None
        self._seen = ""
        self._text = ""
        self._found: str | None = None
        self._answer: str | None = None
        # Until these end, rows say what was there before.
        self._under_way: list[_Writing] = []
        # What could be kept nowhere else, as on a full disk, by its image.
        self._kept: dict[int, Draft] = {}
        self._edits = 0
        self._draft_timer = QTimer(self, interval=_DRAFT_MS, singleShot=True)
        self._draft_timer.timeout.connect(self._keep_draft)
        self._write_timer = QTimer(self, interval=_WRITE_MS, singleShot=True)
        self._write_timer.timeout.connect(self.write)
        workspace.leaving.connect(self.write)
        workspace.opened.connect(self._on_opened)
        workspace.edited.connect(self._on_edited)
        workspace.noticed.connect(self._on_noticed)

    @property
    def id(self) -> int | None:
        """The image whose caption it is; None for none."""
        return self._id

    @property
    def is_modified(self) -> bool:
        """Whether something was typed that is not written yet."""
        return self._id is not None and self._text != self._seen

    @property
    def found(self) -> str | None:
        """What another program has written meanwhile; None without a conflict."""
        return self._found

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

    async def show(self, row: ImageRow) -> None:
        """Edit the caption of another image; what was typed for the one before is written."""
        if row.id == self._id:
            self.take_row(row)
            return
        self.write()
        self._id, self._seen, self._text, self._found = row.id, row.caption, row.caption, None
        self._answer = None
        self.shown.emit(row.caption)
        self.changed.emit()
        await self.read_answer()
        draft = self._kept.pop(row.id, None) or await self._workspace.draft(row.id)
        if draft is not None and row.id == self._id and not self.is_modified:
            self._take_draft(draft)

    def _take_draft(self, draft: Draft) -> None:
        """Go on with what was typed earlier. The caption that is there now may be another one than
        it was typed over."""
        if self._id is not None and draft.text in (self._seen, draft.seen):
            self._workspace.keep_draft(self._id, None)
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
        self.write()
        self._id, self._found, self._answer = None, None, None
        self._seen = self._text = ""
        self.image_left.emit()
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
        self._draft_timer.start()
        if self._found is None:
            self._write_timer.start()
        self.changed.emit()

    @Slot()
    def write(self) -> None:
        """Write what was typed, unless there is a conflict; then it stays a draft."""
        self._write_timer.stop()
        if not self.is_modified or self._id is None:
            return
        if self._found is not None:
            self._keep_draft()
            return
        self._write_text(self._id, self._text, self._seen, SetCaption(self._text).name)
        self._seen = self._text

    async def read_answer(self) -> None:
        """A model may have written something else about the image in view."""
        id = self._id
        if id is None:
            return
        answer = await self._workspace.read(lambda workspace: workspace.answers.of(id))
        if id == self._id and answer != self._answer:
            self._answer = answer
            self.changed.emit()

    def write_for(self, id: int, text: str, seen: str, name: Message) -> None:
        """Write a caption that a person made elsewhere, as an edit called `name`. It is kept like
        what is typed: in the editor if its image is in view, and as a draft until it is written."""
        if id == self._id and self._found is None:
            self._write_timer.stop()
            self._seen = self._text = text
            self.shown.emit(text)
        self._write_text(id, text, seen, name)
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
        seen, self._seen, self._text = self._seen, self._answer, self._answer
        name = SetCaption(self._answer).name
        self._write_text(self._id, self._answer, seen, name, is_by_model=True)
        self.shown.emit(self._text)
        self.changed.emit()

    def keep_ours(self) -> None:
        """Write what was typed in the place of what another program has written."""
        if self._id is not None and self._found is not None:
            found, self._found = self._found, None
            self._write_text(self._id, self._text, found, SetCaption(self._text).name)
            self._seen = self._text
            self.changed.emit()

    def take_theirs(self) -> None:
        """Give up what was typed for what another program has written."""
        if self._id is not None and self._found is not None:
            self._seen = self._text = self._found
            self._found = None
            self._workspace.keep_draft(self._id, None)
            self.shown.emit(self._text)
            self.changed.emit()

    def _write_text(
        self, id: int, text: str, seen: str, name: Message, *, is_by_model: bool = False
    ) -> None:
        self._draft_timer.stop()
        # Until it is written, the draft holds it.
        self._workspace.keep_draft(id, Draft(text, seen))
        writing = _Writing(name, id, text, seen)
        self._under_way.append(writing)
        self._workspace.edit(partial(_write, writing=writing, is_by_model=is_by_model))

    @Slot()
    def _keep_draft(self) -> None:
        self._draft_timer.stop()
        if self.is_modified and self._id is not None:
            self._workspace.keep_draft(self._id, Draft(self._text, self._seen))

    @Slot(str)
    def _on_noticed(self, text: str) -> None:
        """The workspace itself failed, so an edit may never end."""
        for writing in self._under_way:
            self._take_back(writing)
            if writing.id != self._id:
                self._kept[writing.id] = Draft(writing.text, writing.seen)
        self._under_way.clear()

    @Slot()
    def _on_opened(self) -> None:
        self._under_way.clear()
        self._kept.clear()
        self._draft_timer.stop()
        self._write_timer.stop()
        self._id, self._found, self._answer = None, None, None
        self._seen = self._text = ""
        self.shown.emit("")
        self.changed.emit()

    @Slot(object)
    def _on_edited(self, report: EditReport) -> None:
        self._edits += 1
        writing = next((one for one in self._under_way if one.name == report.name), None)
        if writing is not None:
            self._under_way.remove(writing)
            if report.failures:
                self._take_back(writing)
        for conflict in report.conflicts:
            if conflict.id == self._id and conflict.ours == self._text:
                self._seen = writing.seen if writing is not None else self._seen
                self._found = conflict.found
                self.changed.emit()

    def _take_back(self, writing: _Writing) -> None:
        """What could not be written is not written yet, so no other text takes its place."""
        if writing.id == self._id and writing.text == self._seen:
            self._seen = writing.seen
            self.changed.emit()


def _write(workspace: Workspace, *, writing: _Writing, is_by_model: bool) -> EditReport:
    id, text, seen = writing.id, writing.text, writing.seen
    report = workspace.set_captions(
        {id: text}, writing.name, seen={id: seen}, is_by_model=is_by_model
    )
    if not report.failures and not report.conflicts:
        workspace.keep_draft(id, None)
    return report
