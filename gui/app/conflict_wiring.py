"""Captions of a folder run that somebody else has changed, and what a person wrote for them."""

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
    """Asks which text is to stay. What a person wrote is in an editor afterwards, in the file, or
    in a notice until they can go on with it."""

    def __init__(
        self, window: MainWindow, run: FolderRun, begin_edit: Begin, parent: QObject | None = None
    ):
        super().__init__(parent)
        self._window, self._panel, self._run = window, window.batch_panel, run
        self._begin_edit = begin_edit
        run.edits.conflicted.connect(self._ask)
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
            edit = NoticeAction(NoticeActionKind.EDIT_CAPTION, self.tr("Edit"), caption)
            window.show_notice(text.format(name=caption.path.name), edit)

    @Slot(object)
    def _on_notice_action_chosen(self, action: NoticeAction) -> None:
        match action:
            case NoticeAction(NoticeActionKind.EDIT_CAPTION, _, UnwrittenCaption() as caption):
                self._edit(caption)
            case _:
                pass
