"""The main window: its parts, and what they show of the window's state."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QCoreApplication, Qt, Signal, Slot
from PySide6.QtGui import (
    QCloseEvent,
    QDragEnterEvent,
    QDragLeaveEvent,
    QDragMoveEvent,
    QDropEvent,
    QKeyEvent,
)
from PySide6.QtWidgets import QMainWindow, QWidget

from core.picture import Picture
from core.trace import Trace
from core.transcript import Transcript
from gui.conversation.answer_text import AnswerText
from gui.conversation.evidence_view import EvidenceView
from gui.inspector.panel import Inspector
from gui.widgets.key_names import name_keys
from gui.widgets.notice import Notice, NoticeAction, StandsWhile
from gui.widgets.screen_fit import ScreenFit
from gui.widgets.theme import Theme
from gui.window.actions import Actions
from gui.window.command_runs import bind_own_commands
from gui.window.commands import Command, Submenu
from gui.window.context_menus import ContextMenus, open_by_key
from gui.window.documents import show_in_documents
from gui.window.escape import end_innermost
from gui.window.file_dialogs import FileDialogs, open_without_waiting
from gui.window.focus_watch import FocusWatch
from gui.window.input_elsewhere import InputElsewhere
from gui.window.leave_dialog import LeaveRunDialog
from gui.window.parts import Parts
from gui.window.recent_menu import RecentMenu
from gui.window.saved_geometry import restore_geometry, saved_geometry
from gui.window.shown import (
    prompt_offer,
    shown_notices,
    status,
    window_title,
)
from gui.window.state_holder import StateHolder
from gui.window.task_bar import TaskBar
from gui.window.text_focus import passes_text_on
from gui.window.text_menus import TextMenus
from gui.window.typing_target import focus_typing_target
from gui.window.view_state import Page, ViewState

SMALLEST = (620, 344)
_FIRST = (1180, 760)


class MainWindow(QMainWindow):
    """The window. It shows `states.state`, which the wiring keeps true, and emits what was done.

    Its parts are `drop_zone`, `transcript_view`, `prompt_box`, `notice_bar`, `status_line` and
    `batch_panel`, with signals of their own; `dialogs` are those in which files are chosen.
    `commands` are the actions of the menus, and `command_actions` connects them with what they do.

    `paths_opened(list[Path])`: files or folders, dropped, pasted, chosen or a sample.
    `notice_action_chosen(NoticeAction)`: the button of a notice was clicked. `keys_asked()`: the
    keys of the commands are to be changed. `unsaved_left()`: the window is to be closed, and what
    was typed is not saved yet; then `leave`. `closed()`: it is hidden; take the program down.
    """

    paths_opened = Signal(list)
    notice_action_chosen = Signal(object)
    keys_asked = Signal()
    unsaved_left = Signal()
    closed = Signal()

    def __init__(
        self,
        theme: Theme,
        presets: Sequence[tuple[str, str]] = (),
        parent: QWidget | None = None,
        thumbnails: Path | None = None,
    ):
        """`presets` are (name, prompt); the first is what Enter asks of a new picture.

        `thumbnails` is the folder where those of images are kept.
        """
        name_keys()
        super().__init__(parent)
        self.setObjectName("main_window")
        self.setMinimumSize(*SMALLEST)
        self.resize(*_FIRST)
        self.setAcceptDrops(True)
        ScreenFit(self)
        self.theme = theme
        self._may_leave_run = self._may_leave_unsaved = False
        self._shown: ViewState | None = None
        self._task_bar = TaskBar(self)
        self.states = StateHolder(self)
        self.dialogs = FileDialogs(self)
        with theme.without_stylesheet():
            self._build(thumbnails)
        self.prompt_box.set_presets(presets)
        self.batch_panel.suggest(presets[1][1] if len(presets) > 1 else "")
        self.command_actions = Actions(self.menuBar(), self)
        self.commands = self.command_actions.by_command
        self.recent_menu = RecentMenu(self.command_actions.submenus[Submenu.RECENT])
        self.context_menus = ContextMenus(self)
        TextMenus(self)
        InputElsewhere(self)
        self.focus_watch = FocusWatch(self)
        bind_own_commands(self)
        self._connect()
        self.states.update(suggestion=presets[0][1] if presets else "", theme=theme.mode)
        self._render(self.states.state)
        self.prompt_box.focus_prompt()

    # What the window shows

    @property
    def state(self) -> ViewState:
        """What is shown outside of the documents."""
        return self.states.state

    def show_empty(self, samples: list[Path]) -> None:
        """The first thing seen: how to begin, with samples."""
        self.drop_zone.show_empty(samples)

    def show_picture(self, picture: Picture) -> None:
        """Show a picture, and let the next key type a question, or go on in the list of images."""
        self.drop_zone.show_picture(picture)
        if self.state.is_conversation and not (
            self.workspace_pane.has_focus or self.caption_panel.has_focus
        ):
            self.prompt_box.focus_prompt()

    def show_struck(self, index: int, struck: tuple[tuple[int, int], ...], can_undo: bool) -> None:
        """Show what is struck out of the answer at this index."""
        self.evidence_view.show_struck(index, struck)

    def show_trace(self, trace: Trace, picture: Picture) -> None:
        """Show the trace that the inspector waits for."""
        self.inspector.show_trace(trace, picture, self.state.model.preprocessing)

    def show_transcript(self, transcript: Transcript) -> None:
        """Show a kept conversation, to go on with."""
        self.show_conversation()
        self.transcript_view.show_transcript(transcript)

    def give_prompt_back(self, prompt: str) -> None:
        """A question that is not asked: it is in the box again, in front of what is there."""
        written = self.prompt_box.text
        if prompt and prompt != written:
            self.prompt_box.set_text(f"{prompt}\n{written}" if written.strip() else prompt)

    def show_notice(
        self,
        text: str,
        action: NoticeAction | None = None,
        *,
        stands: StandsWhile = StandsWhile.ALWAYS,
        about: object = None,
        on_run_page: bool | None = None,
    ) -> None:
        """A note or an expected error, without a dialog, for as long as it is true."""
        self.states.add_notice(Notice(text, action, stands, about, on_run_page))

    def show_batch_panel(self) -> None:
        """Open the folder run above the image, or in its place where there is no room for both."""
        self.image_and_run.show_run(True)
        self.states.update(shows_run=True, page=Page.FOLDER_RUN)
        self.batch_panel.focus_first()

    @Slot()
    def show_conversation(self) -> None:
        """Go to the picture and its conversation; a folder run stays only where it leaves room."""
        if self.state.covers_image:
            self.hide_run()
        elif not self.state.is_conversation:
            self.batch_panel.list.finish_editing()
            self.prompt_box.focus_prompt()
            self.states.update(page=Page.CONVERSATION)

    @Slot()
    def hide_run(self) -> None:
        """Fold the folder run away; it goes on."""
        if self.state.shows_run:
            self.batch_panel.list.finish_editing()
            # Whoever reads images goes on there.
            is_left = not (self.workspace_pane.has_focus or self.caption_panel.has_focus)
            self.image_and_run.show_run(False)
            if is_left:
                self.prompt_box.focus_prompt()
            self.states.update(shows_run=False, page=Page.CONVERSATION)

    def show_images(self) -> None:
        """Other images are opened: a folder run stays in view only while it is under way."""
        if self.state.run.is_running:
            self.show_conversation()
        else:
            self.hide_run()

    def save_state(self) -> str:
        """Return size, position and division of the window as an opaque text."""
        return saved_geometry(self, self.splitter, self.workspace_page.splitter)

    def restore_state(self, state: str) -> None:
        """Undo `save_state`; what cannot be read is left as it is."""
        restore_geometry(self, state, self.splitter, self.workspace_page.splitter)

    # What the window does by itself

    @Slot()
    def escape(self) -> None:
        """End the innermost thing."""
        end_innermost(self)

    @Slot(int)
    def inspect(self, index: int) -> None:
        """Show the inspector, waiting for the trace of an answer."""
        self.inspector.show_waiting(self.transcript_view.prompt_at(index))
        self.inspector.show()
        self.inspector.raise_()
        self.inspector.activateWindow()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """What is typed where nothing takes it lands in the caption or the prompt."""
        is_shifted = event.modifiers() == Qt.KeyboardModifier.ShiftModifier
        if event.key() == Qt.Key.Key_F10 and is_shifted:  # Not on all systems Qt does that.
            open_by_key(self.focusWidget())
            return
        modifiers = Qt.KeyboardModifier
        plain = modifiers.ShiftModifier | modifiers.KeypadModifier | modifiers.GroupSwitchModifier
        is_typed = event.text().isprintable() and bool(event.text().strip())
        is_plain = is_typed and not event.modifiers() & ~plain
        state = self.state
        can_type = state.is_conversation and state.shows_image
        if state.workspace.has_focus and self.command_actions.has_key(event):
            can_type = False  # A single key of the list, which can do nothing now.
        if can_type and is_plain and passes_text_on(self.focusWidget()):
            target = focus_typing_target(self, self.focusWidget())
            QCoreApplication.sendEvent(target, event)
        else:
            super().keyPressEvent(event)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """Let pictures be dropped anywhere on the window."""
        self.drop_zone.dragEnterEvent(event)
        if event.isAccepted():
            self.batch_panel.drag_overlay.invite(self.drop_zone.drag_overlay.text, True)

    def dragMoveEvent(self, event: QDragMoveEvent) -> None:
        """Leave it to the drop zone."""
        self.drop_zone.dragMoveEvent(event)

    def dragLeaveEvent(self, event: QDragLeaveEvent) -> None:
        """Take the invitations away."""
        self.drop_zone.dragLeaveEvent(event)
        self.batch_panel.drag_overlay.hide()

    def dropEvent(self, event: QDropEvent) -> None:
        """Leave it to the drop zone, whose signals say what was dropped."""
        self.batch_panel.drag_overlay.hide()
        self.drop_zone.dropEvent(event)

    def closeEvent(self, event: QCloseEvent) -> None:
        """Ask first while a folder run is under way, and emit `unsaved_left` while something that
        was typed is not saved yet; otherwise hide, and emit `closed`."""
        is_row_left = self.batch_panel.list.finish_editing()
        if self.state.run.is_running and not self._may_leave_run:
            event.ignore()
            dialog = LeaveRunDialog(self)
            dialog.confirmed.connect(self._leave_run)
            open_without_waiting(dialog)
            return
        if (is_row_left or self.state.has_unsaved) and not self._may_leave_unsaved:
            event.ignore()
            self.unsaved_left.emit()
            return
        self.hide()
        self._task_bar.show_progress(None)
        self.drop_zone.close()
        self.thumbnails.close()
        event.accept()
        self.closed.emit()

    @Slot()
    def leave(self) -> None:
        """Close without asking, although a folder run is under way, or something is not saved."""
        self._may_leave_run = self._may_leave_unsaved = True
        self.close()

    @Slot()
    def _leave_run(self) -> None:
        self._may_leave_run = True
        self.close()
        self._may_leave_run = not self.isVisible()

    # Parts

    def _build(self, thumbnails: Path | None) -> None:
        parts = Parts(self.theme, thumbnails)
        self.drop_zone, self.transcript_view = parts.drop_zone, parts.transcript_view
        self.notice_bar, self.prompt_box = parts.notice_bar, parts.prompt_box
        self.batch_panel, self.status_line = parts.batch_panel, parts.status_line
        self.image_and_run, self.splitter = parts.image_and_run, parts.splitter
        self.workspace_page, self.workspace_pane = parts.workspace_page, parts.workspace_pane
        self.thumbnails = parts.thumbnails
        self.caption_panel, self.side_tabs = parts.caption_panel, parts.side_tabs
        self.setCentralWidget(parts)
        picture_view, previews = self.drop_zone.picture_view, self.drop_zone.previews
        self.evidence_view = EvidenceView(
            self.theme, self.transcript_view, picture_view, previews, self
        )
        self.evidence_view.keep_free(self.notice_bar, self.prompt_box.ask_button)
        self.inspector = Inspector(self.theme, previews, self)

    def _connect(self) -> None:
        self.states.changed.connect(self._render)
        self.drop_zone.paths_dropped.connect(self.paths_opened)
        self.drop_zone.refused.connect(self.show_notice)
        self.drop_zone.part_frame.changed.connect(self._on_part_changed)
        self.transcript_view.part_chosen.connect(self.drop_zone.show_part)
        self.dialogs.pictures_chosen.connect(self._on_pictures_chosen)
        self.batch_panel.closed.connect(self.hide_run)
        self.batch_panel.left.connect(self._on_run_left)
        self.image_and_run.covered.connect(self._on_covered)
        self.drop_zone.open_requested.connect(self.dialogs.open_pictures)
        self.prompt_box.picture_pasted.connect(self.drop_zone.paste)
        self.prompt_box.prompt_edit.textChanged.connect(self.focus_watch.note)
        self.transcript_view.inspect_asked.connect(self.inspect)
        self.transcript_view.model_requested.connect(self.commands[Command.MODELS].trigger)
        self.transcript_view.edit_ended.connect(self.prompt_box.focus_prompt)
        self.status_line.models_asked.connect(self.commands[Command.MODELS].trigger)
        self.evidence_view.noticed.connect(self.show_notice)
        self.evidence_view.changed.connect(self._on_words_changed)
        for bar in (self.notice_bar, self.batch_panel.notice_bar):
            bar.dismissed.connect(self.states.dismiss)
            bar.action_chosen.connect(self.notice_action_chosen)
        self.theme.changed.connect(self._on_theme_changed)
        self.command_actions.edit_opened.connect(self.focus_watch.note)

    @Slot(object)
    def _render(self, state: ViewState) -> None:
        """Show the state; parts whose share of it is the same are left alone."""
        before, self._shown = self._shown, state
        self.setWindowTitle(window_title(state))
        self.status_line.show_status(status(state))
        self.notice_bar.show_notices(shown_notices(state, Page.CONVERSATION))
        self.batch_panel.notice_bar.show_notices(shown_notices(state, Page.FOLDER_RUN))
        self.command_actions.render(state)
        if (offer := prompt_offer(state)) != self.prompt_box.offer:
            self.prompt_box.show_offer(offer)
        show_in_documents(self, before, state)
        self._task_bar.show_progress(state.run.fraction, is_paused=state.run.is_paused)

    @Slot()
    def _on_words_changed(self) -> None:
        """Who leaves the words goes on typing, unless text in them is selected."""
        was_chosen, is_chosen = self.state.has_chosen_word, self.evidence_view.has_chosen
        self.states.update(has_chosen_word=is_chosen)
        focused = self.focusWidget()
        is_left = was_chosen and not is_chosen
        if is_left and isinstance(focused, AnswerText) and not focused.textCursor().hasSelection():
            self.prompt_box.focus_prompt()

    @Slot()
    def _on_part_changed(self) -> None:
        self.states.update(has_part=self.drop_zone.part_frame.box is not None)

    @Slot()
    def _on_theme_changed(self) -> None:
        self.states.update(theme=self.theme.mode)

    @Slot(bool)
    def _on_covered(self, is_covered: bool) -> None:
        self.states.update(covers_image=is_covered)
        if is_covered and not self.workspace_pane.has_focus:
            self.states.update(page=Page.FOLDER_RUN)

    @Slot()
    def _on_run_left(self) -> None:
        """The run is started: go on with the images."""
        if self.workspace_pane.isVisible():
            self.workspace_pane.list.setFocus()
        elif self.state.shows_image:
            self.prompt_box.focus_prompt()
        else:
            # It has all the room, which would be empty.
            self.batch_panel.show_rows()
            self.batch_panel.list.setFocus()

    @Slot(list)
    def _on_pictures_chosen(self, paths: list[Path]) -> None:
        self.show_images()
        self.paths_opened.emit(paths)
