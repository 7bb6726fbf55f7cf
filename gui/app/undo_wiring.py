"""Connects Undo and Redo with what is meant: text with the focus, the conversation, or the run."""

from __future__ import annotations

from PySide6.QtCore import QObject

from gui.app.batch_wiring import BatchWiring
from gui.session.caption_editing import CaptionEditing
from gui.session.session import Session
from gui.session.workspace import FolderWorkspace
from gui.window import text_focus
from gui.window.commands import Command
from gui.window.main_window import MainWindow


class UndoWiring(QObject):
    """A text field in which nothing was changed leaves both to the page in view; the prompt also
    if something was changed in the conversation later than in it."""

    def __init__(
        self,
        window: MainWindow,
        session: Session,
        batch_wiring: BatchWiring,
        workspace: FolderWorkspace,
        editing: CaptionEditing,
        parent: QObject | None = None,
    ):
        super().__init__(parent)
        self._window, self._session, self._batch_wiring = window, session, batch_wiring
        self._workspace, self._editing = workspace, editing
        window.command_actions.bind(Command.UNDO, self._undo)
        window.command_actions.bind(Command.REDO, self._redo)

    @property
    def _is_about_captions(self) -> bool:
        state = self._window.state
        return state.is_conversation and state.workspace.is_caption_meant

    def _undo(self) -> None:
        self._window.focus_watch.note()
        state = self._window.state
        if state.focus.undoes and text_focus.undo():
            self._window.focus_watch.note()
        elif state.is_conversation and state.workspace.is_selection_meant:
            self._window.workspace_pane.list.selection.restore()
        elif self._is_about_captions:
            self._editing.write()
            self._workspace.undo()
        elif self._window.state.is_conversation:
            self._session.undo()
        else:
            self._batch_wiring.undo_edit()

    def _redo(self) -> None:
        self._window.focus_watch.note()
        if self._window.state.focus.redoes and text_focus.redo():
            self._window.focus_watch.note()
        elif self._is_about_captions:
            self._editing.write()
            self._workspace.redo()
        elif self._window.state.is_conversation:
            self._session.redo()
        else:
            self._batch_wiring.redo_edit()
