"""Edits that go on in folders that were left: the status line says how far they are, and notices
what became of them, also at the next start."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from PySide6.QtCore import QObject, QTimer, Slot

from core.errors import AppError
from core.workspace import EditReport
from gui.app.edit_sentences import conflicts_text, failures_text, stopped_text
from gui.app.tasks import Begin
from gui.batch.head import name_of, places_text
from gui.session.left_edits import LeftEdit
from gui.session.picture_list import PictureList
from gui.session.unseen_outcomes import UnseenOutcomes
from gui.session.workspace import FolderWorkspace
from gui.widgets.notice import NoticeAction, NoticeActionKind
from gui.widgets.translated import translated
from gui.window.main_window import MainWindow
from gui.window.view_state import LeftEditState


class LeftEditsWiring(QObject):
    """What nobody can see any more, as the window is closed, is shown at the next start."""

    def __init__(
        self,
        window: MainWindow,
        workspace: FolderWorkspace,
        pictures: PictureList,
        unseen: UnseenOutcomes,
        begin: Begin,
        parent: QObject | None = None,
    ):
        super().__init__(parent)
        self._window, self._workspace, self._pictures = window, workspace, pictures
        self._left = left = workspace.edits.left
        self._unseen, self._begin = unseen, begin
        self._is_closed = False
        left.progressed.connect(self._on_progressed)
        left.ended.connect(self._on_ended)
        workspace.edits.ended.connect(self._on_own_ended)
        workspace.edits.failed.connect(self._on_own_failed)
        window.closed.connect(self._on_closed)
        window.notice_action_chosen.connect(self._on_notice_action_chosen)
        window.status_line.left_edit_asked.connect(self._on_asked)
        window.status_line.left_edit_stopped.connect(left.stop)
        QTimer.singleShot(0, self, self._show_unseen)

    @Slot()
    def _show_unseen(self) -> None:
        """Show what became of edits after the window was closed the last time."""
        for sentence in self._unseen.take():
            self._window.show_notice(sentence)

    @Slot()
    def _on_closed(self) -> None:
        self._is_closed = True

    @Slot(object)
    def _on_own_ended(self, report: EditReport | None) -> None:
        """An edit in the folder that is open, which may end just when the window is closed."""
        self._keep_unseen(LeftEdit(tuple(self._workspace.roots), report))

    @Slot(object)
    def _on_own_failed(self, error: AppError) -> None:
        self._keep_unseen(LeftEdit(tuple(self._workspace.roots), error=error))

    def _keep_unseen(self, edit: LeftEdit) -> None:
        if self._is_closed and not edit.is_whole:
            self._unseen.keep(self._about(edit, " ".join(_sentences(edit))))

    @Slot()
    def _on_progressed(self) -> None:
        roots, progress = self._left.roots, self._left.progress
        state = LeftEditState(_named(roots), progress) if roots else LeftEditState()
        self._window.states.update(left_edit=state)

    @Slot(object)
    def _on_ended(self, edit: LeftEdit) -> None:
        if self._is_closed:
            self._keep_unseen(edit)
            return
        show = NoticeAction(NoticeActionKind.OPEN_IMAGES, self.tr("Show"), edit.roots)
        sentences = _sentences(edit)
        if not sentences and edit.report is not None and len(edit.report.changed) > 1:
            text = self.tr("Done. Images changed: {count}.")
            sentences = [text.format(count=f"{len(edit.report.changed):,}")]
        if sentences:
            self._window.show_notice(self._about(edit, " ".join(sentences)), show)
        if edit.report is not None and len(edit.report.failures) > 1:
            self._offer_list(edit, edit.report)

    def _offer_list(self, edit: LeftEdit, report: EditReport) -> None:
        """The first reason may not be that of all."""
        failures = replace(report, conflicts=(), left=0)
        text = self.tr("See why each image could not be changed.")
        action = NoticeAction(NoticeActionKind.SHOW_EDIT_REPORT, self.tr("Show all"), failures)
        self._window.show_notice(self._about(edit, text), action)

    def _about(self, edit: LeftEdit, sentence: str) -> str:
        if edit.report is None:
            text = self.tr("Edit in “{folder}”: {sentence}")
            return text.format(folder=_named(edit.roots), sentence=sentence)
        text = self.tr("“{edit}” in “{folder}”: {sentence}")
        name = translated(edit.report.name)
        return text.format(edit=name, folder=_named(edit.roots), sentence=sentence)

    @Slot()
    def _on_asked(self) -> None:
        self._open(self._left.roots)

    @Slot(object)
    def _on_notice_action_chosen(self, action: NoticeAction) -> None:
        match action:
            case NoticeAction(NoticeActionKind.OPEN_IMAGES, _, tuple() as roots):
                self._open(roots)
            case _:
                pass

    def _open(self, roots: Sequence[Path]) -> None:
        if roots:
            self._window.show_images()
            self._begin(self._pictures.open_paths(list(roots)))


def _sentences(edit: LeftEdit) -> list[str]:
    """What is to be said of an edit that is not whole."""
    report = edit.report
    sentences = [translated(edit.error)] if edit.error is not None else []
    if report is not None:
        sentences += [stopped_text(report)] if report.left else []
        sentences += [failures_text(report.failures)] if report.failures else []
        sentences += [conflicts_text(len(report.conflicts))] if report.conflicts else []
    return sentences


def _named(roots: Sequence[Path]) -> str:
    return name_of(roots) or places_text(roots)
