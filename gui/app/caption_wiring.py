"""Connects the caption of the image in view with its editor on the right of the window."""

from __future__ import annotations

from PySide6.QtCore import QObject, QTimer, Slot
from PySide6.QtWidgets import QApplication

from core.engine import ModelState, Ready
from core.workspace import CaptionSource
from gui.app.tasks import Begin
from gui.app.workspace_wiring import WorkspaceWiring
from gui.session.caption_editing import CaptionEditing
from gui.session.caption_tokens import CaptionTokens
from gui.session.model_thread import ModelThread
from gui.session.session import Session
from gui.session.settings_file import SettingsFile
from gui.session.spell_checking import SpellChecking
from gui.session.workspace import FolderWorkspace
from gui.widgets.plain_text import text_of
from gui.window.commands import Command
from gui.window.main_window import MainWindow
from gui.workspace.side_tabs import CAPTION

_SPELLING_MS = 400


class CaptionWiring(QObject):
    """What is typed is kept and written; what was written elsewhere is shown."""

    def __init__(
        self,
        window: MainWindow,
        listing: WorkspaceWiring,
        workspace: FolderWorkspace,
        editing: CaptionEditing,
        session: Session,
        settings_file: SettingsFile,
        begin: Begin,
        parent: QObject | None = None,
        *,
        model: ModelThread,
        spelling: SpellChecking,
    ):
        super().__init__(parent)
        self._window, self._listing, self._editing = window, listing, editing
        self._workspace = workspace
        self._settings_file, self._begin = settings_file, begin
        panel = window.caption_panel
        panel.typed.connect(editing.type)
        panel.left.connect(editing.write)
        panel.escaped.connect(self._leave_caption)
        panel.ours_kept.connect(editing.keep_ours)
        panel.theirs_taken.connect(editing.take_theirs)
        panel.review_chosen.connect(listing.review)
        panel.revert_asked.connect(editing.revert)
        panel.mode_chosen.connect(workspace.choose_mode)
        panel.source_chosen.connect(self._choose_source)
        editing.shown.connect(panel.show_text)
        editing.changed.connect(self._on_editing_changed)
        editing.image_left.connect(self._on_image_left)
        window.side_tabs.chosen.connect(self._on_tab_chosen)
        window.side_tabs.clicked.connect(self._on_tab_clicked)
        window.workspace_pane.list.edit_asked.connect(self._edit)
        window.command_actions.bind(Command.EDIT_CAPTION, self._edit)
        workspace.answers_noted.connect(self._on_answers_noted)
        session.answer_begun.connect(self._show_conversation)
        self._tokens = CaptionTokens(begin, self)
        panel.text_changed.connect(self._tokens.count)
        self._tokens.counted.connect(panel.counter.show_tokens)
        model.state_changed.connect(self._on_model_changed)
        self._connect_spelling(spelling)

    def _connect_spelling(self, spelling: SpellChecking) -> None:
        panel, self._spelling = self._window.caption_panel, spelling
        # A word is not marked while it is being written.
        # It ends with the panel, which it asks whether it is in view.
        self._spelling_timer = QTimer(panel, interval=_SPELLING_MS, singleShot=True)
        self._spelling_timer.timeout.connect(self._check_spelling)
        panel.text_changed.connect(self._on_text_changed)
        panel.came_into_view.connect(self._spelling_timer.start)
        spelling.checked.connect(panel.spelling.show_wrong)
        spelling.suggested.connect(panel.spelling.show_suggestions)
        spelling.noticed.connect(self._window.show_notice)
        panel.spelling.suggestions_asked.connect(spelling.suggest)
        panel.spelling.added.connect(spelling.add)
        spelling.look()

    @Slot(str)
    def _on_text_changed(self, text: str) -> None:
        self._spelling_timer.start()

    @Slot()
    def _check_spelling(self) -> None:
        """Only of a caption in view: a dictionary takes a second and 40 MB."""
        panel = self._window.caption_panel
        if panel.isVisible():
            self._spelling.check(text_of(panel.editor))

    def _show_tab(self, shows_caption: bool) -> None:
        window, settings = self._window, self._settings_file.settings
        hidden = window.transcript_view if shows_caption else window.caption_panel
        if hidden.isVisible() and hidden.isAncestorOf(QApplication.focusWidget() or window):
            # Otherwise Qt passes the focus on to whatever comes next, and Enter would act on that.
            window.prompt_box.focus_prompt()
        if settings.shows_caption != shows_caption:
            settings.shows_caption = shows_caption
            self._listing.refresh()
            self._begin(self._settings_file.save())

    @Slot(object)
    def _on_model_changed(self, state: ModelState) -> None:
        count_tokens = state.facts.count_tokens if isinstance(state, Ready) else None
        self._tokens.use(count_tokens)
        self._workspace.use_tokens(count_tokens)

    @Slot()
    def _on_answers_noted(self) -> None:
        self._begin(self._editing.read_answer())

    @Slot(object)
    def _choose_source(self, source: CaptionSource) -> None:
        self._editing.write()
        self._workspace.choose_source(source)

    @Slot()
    def _on_image_left(self) -> None:
        """What was typed for an image that was left before its caption was read is no other's."""
        if early := self._window.caption_panel.leave_image():
            self._window.prompt_box.prompt_edit.insertPlainText(early)

    @Slot()
    def _on_editing_changed(self) -> None:
        self._window.caption_panel.set_known(self._editing.is_known)

    @Slot(int)
    def _on_tab_chosen(self, tab: int) -> None:
        self._show_tab(tab == CAPTION)

    @Slot(int)
    def _on_tab_clicked(self, tab: int) -> None:
        """A click is meant for what is below the tab; the arrow keys stay with the tabs."""
        if tab == CAPTION:
            self._window.caption_panel.focus_editor()
        else:
            self._window.prompt_box.focus_prompt()

    @Slot()
    def _edit(self) -> None:
        self._show_tab(True)
        self._window.caption_panel.focus_editor()

    @Slot()
    def _leave_caption(self) -> None:
        images = self._window.workspace_pane.list
        (images if images.isVisible() else self._window.prompt_box.prompt_edit).setFocus()

    @Slot()
    def _show_conversation(self) -> None:
        self._show_tab(False)
