"""What a person wrote for an image of a folder run, where it met another text or an obstacle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QObject, Slot
from PySide6.QtGui import QGuiApplication

from core.batch import Conflict
from gui.app.tasks import Begin
from gui.batch.conflict_dialog import ConflictDialog
from gui.session.folder_run import FolderRun
from gui.widgets.notice import NoticeAction, NoticeActionKind
from gui.window.main_window import MainWindow


@dataclass(frozen=True)
class UnwrittenCaption:
    """What a person wrote for the image with this number in a run."""

    number: int
    path: Path
    text: str


class ConflictWiring(QObject):
    """Asks which text is to stay where somebody else has changed a file. What a person wrote is in
    the file afterwards, in an editor, or in a notice until they can go on with it."""

    def __init__(
        self, window: MainWindow, run: FolderRun, begin_edit: Begin, parent: QObject | None = None
    ):
        super().__init__(parent)
        self._window, self._panel, self._run = window, window.batch_panel, run
        self._begin_edit = begin_edit
        run.edits.conflicted.connect(self._ask)
        run.edits.unwritten.connect(self._on_unwritten)
        window.notice_action_chosen.connect(self._on_notice_action_chosen)

    @Slot(object)
    def _ask(self, conflicts: Sequence[Conflict]) -> None:
        dialog = ConflictDialog(conflicts, self._panel)
        dialog.decided.connect(self._on_decided)
        dialog.edit_asked.connect(self._on_edit_asked)
        dialog.open()

    @Slot(object, object)
    def _on_decided(self, overwritten: set[int], kept: set[int]) -> None:
        self._begin_edit(self._run.edits.resolve(overwritten, kept))

    @Slot(int, str)
    def _on_edit_asked(self, number: int, text: str) -> None:
        items = self._panel.model.items
        if number < len(items):
            self._edit(UnwrittenCaption(number, items[number].path, text))

    def _edit(self, caption: UnwrittenCaption) -> None:
        window, items = self._window, self._panel.model.items
        is_open = caption.number < len(items) and items[caption.number].path == caption.path
        if not is_open or not window.state.run.can_edit:
            QGuiApplication.clipboard().setText(caption.text)
            window.show_notice(
                self.tr("What you wrote is on the clipboard, as its folder run cannot be edited.")
            )
            return
        if not window.state.shows_run:
            window.show_batch_panel()
        if not self._panel.edit_text(caption.number, caption.text):
            text = self.tr("What you wrote for “{name}” is not in its file.")
            self._offer(caption, text.format(name=caption.path.name))

    @Slot(int, str, str)
    def _on_unwritten(self, number: int, text: str, reason: str) -> None:
        items = self._panel.model.items
        if number < len(items):
            self._offer(UnwrittenCaption(number, items[number].path, text), reason)

    def _offer(self, caption: UnwrittenCaption, reason: str) -> None:
        edit = NoticeAction(NoticeActionKind.EDIT_CAPTION, self.tr("Edit"), caption)
        self._window.show_notice(reason, edit)

    @Slot(object)
    def _on_notice_action_chosen(self, action: NoticeAction) -> None:
        match action:
            case NoticeAction(NoticeActionKind.EDIT_CAPTION, _, UnwrittenCaption() as caption):
                self._edit(caption)
            case _:
                pass
