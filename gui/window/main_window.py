"""Places the parts of the window, and gives every action a place in a menu and a key."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from PySide6.QtCore import QByteArray, Qt, Signal, Slot
from PySide6.QtGui import (
    QAction,
    QActionGroup,
    QCloseEvent,
    QDragEnterEvent,
    QDragLeaveEvent,
    QDragMoveEvent,
    QDropEvent,
    QKeySequence,
)
from PySide6.QtWidgets import (
    QDialog,
    QFileDialog,
    QMainWindow,
    QMenu,
    QMessageBox,
    QSplitter,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from core.engine import Capability, Failed, Loading, ModelState, Ready
from core.llava.trace import Trace
from core.picture import PICTURE_SUFFIXES, ImagePreprocessing, Picture
from core.transcript import Answer, Span, Transcript
from gui.batch.panel import BatchPanel
from gui.conversation.evidence_view import EvidenceView
from gui.conversation.prompt_box import PromptBox
from gui.conversation.transcript_view import TranscriptView
from gui.inspector.panel import Inspector
from gui.picture.drop_zone import DropZone
from gui.widgets.notice_bar import NoticeAction, NoticeActionKind, NoticeBar
from gui.widgets.theme import Theme
from gui.window.help_dialogs import AboutDialog, KeysDialog
from gui.window.status_line import StatusLine
from gui.window.task_bar import TaskBar

SMALLEST = (640, 480)
_FIRST = (1180, 760)
_USE_BUILT_IN = NoticeAction(NoticeActionKind.USE_BUILT_IN_MODEL, "Use the built-in model")
_MODES = (("system", "Like the &system"), ("light", "&Light"), ("dark", "&Dark"))


class MainWindow(QMainWindow):
    """The window. It knows core's data, shows what it is given and tells what was done to it.

    Its parts are `drop_zone`, `transcript_view`, `prompt_box`, `notice_bar` and `status_line`.
    The methods that begin with `show_`, and `begin_answer`, `append`, `finish`, `fail`, keep the
    parts in step; call them rather than the parts' own.

    Pictures:
      `paths_opened(list[Path])`     files or folders, dropped, pasted, chosen or a sample
      `image_data_dropped(bytes, str)`  an encoded image without a file; a name or ""
      `picture_chosen(int)`          another of the pictures at hand
    Folder runs, in `batch_panel`:
      `folder_run_chosen(list[Path])`  folders or files to caption
      `last_run_asked()`             show the last one again
    Conversation:
      `asked(str)`  `stopped()`  `regenerate_asked()`  `edited(int, str)`
      `new_conversation_asked()`
      `unstrike_asked()`             take back the last striking out
      `underlines_chosen(bool)`      applied already; to be remembered
      `together_chosen(bool)`        questions are about all pictures at hand
      what is wanted of an answer's words, `evidence_view` says
      `inspect_asked(int)`           look into the answer at this index: `inspector` waits for it
      `transcript_path_chosen(Path)` where the transcript is to be saved as text
      `recent_opened()`              the submenu is about to show: answer with `show_recent`
      `recent_chosen(int)`           an earlier conversation, by its id
    Model:
      `built_in_model_chosen()`  `model_folder_chosen(Path)`  `model_unloaded()`
      `loading_cancelled()`
      `models_asked()`               all models are to be shown, those to be had too
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
        self._theme = theme
        self._suggestion = presets[0][1] if presets else ""
        self._folder = ""
        self._preprocessing: ImagePreprocessing | None = None
        self._trace_obstacle = ""
        self._most_pictures = 1
        self._can_unstrike = False
        self._trace_obstacle = ""
        self._may_leave_run = False
        self._picture_name = ""
        self._run_done: float | None = None
        self._task_bar = TaskBar(self)
        self._build()
        self.prompt_box.set_presets(presets)
        self.batch_panel.suggest(presets[1][1] if len(presets) > 1 else "")
        self._build_file_menu()
        self._build_conversation_menu()
        self._build_view_menu()
        self._build_model_menu()
        self._build_help_menu()
        self._connect()
        self._show_state()
        self.prompt_box.focus_prompt()

    # What the window is told

    def show_empty(self, samples: list[Path]) -> None:
        """The first thing seen: how to begin, with samples."""
        self.drop_zone.show_empty(samples)

    def show_picture(self, picture: Picture) -> None:
        self.drop_zone.show_picture(picture)
        self._picture_name = picture.name
        self._show_title()
        self.prompt_box.focus_prompt()

    def show_picture_error(self, text: str) -> None:
        self.drop_zone.show_error(text)
        self._picture_name = ""
        self._show_title()

    def show_pictures_at_hand(self, paths: list[Path], current: int) -> None:
        self.drop_zone.show_pictures_at_hand(paths, current)
        self._show_state()

    def show_model_state(self, state: ModelState) -> None:
        self.status_line.show_model_state(state)
        loading = isinstance(state, Loading)
        self.prompt_box.set_loading(loading)
        self.transcript_view.set_loading(loading)
        self.unload_action.setEnabled(isinstance(state, Ready))
        match state:
            case Ready(facts):
                self._trace_obstacle = facts.why_not(Capability.TRACE) or ""
                self._most_pictures = facts.most_pictures
                self._show_state()
                self.transcript_view.show_only_drawings(facts.knows_only_drawings)
                if facts.notes:
                    self.show_notice(" ".join(facts.notes))
            case Failed(error):
                self.transcript_view.show_only_drawings(False)
                self.show_notice(str(error), _USE_BUILT_IN)

    def show_preprocessing(
        self, preprocessing: ImagePreprocessing | None, reason: str = ""
    ) -> None:
        """Shows how the loaded model preprocesses pictures, or why that is unknown."""
        self._preprocessing = preprocessing
        self.drop_zone.model_view_switch.set_preprocessing(preprocessing, reason)
        self._show_state()

    def show_evidence_obstacle(self, reason: str) -> None:
        """Why the loaded model tells nothing of its words, "" when it does."""
        self.evidence_view.set_obstacle(reason)
        self.batch_panel.set_doubt_obstacle(reason)
        self._show_state()

    def show_trace_obstacle(self, reason: str) -> None:
        """Why the loaded model leaves no trace of its answers, "" when it does."""
        self._trace_obstacle = reason
        self.transcript_view.set_trace_obstacle(reason)
        self._show_state()

    def show_underlines(self, is_shown: bool) -> None:
        """Whether doubtful words are underlined."""
        self.doubt_action.setChecked(is_shown)
        self.transcript_view.set_shows_doubt(is_shown)

    def show_struck(self, index: int, struck: tuple[Span, ...], can_undo: bool) -> None:
        """What is struck out of the answer at this index."""
        self.evidence_view.show_struck(index, struck)
        self._can_unstrike = can_undo
        self._show_state()

    def show_trace(self, trace: Trace, picture: Picture) -> None:
        """What was asked for by `inspect_asked`."""
        self.inspector.show_trace(trace, picture, self._preprocessing)

    def begin_answer(self, prompt: str) -> None:
        self.transcript_view.begin_answer(prompt)
        self.prompt_box.set_answering(True)
        self.status_line.show_speed(0)

    def append(self, piece: str) -> None:
        self.transcript_view.append(piece)

    def finish(self, answer: Answer) -> None:
        self.transcript_view.finish(answer)
        self.prompt_box.set_answering(False)
        self.status_line.show_speed(answer.tokens_per_second)

    def fail(self, text: str) -> None:
        self.transcript_view.fail(text)
        self.prompt_box.set_answering(False)

    def clear_conversation(self) -> None:
        """A new conversation begins; the first preset is suggested again."""
        self._can_unstrike = False
        self.transcript_view.clear()
        self.prompt_box.set_answering(False)

    def cut_conversation(self, count: int) -> None:
        """Keep the first `count` exchanges."""
        self._can_unstrike = False
        self.transcript_view.cut(count)

    def show_transcript(self, transcript: Transcript) -> None:
        """Go on with a conversation that was kept."""
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
            self.recent_menu.addAction("None yet").setEnabled(False)

    def save_state(self) -> str:
        """Size, place and division of the window, as an opaque text."""
        parts = {"geometry": self.saveGeometry(), "splitter": self.splitter.saveState()}
        return json.dumps({k: base64.b64encode(v.data()).decode() for k, v in parts.items()})

    def restore_state(self, state: str) -> None:
        """Undo `save_state`; what it cannot read it leaves as it is."""
        try:
            parts = {k: QByteArray(base64.b64decode(v)) for k, v in json.loads(state).items()}
        except (ValueError, TypeError, AttributeError, binascii.Error):
            return
        self.restoreGeometry(parts.get("geometry", QByteArray()))
        self.splitter.restoreState(parts.get("splitter", QByteArray()))

    # What the window does by itself

    def open_dialog(self) -> None:
        """Let the user choose picture files."""
        # Some systems' dialogs tell capitals from small letters.
        suffixes = (f"*{suffix} *{suffix.upper()}" for suffix in PICTURE_SUFFIXES)
        filters = f"Pictures ({' '.join(suffixes)});;All files (*)"
        dialog = QFileDialog(self, "Open pictures", self._folder, filters)
        dialog.setOption(QFileDialog.Option.HideNameFilterDetails)
        dialog.setFileMode(QFileDialog.FileMode.ExistingFiles)
        dialog.filesSelected.connect(self._on_files_selected)
        _open(dialog)

    def open_folder_dialog(self) -> None:
        """Let the user choose a folder of pictures."""
        dialog = QFileDialog(self, "Open a folder of pictures", self._folder)
        dialog.setFileMode(QFileDialog.FileMode.Directory)
        dialog.filesSelected.connect(self._on_files_selected)
        _open(dialog)

    def open_run_dialog(self) -> None:
        """Let the user choose a folder whose pictures are all captioned."""
        dialog = QFileDialog(self, "Caption a folder of pictures", self._folder)
        dialog.setFileMode(QFileDialog.FileMode.Directory)
        dialog.filesSelected.connect(self._on_run_selected)
        _open(dialog)

    def open_model_dialog(self) -> None:
        """Let the user choose the folder of a model."""
        dialog = QFileDialog(self, "Open the folder of LLaVA-1.5")
        dialog.setFileMode(QFileDialog.FileMode.Directory)
        dialog.fileSelected.connect(self._on_model_folder_selected)
        _open(dialog)

    def save_dialog(self) -> None:
        """Let the user choose where the transcript is saved."""
        dialog = QFileDialog(self, "Save the transcript", "", "Text (*.txt)")
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.setDefaultSuffix("txt")
        dialog.fileSelected.connect(self._on_transcript_path_selected)
        _open(dialog)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """Pictures may be let go anywhere on the window."""
        self.drop_zone.dragEnterEvent(event)
        if event.isAccepted():
            self.batch_panel.drag_overlay.invite(self.drop_zone.drag_overlay.text, True)

    def dragMoveEvent(self, event: QDragMoveEvent) -> None:
        self.drop_zone.dragMoveEvent(event)

    def dragLeaveEvent(self, event: QDragLeaveEvent) -> None:
        self.drop_zone.dragLeaveEvent(event)
        self.batch_panel.drag_overlay.hide()

    def dropEvent(self, event: QDropEvent) -> None:
        self.batch_panel.drag_overlay.hide()
        self.drop_zone.dropEvent(event)

    def closeEvent(self, event: QCloseEvent) -> None:
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
        box.setWindowTitle("A folder run is under way")
        box.setText("Stop the folder run and close?")
        box.setInformativeText("Nothing is lost; it goes on where it was the next time.")
        leave = box.addButton("Stop and close", QMessageBox.ButtonRole.AcceptRole)
        box.setDefaultButton(leave)
        box.addButton("Keep running", QMessageBox.ButtonRole.RejectRole)
        leave.clicked.connect(self.leave)
        _open(box)

    @Slot()
    def leave(self) -> None:
        """Close without asking, although a folder run is under way."""
        self._may_leave_run = True
        self.close()

    # Parts

    def _build(self) -> None:
        self.drop_zone = DropZone(self._theme)
        self.transcript_view = TranscriptView(self._theme)
        self.notice_bar = NoticeBar(self._theme)
        self.prompt_box = PromptBox(self._theme)
        self.status_line = StatusLine()
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
        self.splitter = QSplitter(Qt.Orientation.Horizontal)
        self.splitter.setObjectName("splitter")
        self.splitter.setHandleWidth(1)
        self.splitter.setChildrenCollapsible(False)
        self.splitter.addWidget(self.drop_zone)
        self.splitter.addWidget(right)
        self.splitter.setStretchFactor(0, 3)
        self.splitter.setStretchFactor(1, 2)
        self.splitter.setSizes([700, 480])
        centre = QWidget()
        rows = QVBoxLayout(centre)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.setSpacing(0)
        self.batch_panel = BatchPanel(self._theme, self.drop_zone.previews)
        self.pages = QStackedWidget()
        self.pages.setObjectName("pages")
        self.pages.addWidget(self.splitter)
        self.pages.addWidget(self.batch_panel)
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

    def _build_file_menu(self) -> None:
        menu = self.menuBar().addMenu("&File")
        self.open_action = _action(menu, "&Open pictures…", self.open_dialog, "Ctrl+O")
        self.open_folder_action = _action(
            menu, "Open &folder…", self.open_folder_dialog, "Ctrl+Shift+O"
        )
        self.run_action = _action(menu, "&Caption folder…", self.open_run_dialog, "Ctrl+B")
        self.last_run_action = _action(
            menu, "&Last folder run", self.last_run_asked.emit, "Ctrl+Shift+B"
        )
        menu.addSeparator()
        self.paste_action = _action(menu, "&Paste picture", self.drop_zone.paste, "Ctrl+V")
        menu.addSeparator()
        self.save_action = _action(menu, "&Save transcript…", self.save_dialog, "Ctrl+S")
        self.recent_menu = menu.addMenu("&Recent conversations")
        self.recent_menu.aboutToShow.connect(self.recent_opened)
        self.show_recent([])
        menu.addSeparator()
        self.settings_action = _action(menu, "S&ettings…", self.settings_asked.emit, "Ctrl+,")
        self.settings_action.setMenuRole(QAction.MenuRole.PreferencesRole)
        self.quit_action = _action(menu, "&Quit", self.close, "Ctrl+Q")
        self.quit_action.setMenuRole(QAction.MenuRole.QuitRole)

    def _build_conversation_menu(self) -> None:
        menu = self.menuBar().addMenu("&Conversation")
        menu.setToolTipsVisible(True)
        view = self.transcript_view
        self.new_action = _action(
            menu, "&New conversation", self.new_conversation_asked.emit, "Ctrl+N"
        )
        self.write_action = _action(
            menu, "&Write a question", self.prompt_box.focus_prompt, "Ctrl+L"
        )
        self.together_action = _action(menu, "Ask a&bout all images", self._on_together_toggled)
        self.together_action.setCheckable(True)
        self.again_action = _action(
            menu, "Answer &once more, in other words", self.regenerate_asked.emit, "Ctrl+R"
        )
        self.stop_action = _action(menu, "&Stop answering", self._on_escape, "Esc")
        menu.addSeparator()
        evidence = self.evidence_view
        self.words_action = _action(menu, "&Go through the words", evidence.enter_last, "F2")
        self.unstrike_action = _action(
            menu, "&Undo striking out", self.unstrike_asked.emit, "Ctrl+Z"
        )
        self.inspect_action = _action(menu, "&Inspect last answer", view.inspect_last, "Ctrl+I")
        menu.addSeparator()
        self.copy_action = _action(menu, "&Copy last answer", view.copy_last, "Ctrl+Shift+C")
        self.copy_all_action = _action(menu, "Copy &all", view.copy_all, "Ctrl+Shift+A")

    def _build_view_menu(self) -> None:
        menu = self.menuBar().addMenu("&View")
        picture, strip = self.drop_zone.picture_view, self.drop_zone.picture_strip
        self.zoom_actions = [
            _action(menu, "&Fit the picture", picture.fit, "Ctrl+0"),
            _action(menu, "&Actual size", picture.show_actual_size, "Ctrl+1"),
            _action(menu, "Zoom &in", picture.zoom_in, "Ctrl++", "Ctrl+="),
            _action(menu, "Zoom &out", picture.zoom_out, "Ctrl+-"),
        ]
        menu.addSeparator()
        switch = self.drop_zone.model_view_switch
        self.model_view_action = _action(menu, "&Model's-eye view", switch.toggle, "Ctrl+E")
        self.lost_action = _action(menu, "What &resizing lost", switch.toggle_lost, "Ctrl+Shift+E")
        menu.addSeparator()
        self.strip_actions = [
            _action(menu, "&Previous picture", strip.choose_previous, "PgUp"),
            _action(menu, "&Next picture", strip.choose_next, "PgDown"),
        ]
        menu.addSeparator()
        self.doubt_action = _action(
            menu, "Underline &doubtful words", self._on_underlines_toggled, "Ctrl+U"
        )
        self.doubt_action.setCheckable(True)
        self.doubt_action.setChecked(True)
        menu.setToolTipsVisible(True)
        menu.addSeparator()
        modes = menu.addMenu("&Colours")
        group = QActionGroup(self)
        self.theme_actions: dict[str, QAction] = {}
        for mode, words in _MODES:
            action = _action(modes, words, partial(self._on_mode_chosen, mode))
            action.setCheckable(True)
            group.addAction(action)
            self.theme_actions[mode] = action

    def _build_model_menu(self) -> None:
        menu = self.menuBar().addMenu("&Model")
        self.models_action = _action(menu, "&Models…", self.models_asked.emit, "Ctrl+M")
        menu.addSeparator()
        self.built_in_action = _action(menu, "&Built-in model", self.built_in_model_chosen.emit)
        self.model_folder_action = _action(
            menu, "Open model &folder…", self.open_model_dialog, "Ctrl+Shift+M"
        )
        menu.addSeparator()
        self.unload_action = _action(menu, "&Unload", self.model_unloaded.emit)

    def _build_help_menu(self) -> None:
        menu = self.menuBar().addMenu("&Help")
        self.keys_action = _action(menu, "&Keyboard shortcuts", self._show_keys, "F1")
        self.log_action = _action(menu, "Open &log folder", self.log_folder_asked.emit)
        self.updates_action = _action(menu, "Check for &updates", self.updates_asked.emit)
        menu.addSeparator()
        self.about_action = _action(menu, "&About Onlooker", self._show_about)
        self.about_action.setMenuRole(QAction.MenuRole.AboutRole)

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

    def _show_title(self) -> None:
        done = "" if self._run_done is None else f"{int(100 * self._run_done)} % — "
        name = f"{self._picture_name} — " if self._picture_name else ""
        self.setWindowTitle(f"{done}{name}Onlooker")

    @Slot()
    def _show_state(self) -> None:
        """Offer what can be done now, where it can be seen."""
        is_seen = self.pages.currentWidget() is self.splitter
        answering = self.transcript_view.is_answering
        said = self.transcript_view.has_exchanges
        self.prompt_box.suggest("" if said else self._suggestion)
        has_picture = is_seen and self.drop_zone.has_picture
        self.write_action.setEnabled(is_seen)
        self.stop_action.setEnabled(is_seen and (answering or self.evidence_view.has_chosen))
        obstacle = self.evidence_view.obstacle
        self.unstrike_action.setEnabled(is_seen and self._can_unstrike)
        self.words_action.setEnabled(is_seen and said and not obstacle)
        self.words_action.setToolTip(obstacle or "Show what each word rests on")
        if self._trace_obstacle:
            self.inspect_action.setEnabled(False)
        self.inspect_action.setToolTip(self._trace_obstacle or "Show what went through the model")
        self.doubt_action.setEnabled(not obstacle)
        self.doubt_action.setToolTip(obstacle or "Underline words that may not be so")
        self.again_action.setEnabled(is_seen and said and not answering)
        self.new_action.setEnabled(is_seen and said)
        for action in (self.copy_action, self.copy_all_action, self.save_action):
            action.setEnabled(is_seen and said)
        self.together_action.setEnabled(self._most_pictures > 1)
        self.together_action.setToolTip(
            f"A question is about up to {self._most_pictures} of the images at hand"
            if self._most_pictures > 1
            else "This model looks at one image at a time"
        )
        self.inspect_action.setEnabled(is_seen and said and not self._trace_obstacle)
        self.inspect_action.setToolTip(self._trace_obstacle or "See what went through the model")
        for action in self.zoom_actions:
            action.setEnabled(has_picture)
        show_button = self.drop_zone.model_view_switch.show_button
        for action in (self.model_view_action, self.lost_action):
            action.setEnabled(has_picture and show_button.isEnabled())
            action.setToolTip("" if show_button.isEnabled() else show_button.toolTip())
        for action in self.strip_actions:
            action.setEnabled(is_seen and self.drop_zone.picture_strip.count > 1)

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
        is_chosen = self.together_action.isChecked()
        about = f"up to {self._most_pictures} of the images at hand" if is_chosen else "one image"
        self.show_notice(f"Questions are now about {about}.")
        self.together_chosen.emit(is_chosen)

    def _on_underlines_toggled(self) -> None:
        self.transcript_view.set_shows_doubt(self.doubt_action.isChecked())
        self.underlines_chosen.emit(self.doubt_action.isChecked())

    def _on_mode_chosen(self, mode: str) -> None:
        self._theme.choose(mode)
        self.theme_chosen.emit(mode)

    @Slot()
    def _show_mode(self) -> None:
        self.theme_actions[self._theme.mode].setChecked(True)

    def _show_keys(self) -> None:
        actions = [
            action for menu in self.menuBar().findChildren(QMenu) for action in menu.actions()
        ]
        _open(KeysDialog(actions, self))

    def _show_about(self) -> None:
        _open(AboutDialog(self))


def _action(menu: QMenu, text: str, act: Callable[[], object], *keys: str) -> QAction:
    action = QAction(text, menu)
    action.setShortcuts([QKeySequence(key) for key in keys])
    action.triggered.connect(lambda checked=False: act())
    menu.addAction(action)
    return action


def _open(dialog: QDialog) -> None:
    """Without waiting for it: a nested loop would run beside the program's own."""
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    dialog.open()
