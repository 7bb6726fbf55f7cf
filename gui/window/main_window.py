"""The main window: its parts, what they show, and what a person does with them, as signals."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtGui import (
    QActionGroup,
    QCloseEvent,
    QDragEnterEvent,
    QDragLeaveEvent,
    QDragMoveEvent,
    QDropEvent,
)
from PySide6.QtWidgets import (
    QMainWindow,
    QMenu,
    QMessageBox,
    QSplitter,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from core.engine import Capability, Failed, Loading, ModelState, Ready
from core.picture import ImagePreprocessing, Picture
from core.trace import Trace
from core.transcript import Answer, Span, Transcript
from gui.batch.panel import BatchPanel
from gui.conversation.evidence_view import EvidenceView
from gui.conversation.prompt_box import PromptBox
from gui.conversation.transcript_view import TranscriptView
from gui.inspector.panel import Inspector
from gui.picture.drop_zone import DropZone
from gui.widgets.notice_bar import NoticeAction, NoticeActionKind, NoticeBar
from gui.widgets.screen_fit import ScreenFit
from gui.widgets.theme import Theme
from gui.widgets.translated import translated, translated_all
from gui.window.commands import STEP, ZOOM, Command, Submenu, build_menus
from gui.window.file_dialogs import (
    folder_dialog,
    open_without_waiting,
    pictures_dialog,
    transcript_dialog,
)
from gui.window.help_dialogs import AboutDialog, KeysDialog
from gui.window.saved_geometry import restore_geometry, saved_geometry
from gui.window.status_line import StatusLine
from gui.window.task_bar import TaskBar
from gui.window.title import window_title

SMALLEST = (620, 344)
_FIRST = (1180, 760)


class MainWindow(QMainWindow):
    """The window. It knows core's data, shows what it is given and emits what was done to it.

    Its parts are `drop_zone`, `transcript_view`, `prompt_box`, `notice_bar`, `status_line` and
    `batch_panel`; `commands` are the actions of its menus. The methods that begin with `show_`, and
    `begin_answer`, `append`, `finish`, `fail`, keep the parts consistent; call them rather than the
    parts' own.

    Pictures:
      `paths_opened(list[Path])`     files or folders, dropped, pasted, chosen or a sample
      `image_data_dropped(bytes, str)`  an encoded image without a file; a name or ""
      `picture_chosen(int)`          another picture of the list, by its index
    Folder runs, in `batch_panel`:
      `folder_run_chosen(list[Path])`  folders or files to caption
      `last_run_asked()`             show the last one again
    Conversation:
      `asked(str)`  `stopped()`  `regenerate_asked()`  `edited(int, str)`
      `new_conversation_asked()`
      `unstrike_asked()`             take back the last striking out
      `underlines_chosen(bool)`      applied already; to be remembered
      `together_chosen(bool)`        questions are about all pictures of the list
      what is asked about an answer's words is a signal of `evidence_view`
      `inspect_asked(int)`           trace the answer at this index; `inspector` waits for it
      `transcript_path_chosen(Path)` where the transcript is to be saved as text
      `recent_opened()`              the submenu is about to show: answer with `show_recent`
      `recent_chosen(int)`           an earlier conversation, by its id
    Model:
      `built_in_model_chosen()`  `model_folder_chosen(Path)`  `model_unloaded()`
      `loading_cancelled()`
      `models_asked()`               all models are to be shown, downloadable ones too
    Program:
      `theme_chosen(str)`            applied already; to be remembered
      `settings_asked()`  `log_folder_asked()`  `updates_asked()`
      `notice_action_chosen(NoticeActionKind)`  the button of a notice was clicked
      `closed()`                     the window is hidden; take the program down
    """

    paths_opened = Signal(list)
    image_data_dropped = Signal(bytes, str)
    picture_chosen = Signal(int)
    folder_run_chosen = Signal(list)
    last_run_asked = Signal()
    asked = Signal(str)
    stopped = Signal()
    regenerate_asked = Signal()
    edited = Signal(int, str)
    inspect_asked = Signal(int)
    unstrike_asked = Signal()
    underlines_chosen = Signal(bool)
    together_chosen = Signal(bool)
    new_conversation_asked = Signal()
    transcript_path_chosen = Signal(Path)
    recent_opened = Signal()
    recent_chosen = Signal(int)
    built_in_model_chosen = Signal()
    model_folder_chosen = Signal(Path)
    model_unloaded = Signal()
    loading_cancelled = Signal()
    models_asked = Signal()
    theme_chosen = Signal(str)
    settings_asked = Signal()
    log_folder_asked = Signal()
    updates_asked = Signal()
    notice_action_chosen = Signal(object)
    closed = Signal()

    def __init__(
        self,
        theme: Theme,
        presets: Sequence[tuple[str, str]] = (),
        parent: QWidget | None = None,
    ):
        """`presets` are (name, prompt); the first is what Enter asks of a new picture."""
        super().__init__(parent)
        self.setObjectName("main_window")
        self.setWindowTitle("Onlooker")
        self.setMinimumSize(*SMALLEST)
        self.resize(*_FIRST)
        self.setAcceptDrops(True)
        ScreenFit(self)
        self._theme = theme
        self._suggestion = presets[0][1] if presets else ""
        self._folder = ""
        self._preprocessing: ImagePreprocessing | None = None
        self._trace_obstacle = ""
        self._most_pictures = 1
        self._can_unstrike = False
        self._may_leave_run = False
        self._picture_name = ""
        self._run_done: float | None = None
        self._task_bar = TaskBar(self)
        self._build()
        self.prompt_box.set_presets(presets)
        self.batch_panel.suggest(presets[1][1] if len(presets) > 1 else "")
        self.commands, submenus = build_menus(self.menuBar(), self._runs())
        self.recent_menu = submenus[Submenu.RECENT]
        self.recent_menu.aboutToShow.connect(self.recent_opened)
        self.show_recent([])
        self._fill_colours(submenus[Submenu.THEME])
        self._connect()
        self._show_state()
        self.prompt_box.focus_prompt()

    # What the window shows

    def show_empty(self, samples: list[Path]) -> None:
        """The first thing seen: how to begin, with samples."""
        self.drop_zone.show_empty(samples)

    def show_picture(self, picture: Picture) -> None:
        """Show a picture, name it in the title, and let the next key type a question."""
        self.drop_zone.show_picture(picture)
        self._picture_name = picture.name
        self._show_title()
        self.prompt_box.focus_prompt()

    def show_picture_error(self, text: str) -> None:
        """Show, where the picture would be, why there is none."""
        self.drop_zone.show_error(text)
        self._picture_name = ""
        self._show_title()

    def show_picture_list(self, paths: list[Path], current: int) -> None:
        """Show the pictures that were opened together in the strip; `current` is the one shown."""
        self.drop_zone.show_pictures_at_hand(paths, current)
        self._show_state()

    def show_model_state(self, state: ModelState) -> None:
        """Show whether a model is there, loads or has failed, and what follows for questions."""
        self.status_line.show_model_state(state)
        loading = isinstance(state, Loading)
        self.prompt_box.set_loading(loading)
        self.transcript_view.set_loading(loading)
        self.commands[Command.UNLOAD].setEnabled(isinstance(state, Ready))
        match state:
            case Ready(facts):
                self._trace_obstacle = translated(facts.why_not(Capability.TRACE) or "")
                self._most_pictures = facts.most_pictures
                self._show_state()
                self.transcript_view.show_only_drawings(facts.knows_only_drawings)
                if facts.notes:
                    self.show_notice(translated_all(facts.notes))
            case Failed(error):
                self.transcript_view.show_only_drawings(False)
                self.show_notice(translated(error), self._use_built_in())

    def show_preprocessing(
        self, preprocessing: ImagePreprocessing | None, reason: str = ""
    ) -> None:
        """Offer the picture as the loaded model receives it; `reason` says why it is unknown."""
        self._preprocessing = preprocessing
        self.drop_zone.model_view_switch.set_preprocessing(preprocessing, reason)
        self._show_state()

    def show_evidence_obstacle(self, reason: str) -> None:
        """Why there is no evidence for the words of the loaded model, "" if there is."""
        self.evidence_view.set_obstacle(reason)
        self.batch_panel.set_doubt_obstacle(reason)
        self._show_state()

    def show_trace_obstacle(self, reason: str) -> None:
        """Why the answers of the loaded model cannot be traced, "" if they can."""
        self._trace_obstacle = reason
        self.transcript_view.set_trace_obstacle(reason)
        self._show_state()

    def show_underlines(self, is_shown: bool) -> None:
        """Whether doubtful words are underlined."""
        self.commands[Command.UNDERLINE_DOUBT].setChecked(is_shown)
        self.transcript_view.set_shows_doubt(is_shown)

    def show_struck(self, index: int, struck: tuple[Span, ...], can_undo: bool) -> None:
        """Show what is struck out of the answer at this index, and offer to undo it."""
        self.evidence_view.show_struck(index, struck)
        self._can_unstrike = can_undo
        self._show_state()

    def show_can_undo(self, can_undo: bool) -> None:
        """Offer to undo the last change in the conversation, if there is one."""
        self._can_unstrike = can_undo
        self._show_state()

    def show_trace(self, trace: Trace, picture: Picture) -> None:
        """Show the trace that `inspect_asked` wanted."""
        self.inspector.show_trace(trace, picture, self._preprocessing)

    def begin_answer(self, prompt: str) -> None:
        """Show a question whose answer is on its way."""
        self.transcript_view.begin_answer(prompt)
        self.prompt_box.set_answering(True)
        self.status_line.show_speed(0)

    def append(self, piece: str) -> None:
        """Show the next piece of the answer."""
        self.transcript_view.append(piece)

    def finish(self, answer: Answer) -> None:
        """Show the whole answer and its speed."""
        self.transcript_view.finish(answer)
        self.prompt_box.set_answering(False)
        self.status_line.show_speed(answer.tokens_per_second)

    def fail(self, text: str) -> None:
        """Show, in the answer's place, why there is none."""
        self.transcript_view.fail(text)
        self.prompt_box.set_answering(False)

    def clear_conversation(self) -> None:
        """A new conversation begins; the first preset is suggested again."""
        self._can_unstrike = False
        self.transcript_view.clear()
        self.prompt_box.set_answering(False)

    def cut_conversation(self, count: int) -> None:
        """Show only the first `count` exchanges."""
        self._can_unstrike = False
        self.transcript_view.cut(count)

    def show_branch(self, index: int, transcript: Transcript) -> None:
        """Show other exchanges from this index on."""
        self.transcript_view.show_branch(index, transcript)
        self.prompt_box.set_answering(False)

    def show_transcript(self, transcript: Transcript) -> None:
        """Show a kept conversation, to go on with."""
        self.show_conversation()
        self.transcript_view.show_transcript(transcript)
        self.prompt_box.suggest("")
        self._show_state()

    def give_prompt_back(self, prompt: str) -> None:
        """A question that could not be asked: it is in the box again, unless something else is."""
        if not self.prompt_box.text:
            self.prompt_box.set_text(prompt)

    def show_notice(self, text: str, action: NoticeAction | None = None) -> None:
        """A note or an expected error, without a dialog."""
        self.notice_bar.show_notice(text, action)
        if self.pages.currentWidget() is self.batch_panel:
            self.batch_panel.show_notice(text, action)

    def show_batch_panel(self) -> None:
        """The folder run takes the place of the picture and its conversation."""
        if self.pages.currentWidget() is not self.batch_panel:
            self.pages.setCurrentWidget(self.batch_panel)
            self.batch_panel.focus_first()
            self._show_state()

    def show_conversation(self) -> None:
        """The picture and its conversation take the place of a folder run."""
        if self.pages.currentWidget() is not self.splitter:
            self.batch_panel.list.finish_editing()
            self.pages.setCurrentWidget(self.splitter)
            self.prompt_box.focus_prompt()
            self._show_state()

    def show_run_progress(self, fraction: float | None, *, is_paused: bool = False) -> None:
        """How much of a folder run is done, in the title and on the task bar; None for no run."""
        self._task_bar.show_progress(fraction, is_paused=is_paused)
        self._run_done = fraction
        self._show_title()

    def show_recent(self, conversations: Sequence[tuple[int, str]]) -> None:
        """Earlier conversations as (id, title), latest first."""
        self.recent_menu.clear()
        for id_, title in conversations:
            action = self.recent_menu.addAction(title.replace("&", "&&"))
            action.triggered.connect(partial(self._on_recent_chosen, id_))
        if not conversations:
            self.recent_menu.addAction(self.tr("No conversations yet")).setEnabled(False)

    def save_state(self) -> str:
        """Return size, position and division of the window as an opaque text."""
        return saved_geometry(self, self.splitter)

    def restore_state(self, state: str) -> None:
        """Undo `save_state`; what cannot be read is left as it is."""
        restore_geometry(self, self.splitter, state)

    # What the window does by itself

    @Slot()
    def open_dialog(self) -> None:
        """Let the user choose picture files."""
        dialog = pictures_dialog(self, self._folder)
        dialog.filesSelected.connect(self._on_files_selected)
        open_without_waiting(dialog)

    def open_folder_dialog(self) -> None:
        """Let the user choose a folder of pictures."""
        dialog = folder_dialog(self, self.tr("Open folder"), self._folder)
        dialog.filesSelected.connect(self._on_files_selected)
        open_without_waiting(dialog)

    def open_run_dialog(self) -> None:
        """Let the user choose a folder whose pictures are all captioned."""
        dialog = folder_dialog(self, self.tr("Caption folder"), self._folder)
        dialog.filesSelected.connect(self._on_run_selected)
        open_without_waiting(dialog)

    def open_model_dialog(self) -> None:
        """Let the user choose the folder of a model."""
        dialog = folder_dialog(self, self.tr("Open model folder"))
        dialog.fileSelected.connect(self._on_model_folder_selected)
        open_without_waiting(dialog)

    def save_dialog(self) -> None:
        """Let the user choose where the transcript is saved."""
        dialog = transcript_dialog(self)
        dialog.fileSelected.connect(self._on_transcript_path_selected)
        open_without_waiting(dialog)

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
        """Ask first while a folder run is under way; otherwise hide, and emit `closed`."""
        self.batch_panel.list.finish_editing()
        if self.batch_panel.is_running and not self._may_leave_run:
            event.ignore()
            self._ask_to_leave_run()
            return
        self.hide()
        self._task_bar.show_progress(None)
        self.drop_zone.close()
        event.accept()
        self.closed.emit()

    def _ask_to_leave_run(self) -> None:
        box = QMessageBox(self)
        box.setObjectName("leave_run_dialog")
        box.setWindowTitle(self.tr("Folder run in progress"))
        box.setText(self.tr("Stop the folder run and close?"))
        box.setInformativeText(self.tr("You can resume it any time."))
        leave = box.addButton(self.tr("Stop and close"), QMessageBox.ButtonRole.AcceptRole)
        box.setDefaultButton(leave)
        box.addButton(self.tr("Keep running"), QMessageBox.ButtonRole.RejectRole)
        leave.clicked.connect(self.leave)
        open_without_waiting(box)

    @Slot()
    def leave(self) -> None:
        """Close without asking, although a folder run is under way."""
        self._may_leave_run = True
        self.close()

    # Parts

    def _build(self) -> None:
        self.drop_zone = DropZone(self._theme)
        self.splitter = QSplitter(Qt.Orientation.Horizontal)
        self.splitter.setObjectName("splitter")
        self.splitter.setHandleWidth(1)
        self.splitter.setChildrenCollapsible(False)
        self.splitter.addWidget(self.drop_zone)
        self.splitter.addWidget(self._build_conversation())
        self.splitter.setStretchFactor(0, 3)
        self.splitter.setStretchFactor(1, 2)
        self.splitter.setSizes([700, 480])
        self.batch_panel = BatchPanel(self._theme, self.drop_zone.previews)
        self.pages = QStackedWidget()
        self.pages.setObjectName("pages")
        self.pages.addWidget(self.splitter)
        self.pages.addWidget(self.batch_panel)
        self.status_line = StatusLine()
        centre = QWidget()
        rows = QVBoxLayout(centre)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.setSpacing(0)
        rows.addWidget(self.pages, 1)
        rows.addWidget(self.status_line)
        self.setCentralWidget(centre)
        self.evidence_view = EvidenceView(
            self._theme,
            self.transcript_view,
            self.drop_zone.picture_view,
            self.drop_zone.previews,
            self,
        )
        self.inspector = Inspector(self._theme, self.drop_zone.previews, self)

    def _build_conversation(self) -> QWidget:
        self.transcript_view = TranscriptView(self._theme)
        self.notice_bar = NoticeBar(self._theme)
        self.prompt_box = PromptBox(self._theme)
        right = QWidget()
        right.setObjectName("conversation")
        right.setMinimumWidth(300)
        column = QVBoxLayout(right)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.transcript_view, 1)
        below = QVBoxLayout()
        below.setContentsMargins(12, 8, 12, 12)
        below.setSpacing(8)
        below.addWidget(self.notice_bar)
        below.addWidget(self.prompt_box)
        column.addLayout(below)
        return right

    def _runs(self) -> dict[Command, Callable[[], object]]:
        """What each command of the menus does."""
        zone, view = self.drop_zone, self.transcript_view
        picture, strip, switch = zone.picture_view, zone.picture_strip, zone.model_view_switch
        return {
            Command.OPEN: self.open_dialog,
            Command.OPEN_FOLDER: self.open_folder_dialog,
            Command.CAPTION_FOLDER: self.open_run_dialog,
            Command.LAST_RUN: self.last_run_asked.emit,
            Command.PASTE: zone.paste,
            Command.SAVE: self.save_dialog,
            Command.SETTINGS: self.settings_asked.emit,
            Command.QUIT: self.close,
            Command.NEW: self.new_conversation_asked.emit,
            Command.WRITE: self.prompt_box.focus_prompt,
            Command.ASK_TOGETHER: self._on_together_toggled,
            Command.REGENERATE: self.regenerate_asked.emit,
            Command.STOP: self._on_escape,
            Command.WORDS: self.evidence_view.enter_last,
            Command.UNDO_STRIKE: self.unstrike_asked.emit,
            Command.INSPECT: view.inspect_last,
            Command.COPY: view.copy_last,
            Command.COPY_ALL: view.copy_all,
            Command.FIT: picture.fit,
            Command.ACTUAL_SIZE: picture.show_actual_size,
            Command.ZOOM_IN: picture.zoom_in,
            Command.ZOOM_OUT: picture.zoom_out,
            Command.MODEL_VIEW: switch.toggle,
            Command.RESIZING_LOSS: switch.toggle_lost,
            Command.PREVIOUS_PICTURE: strip.choose_previous,
            Command.NEXT_PICTURE: strip.choose_next,
            Command.UNDERLINE_DOUBT: self._on_underlines_toggled,
            Command.MODELS: self.models_asked.emit,
            Command.BUILT_IN_MODEL: self.built_in_model_chosen.emit,
            Command.MODEL_FOLDER: self.open_model_dialog,
            Command.UNLOAD: self.model_unloaded.emit,
            Command.KEYS: self._show_keys,
            Command.LOG_FOLDER: self.log_folder_asked.emit,
            Command.UPDATES: self.updates_asked.emit,
            Command.ABOUT: self._show_about,
        }

    def _fill_colours(self, menu: QMenu) -> None:
        group = QActionGroup(self)
        modes = {
            "system": self.tr("Follow &system"),
            "light": self.tr("&Light"),
            "dark": self.tr("&Dark"),
        }
        self.theme_actions = {mode: menu.addAction(text) for mode, text in modes.items()}
        for mode, action in self.theme_actions.items():
            action.setCheckable(True)
            action.triggered.connect(partial(self._on_mode_chosen, mode))
            group.addAction(action)

    def _connect(self) -> None:
        self.drop_zone.paths_dropped.connect(self.paths_opened)
        self.drop_zone.image_data_dropped.connect(self.image_data_dropped)
        self.drop_zone.open_requested.connect(self.open_dialog)
        self.drop_zone.picture_chosen.connect(self.picture_chosen)
        self.drop_zone.refused.connect(self.show_notice)
        self.drop_zone.picture_shown.connect(self._on_picture_shown)
        self.drop_zone.returned.connect(self.show_picture)
        self.batch_panel.closed.connect(self.show_conversation)
        self.batch_panel.opened.connect(self._on_row_opened)
        self.prompt_box.asked.connect(self.asked)
        self.prompt_box.stopped.connect(self.stopped)
        self.prompt_box.picture_pasted.connect(self.drop_zone.paste)
        self.transcript_view.changed.connect(self._show_state)
        self.transcript_view.regenerate_asked.connect(self.regenerate_asked)
        self.transcript_view.edited.connect(self.edited)
        self.evidence_view.changed.connect(self._show_state)
        self.evidence_view.noticed.connect(self.show_notice)
        self.transcript_view.inspect_asked.connect(self._on_inspect_asked)
        self.transcript_view.model_requested.connect(self.models_asked)
        self.status_line.loading_cancelled.connect(self.loading_cancelled)
        self.status_line.models_asked.connect(self.models_asked)
        self.notice_bar.action_chosen.connect(self._on_notice_action_chosen)
        self.batch_panel.notice_bar.action_chosen.connect(self._on_notice_action_chosen)
        self._theme.changed.connect(self._show_mode)
        self._show_mode()

    def _use_built_in(self) -> NoticeAction:
        text = self.tr("Use built-in model")
        return NoticeAction(NoticeActionKind.USE_BUILT_IN_MODEL, text)

    def _show_title(self) -> None:
        self.setWindowTitle(window_title(self._picture_name, self._run_done))

    @Slot()
    def _show_state(self) -> None:
        """Enable the commands that can be given now, and say why others cannot."""
        is_seen = self.pages.currentWidget() is self.splitter
        has_exchanges = self.transcript_view.has_exchanges
        self.prompt_box.suggest("" if has_exchanges else self._suggestion)
        self._enable_for_conversation(is_seen, is_seen and has_exchanges)
        self._enable_for_words(is_seen, is_seen and has_exchanges)
        self._enable_for_picture(is_seen)

    def _enable_for_conversation(self, is_seen: bool, has_answer: bool) -> None:
        commands, is_answering = self.commands, self.transcript_view.is_answering
        commands[Command.WRITE].setEnabled(is_seen)
        can_stop = is_answering or self.evidence_view.has_chosen
        commands[Command.STOP].setEnabled(is_seen and can_stop)
        commands[Command.REGENERATE].setEnabled(has_answer and not is_answering)
        for command in (Command.NEW, Command.COPY, Command.COPY_ALL, Command.SAVE):
            commands[command].setEnabled(has_answer)
        commands[Command.ASK_TOGETHER].setEnabled(self._most_pictures > 1)
        commands[Command.ASK_TOGETHER].setToolTip(
            self.tr("Ask about up to {count} open images").format(count=self._most_pictures)
            if self._most_pictures > 1
            else self.tr("This model takes one image at a time")
        )

    def _enable_for_words(self, is_seen: bool, has_answer: bool) -> None:
        commands, obstacle = self.commands, self.evidence_view.obstacle
        commands[Command.UNDO_STRIKE].setEnabled(is_seen and self._can_unstrike)
        commands[Command.WORDS].setEnabled(has_answer and not obstacle)
        commands[Command.WORDS].setToolTip(obstacle or self.tr("Show the evidence for each word"))
        commands[Command.UNDERLINE_DOUBT].setEnabled(not obstacle)
        commands[Command.UNDERLINE_DOUBT].setToolTip(
            obstacle or self.tr("Underline words that may be wrong")
        )
        commands[Command.INSPECT].setEnabled(has_answer and not self._trace_obstacle)
        commands[Command.INSPECT].setToolTip(
            self._trace_obstacle or self.tr("Show what went through the model")
        )

    def _enable_for_picture(self, is_seen: bool) -> None:
        commands, has_picture = self.commands, is_seen and self.drop_zone.has_picture
        for command in ZOOM:
            commands[command].setEnabled(has_picture)
        button = self.drop_zone.model_view_switch.show_button
        for command in (Command.MODEL_VIEW, Command.RESIZING_LOSS):
            commands[command].setEnabled(has_picture and button.isEnabled())
            commands[command].setToolTip("" if button.isEnabled() else button.toolTip())
        for command in STEP:
            commands[command].setEnabled(is_seen and self.drop_zone.picture_strip.count > 1)

    @Slot(bool)
    def _on_picture_shown(self, is_shown: bool) -> None:
        self.prompt_box.set_has_picture(is_shown)
        self._show_state()

    @Slot()
    def _on_escape(self) -> None:
        """Esc always stops; where nothing is to be stopped it leaves the words."""
        if self.transcript_view.is_answering:
            self.stopped.emit()
        else:
            self.evidence_view.leave()

    @Slot(int)
    def _on_inspect_asked(self, index: int) -> None:
        self.inspector.show_waiting(self.transcript_view.prompt_at(index))
        self.inspector.show()
        self.inspector.raise_()
        self.inspector.activateWindow()
        self.inspect_asked.emit(index)

    @Slot(list)
    def _on_run_selected(self, names: list[str]) -> None:
        self.folder_run_chosen.emit([Path(name) for name in names])

    @Slot(Path)
    def _on_row_opened(self, path: Path) -> None:
        self.show_conversation()
        self.paths_opened.emit([path])

    @Slot(list)
    def _on_files_selected(self, names: list[str]) -> None:
        paths = [Path(name) for name in names]
        if paths:
            self._folder = str(paths[0].parent)
            self.show_conversation()
            self.paths_opened.emit(paths)

    @Slot(str)
    def _on_model_folder_selected(self, name: str) -> None:
        self.model_folder_chosen.emit(Path(name))

    @Slot(str)
    def _on_transcript_path_selected(self, name: str) -> None:
        self.transcript_path_chosen.emit(Path(name))

    @Slot(object)
    def _on_notice_action_chosen(self, kind: NoticeActionKind) -> None:
        if kind is NoticeActionKind.USE_BUILT_IN_MODEL:
            self.built_in_model_chosen.emit()
        self.notice_action_chosen.emit(kind)

    def _on_recent_chosen(self, id_: int, checked: bool = False) -> None:
        self.recent_chosen.emit(id_)

    def _on_together_toggled(self) -> None:
        is_chosen = self.commands[Command.ASK_TOGETHER].isChecked()
        notice = self.tr("Questions are now about one image.")
        if is_chosen:
            notice = self.tr("Questions are now about up to {count} open images.")
        self.show_notice(notice.format(count=self._most_pictures))
        self.together_chosen.emit(is_chosen)

    def _on_underlines_toggled(self) -> None:
        self.transcript_view.set_shows_doubt(self.commands[Command.UNDERLINE_DOUBT].isChecked())
        self.underlines_chosen.emit(self.commands[Command.UNDERLINE_DOUBT].isChecked())

    def _on_mode_chosen(self, mode: str, checked: bool = False) -> None:
        self._theme.choose(mode)
        self.theme_chosen.emit(mode)

    @Slot()
    def _show_mode(self) -> None:
        self.theme_actions[self._theme.mode].setChecked(True)

    def _show_keys(self) -> None:
        actions = [
            action for menu in self.menuBar().findChildren(QMenu) for action in menu.actions()
        ]
        open_without_waiting(KeysDialog(actions, self))

    def _show_about(self) -> None:
        open_without_waiting(AboutDialog(self))
