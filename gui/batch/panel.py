"""The folder run: what to ask and write, a row per picture, progress, pause, stop, undo."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import Qt, QTimer, Signal, Slot
from PySide6.QtGui import QKeySequence, QResizeEvent, QShortcut
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFrame,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QMessageBox,
    QPlainTextEdit,
    QProgressBar,
    QPushButton,
    QStackedWidget,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from core.batch import BatchOptions, Doubt, Item, ItemState, Phase, Progress, Summary, Tried
from core.formatting import format_duration
from core.transcript import Sampling
from gui.batch.caption_list import BatchList
from gui.batch.form import BatchForm
from gui.batch.replace import ReplaceBar
from gui.batch.rows import STATE_WORDS, BatchModel
from gui.batch.summary import SummaryBox
from gui.batch.trial import TrialPage
from gui.picture.drop_zone import DragOverlay
from gui.widgets.elided_label import ElidedLabel
from gui.widgets.notice_bar import NoticeAction, NoticeBar
from gui.widgets.preview import PreviewMaker
from gui.widgets.theme import Theme

_FILTER_MS = 150
_DOUBTFUL = "doubtful"
_FIND_DOUBT = "Find the most doubtful word of each caption; the model looks at each image once more"


class BatchPanel(QFrame):
    """Knows core's data only; shows what it is told and tells what was done.

    The run: `started(BatchOptions, int)`, how many images at once, 0 for as many as suit;
    `paused()`, `stopped()` inside a caption, `ending_asked()` after the one under way,
    `resumed()`, `retry_asked()`, `undo_asked(bool)`: but for hand edits, `new_run_asked()`,
    `recursion_changed(bool)`.
    Captions: `edited(int, str)`, `replace_asked(Replacement, list[int])`: in the captions of
    these numbers, `edit_undone()`: the last edit, a replacement in many captions is one,
    `caption_wanted(int)`: what the files beside a skipped picture say, `doubt_asked()`: find the
    most doubtful word of each, `doubt_stopped()`.
    Before it: `tried(list[BatchOptions], bool)`: on other images than before, `trial_stopped()`.
    Elsewhere: `opened(Path)`: show this picture, `folder_asked(Path)`: in the file manager,
    `place_asked(Path)`: this file there, `closed()`: back to the picture.
    """

    started = Signal(object, int)
    paused = Signal()
    stopped = Signal()
    ending_asked = Signal()
    resumed = Signal()
    retry_asked = Signal()
    undo_asked = Signal(bool)
    new_run_asked = Signal()
    recursion_changed = Signal(bool)
    edited = Signal(int, str)
    # A list would be converted, one number after another.
    replace_asked = Signal(object, object)
    edit_undone = Signal()
    caption_wanted = Signal(int)
    doubt_asked = Signal()
    doubt_stopped = Signal()
    tried = Signal(list, bool)
    trial_stopped = Signal()
    opened = Signal(Path)
    folder_asked = Signal(Path)
    place_asked = Signal(Path)
    closed = Signal()

    def __init__(self, theme: Theme, previews: PreviewMaker, parent: QWidget | None = None):
        super().__init__(parent)
        self.setObjectName("batch_panel")
        self._theme = theme
        self._phase = Phase.CHOOSING
        self._roots: list[Path] = []
        self._progress = Progress({})
        self._other_prompt = ""
        self._can_undo_edit = False
        self._is_doubting = False
        self._doubt_obstacle = ""
        self._is_summed_up = False
        self._build_head()
        self.form = BatchForm()
        self._build_controls()
        self._build_filter()
        self.model = BatchModel(previews, self)
        self.list = BatchList(theme, self.model)
        self.replace_bar = ReplaceBar(theme)
        self.summary_box = SummaryBox()
        self.trial_page = TrialPage(theme, previews)
        self.notice_bar = NoticeBar(theme)
        self.drag_overlay = DragOverlay(theme, self)
        self._place()
        self._connect()
        self._show_phase()
        for edit in (*self.findChildren(QLineEdit), *self.findChildren(QPlainTextEdit)):
            # A folder that is dropped is to be captioned, not to be written as words.
            edit.setAcceptDrops(False)

    # What it is told

    @property
    def is_running(self) -> bool:
        return self._phase in (Phase.RUNNING, Phase.ENDING, Phase.UNDOING)

    @property
    def is_trying(self) -> bool:
        """Whether the ways to ask are compared just now."""
        return self.pages.currentWidget() is self.trial_page

    @property
    def fraction(self) -> float | None:
        """How much of a run under way is done; None when none is."""
        if self._phase not in (Phase.RUNNING, Phase.ENDING, Phase.PAUSED):
            return None
        total = sum(self._progress.counts.values())
        return (total - _left(self._progress)) / total if total else None

    def suggest(self, other_prompt: str) -> None:
        """What to compare a prompt with, unless something else is written."""
        self._other_prompt = other_prompt

    def show_prompt(self, prompt: str) -> None:
        """What to ask, unless something is written there."""
        self.form.show_prompt(prompt)

    def show_sampling(self, sampling: Sampling) -> None:
        """How words are chosen, where the run does not say otherwise."""
        self.form.show_sampling(sampling)

    def show_options(self, options: BatchOptions) -> None:
        """Those of a run that is opened again."""
        self.form.show_options(options)

    def show_roots(self, roots: Sequence[Path]) -> None:
        self._roots = list(roots)
        # What was told of another folder.
        self.notice_bar.hide()
        self._show_title()

    def show_items(self, items: list[Item]) -> None:
        self.model.replace(items)
        self._show_title()

    def show_item(self, number: int, item: Item) -> None:
        self.model.change(number, item)

    def show_phase(self, phase: Phase) -> None:
        self._phase = phase
        self._show_phase()

    def show_progress(self, progress: Progress) -> None:
        self._progress = progress
        total, left = sum(progress.counts.values()), _left(progress)
        self.progress_bar.setRange(0, max(1, total))
        self.progress_bar.setValue(total - left)
        self.progress_label.setText(self._told(progress, total, left))

    def show_summary(self, summary: Summary) -> None:
        """What became of the run, until it goes on."""
        self._is_summed_up = True
        self.summary_box.show_summary(summary)
        self._show_parts()

    def show_can_undo_edit(self, can_undo: bool) -> None:
        self._can_undo_edit = can_undo
        self._show_parts()

    def show_doubts(self, doubts: list[Doubt]) -> None:
        """The most doubtful words of captions."""
        self.model.show_doubts(doubts)

    def set_doubting(self, is_doubting: bool) -> None:
        """Whether doubtful words are looked for just now."""
        self._is_doubting = is_doubting
        self._show_parts()

    def set_doubt_obstacle(self, reason: str) -> None:
        """Why the loaded model tells nothing of its words, "" when it does."""
        self._doubt_obstacle = reason
        self._show_parts()

    def show_trial(self, pictures: Sequence[tuple[int, Path]]) -> None:
        """The pictures that are tried now, by their numbers in the run."""
        self.trial_page.show_pictures(pictures)

    def show_tried(self, tried: Tried) -> None:
        self.trial_page.show_tried(tried)

    def set_trying(self, is_trying: bool) -> None:
        self.trial_page.set_trying(is_trying)

    def show_notice(self, text: str, action: NoticeAction | None = None) -> None:
        """Shows a note or an expected error above the run."""
        self.notice_bar.show_notice(text, action)

    def focus_first(self) -> None:
        """Put the cursor where one goes on."""
        if self.is_trying:
            self.trial_page.ways[1].prompt_edit.setFocus()
        elif self.start_button.isVisible():
            self.form.prompt_edit.setFocus()
        else:
            self.list.setFocus()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.drag_overlay.setGeometry(self.rect())

    # Parts

    def _build_head(self) -> None:
        self.title_label = ElidedLabel(mode=Qt.TextElideMode.ElideMiddle)
        self.title_label.setProperty("class", "title")
        self.folder_button = QPushButton("Show folder")
        self.folder_button.setProperty("class", "small")
        self.folder_button.setToolTip("Open the folder in the file manager")
        self.folder_button.setAutoDefault(False)
        self.close_button = QToolButton()
        self.close_button.setProperty("class", "action")
        self.close_button.setToolTip("Back to the image")
        self.close_button.setAccessibleName("Back to the image")
        self._theme.set_icon(self.close_button, "close", "text_quiet")

    def _build_controls(self) -> None:
        self.start_button = _button("Start", "batch_start_button", "Ctrl+Return")
        self.start_button.setDefault(True)
        self.try_button = _button("Try first…", "try_first_button", "Ctrl+T")
        self.try_button.setToolTip(f"Compare two prompts on a few images ({_native('Ctrl+T')})")
        self.more_button = QToolButton()
        self.more_button.setObjectName("more_button")
        self.more_button.setText("More options")
        self.more_button.setCheckable(True)
        self.more_button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self._theme.set_icon(self.more_button, "down", "text_quiet")
        self.pause_button = _button("Pause", "pause_button", "Ctrl+P")
        self.pause_button.setToolTip(
            f"Once the captions under way are written ({_native('Ctrl+P')})"
        )
        self.stop_button = _button("Stop now", "stop_run_button", "Esc")
        self.stop_button.setToolTip(f"Inside the captions under way ({_native('Esc')})")
        self.end_button = _button("Stop after this one", "end_run_button", "Ctrl+Shift+P")
        self.resume_button = _button("Go on", "resume_button", "Ctrl+Return")
        self.resume_button.setDefault(True)
        self.retry_button = _button("Retry failed", "retry_button", "Ctrl+Shift+R")
        self.undo_button = _button("Undo the run…", "undo_button", "Ctrl+Shift+Z")
        self.new_button = _button("New run", "new_run_button", "Ctrl+Shift+N")
        self.new_button.setToolTip(f"Over the same images ({_native('Ctrl+Shift+N')})")
        self.progress_bar = QProgressBar()
        self.progress_bar.setObjectName("run_bar")
        self.progress_bar.setAccessibleName("Images done")
        self.progress_bar.setTextVisible(False)
        self.progress_label = QLabel()
        self.progress_label.setObjectName("progress_label")
        self.progress_label.setProperty("class", "key")
        self.progress_label.setTextFormat(Qt.TextFormat.PlainText)
        self.progress_label.setWordWrap(True)

    def _build_filter(self) -> None:
        self.state_box = QComboBox()
        self.state_box.setObjectName("state_box")
        self.state_box.setAccessibleName("Show rows in this state")
        self.state_box.addItem("All", None)
        for state in ItemState:
            self.state_box.addItem(STATE_WORDS[state].rstrip(" …"), state)
        self.state_box.addItem("In doubt", _DOUBTFUL)
        self.find_edit = QLineEdit()
        self.find_edit.setObjectName("find_edit")
        self.find_edit.setAccessibleName("Find in names and captions")
        self.find_edit.setPlaceholderText(f"Find in names and captions  ({_native('Ctrl+F')})")
        self.find_edit.setClearButtonEnabled(True)
        self.shown_label = QLabel()
        self.shown_label.setProperty("class", "key")
        self.shown_label.hide()
        self.replace_button = _small_button("Replace…", "open_replace_button", "Ctrl+H")
        self.undo_edit_button = _small_button("Undo edit", "undo_edit_button", "Ctrl+Z")
        self.doubt_button = _small_button("Find doubt", "doubt_button", "Ctrl+D")
        self._filter_soon = QTimer(self, interval=_FILTER_MS, singleShot=True)

    def _place(self) -> None:
        head = QHBoxLayout()
        head.addWidget(self.title_label, 1)
        head.addWidget(self.folder_button)
        head.addWidget(self.close_button)
        controls = QHBoxLayout()
        controls.setSpacing(8)
        for button in self._buttons():
            controls.addWidget(button)
            # Or else the width of all of them together would be kept as the least one.
            button.hide()
        controls.addStretch(1)
        controls.addWidget(self.more_button)
        filters = QHBoxLayout()
        filters.setSpacing(8)
        filters.addWidget(self.state_box)
        filters.addWidget(self.find_edit, 1)
        for part in (
            *(self.shown_label, self.doubt_button),
            *(self.undo_edit_button, self.replace_button),
        ):
            filters.addWidget(part)
        run_page = QWidget()
        run = QVBoxLayout(run_page)
        run.setContentsMargins(0, 0, 0, 0)
        run.setSpacing(8)
        run.addWidget(self.form)
        run.addWidget(self.summary_box)
        run.addLayout(controls)
        run.addWidget(self.progress_bar)
        run.addWidget(self.progress_label)
        run.addLayout(filters)
        run.addWidget(self.replace_bar)
        run.addWidget(self.list, 1)
        self.pages = QStackedWidget()
        self.pages.addWidget(run_page)
        self.pages.addWidget(self.trial_page)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 12, 16, 8)
        column.setSpacing(8)
        column.addLayout(head)
        column.addWidget(self.notice_bar)
        column.addWidget(self.pages, 1)

    def _buttons(self) -> tuple[QPushButton, ...]:
        before = (self.start_button, self.try_button)
        running = (self.resume_button, self.pause_button, self.stop_button, self.end_button)
        return (*before, *running, self.retry_button, self.undo_button, self.new_button)

    def _connect(self) -> None:
        self.start_button.clicked.connect(self._on_start_clicked)
        self.try_button.clicked.connect(self._on_try_clicked)
        self.more_button.toggled.connect(self.form.unfold)
        self.pause_button.clicked.connect(self.paused)
        self.stop_button.clicked.connect(self.stopped)
        self.end_button.clicked.connect(self.ending_asked)
        self.resume_button.clicked.connect(self.resumed)
        self.retry_button.clicked.connect(self.retry_asked)
        self.undo_button.clicked.connect(self._on_undo_clicked)
        self.new_button.clicked.connect(self.new_run_asked)
        self.folder_button.clicked.connect(self._on_folder_clicked)
        self.close_button.clicked.connect(self.closed)
        self.form.recursion_changed.connect(self.recursion_changed)
        self.model.edited.connect(self.edited)
        self.model.caption_wanted.connect(self.caption_wanted)
        self.model.counted.connect(self._on_counted)
        self.list.opened.connect(self.opened)
        self.list.place_asked.connect(self.place_asked)
        self.state_box.currentIndexChanged.connect(self._on_filter_changed)
        self.find_edit.textChanged.connect(self._filter_soon.start)
        self._filter_soon.timeout.connect(self._on_filter_changed)
        self.replace_button.clicked.connect(self._on_replace_clicked)
        self.undo_edit_button.clicked.connect(self.edit_undone)
        self.doubt_button.clicked.connect(self._on_doubt_clicked)
        self.replace_bar.changed.connect(self.model.show_replacement)
        self.replace_bar.asked.connect(self._on_replace_asked)
        self.replace_bar.closed.connect(self._on_replace_closed)
        self.trial_page.tried.connect(self.tried)
        self.trial_page.stopped.connect(self.trial_stopped)
        self.trial_page.chosen.connect(self._on_way_chosen)
        self.trial_page.closed.connect(self._on_trial_closed)
        find = QShortcut(QKeySequence("Ctrl+F"), self)
        find.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        find.activated.connect(self._on_find_asked)

    # Showing

    def _show_title(self) -> None:
        count, names = len(self.model.items), [root.name or str(root) for root in self._roots]
        where = f"“{names[0]}”" if len(names) == 1 else f"{len(names)} places"
        images = "1 image" if count == 1 else f"{count:,} images"
        self.title_label.setText(f"Caption {images} in {where}" if names else "Caption a folder")
        self.folder_button.setEnabled(bool(self._roots))

    def _show_phase(self) -> None:
        phase = self._phase
        self._is_summed_up &= phase in (Phase.PAUSED, Phase.OVER)
        if phase is not Phase.CHOOSING and self.is_trying:
            self._on_trial_closed()
        self.model.let_edit(self._has_begun and phase not in (Phase.UNDOING, Phase.UNDONE))
        self.form.recursive_box.setEnabled(phase is Phase.CHOOSING)
        self._show_parts()
        self._show_title()
        self.show_progress(self._progress)

    @property
    def _has_begun(self) -> bool:
        return self._phase not in (Phase.CHOOSING, Phase.FINDING)

    def _show_parts(self) -> None:
        """Offer what can be done now."""
        phase, counts, begun = self._phase, self._progress.counts, self._has_begun
        can_start = phase is Phase.CHOOSING and bool(self.model.items)
        for part in (self.form, self.start_button, self.try_button, self.more_button):
            part.setVisible(not begun)
        for button in (self.start_button, self.try_button):
            button.setEnabled(can_start)
        self.pause_button.setVisible(phase is Phase.RUNNING)
        self.end_button.setVisible(phase is Phase.RUNNING)
        self.stop_button.setVisible(phase in (Phase.RUNNING, Phase.ENDING))
        self.resume_button.setVisible(phase is Phase.PAUSED)
        is_at_rest = phase in (Phase.PAUSED, Phase.OVER)
        has_failed, has_written = counts.get(ItemState.FAILED), counts.get(ItemState.DONE)
        self.retry_button.setVisible(is_at_rest and bool(has_failed))
        self.retry_button.setDefault(phase is Phase.OVER)
        self.undo_button.setVisible(is_at_rest and bool(has_written))
        self.new_button.setVisible(phase in (Phase.PAUSED, Phase.OVER, Phase.UNDONE))
        is_told = begun and not self._is_summed_up
        self.progress_label.setVisible(is_told)
        self.progress_bar.setVisible(begun and phase not in (Phase.OVER, Phase.UNDONE))
        can_edit = begun and phase not in (Phase.UNDOING, Phase.UNDONE)
        self.replace_button.setVisible(can_edit)
        self.undo_edit_button.setVisible(can_edit and self._can_undo_edit)
        self._show_doubting(is_at_rest and bool(has_written))
        if not can_edit and self.replace_bar.isVisible():
            self.replace_bar.close_bar()
        # While something is replaced the captions need the room.
        is_replacing = not self.replace_bar.isHidden()
        self.summary_box.setVisible(self._is_summed_up and not is_replacing)
        self.list.show_emptiness(self._emptiness())

    def _emptiness(self) -> str:
        if self._phase is Phase.FINDING:
            return "Looking for images …"
        if self.model.items:
            return "No image fits."
        return "No images yet. Drop a folder on the window, or choose one with Ctrl+B."

    def _told(self, progress: Progress, total: int, left: int) -> str:
        counts = progress.counts
        parts = [f"{total - left:,} of {total:,}"]
        for state, word in ((ItemState.SKIPPED, "skipped"), (ItemState.FAILED, "failed")):
            if count := counts.get(state):
                parts.append(f"{count:,} {word}")
        match self._phase:
            case Phase.RUNNING:
                if progress.rate:
                    parts.append(_rate(progress.rate))
                if progress.seconds_left is not None and left:
                    parts.append(f"{format_duration(progress.seconds_left)} left")
            case Phase.ENDING:
                parts.append("ending after the captions under way")
            case Phase.PAUSED:
                parts.append("paused; it can be gone on with at any time")
            case Phase.OVER:
                parts[0] = f"Finished: {counts.get(ItemState.DONE, 0):,} captioned"
            case Phase.UNDOING:
                parts = ["Undoing …"]
            case Phase.UNDONE:
                undone = counts.get(ItemState.UNDONE, 0)
                parts = [f"Undone: {undone:,} {'is' if undone == 1 else 'are'} as before the run"]
        return "  ·  ".join(part for part in parts if part)

    def _show_doubting(self, can_find: bool) -> None:
        self.doubt_button.setVisible(can_find or self._is_doubting)
        self.doubt_button.setText("Stop" if self._is_doubting else "Find doubt")
        self.doubt_button.setEnabled(self._is_doubting or not self._doubt_obstacle)
        self.doubt_button.setToolTip(self._doubt_obstacle or _FIND_DOUBT)

    # What is done to it

    def _chosen(self) -> BatchOptions | None:
        """What the form says; a notice when it is no run."""
        try:
            options = self.form.options
        except ValueError as error:
            self.show_notice(str(error))
            return None
        self.notice_bar.hide()
        return options

    @Slot()
    def _on_start_clicked(self) -> None:
        if options := self._chosen():
            self.list.setFocus()
            self.started.emit(options, self.form.slots or 0)

    @Slot()
    def _on_try_clicked(self) -> None:
        if options := self._chosen():
            self.pages.setCurrentWidget(self.trial_page)
            self.trial_page.begin(options, self._other_prompt)

    @Slot(object)
    def _on_way_chosen(self, options: BatchOptions) -> None:
        self.form.show_options(options)
        self._on_trial_closed()
        self.start_button.setFocus()

    @Slot()
    def _on_trial_closed(self) -> None:
        self.trial_page.stop()
        self.pages.setCurrentIndex(0)
        self.focus_first()

    @Slot()
    def _on_find_asked(self) -> None:
        if not self.is_trying:
            self.find_edit.setFocus()
            self.find_edit.selectAll()

    @Slot()
    def _on_doubt_clicked(self) -> None:
        if self._is_doubting:
            self.doubt_stopped.emit()
        else:
            self.doubt_asked.emit()

    @Slot()
    def _on_replace_clicked(self) -> None:
        self.replace_bar.open_bar()
        self._show_parts()

    @Slot()
    def _on_replace_closed(self) -> None:
        self.list.setFocus()
        self._show_parts()

    @Slot(object)
    def _on_replace_asked(self, replacement: object) -> None:
        numbers = list(self.model.numbers)
        self.replace_bar.close_bar()
        self.replace_asked.emit(replacement, numbers)

    @Slot()
    def _on_undo_clicked(self) -> None:
        dialog = _UndoDialog(self._can_undo_edit, self)
        dialog.confirmed.connect(self.undo_asked)
        dialog.open()

    @Slot()
    def _on_folder_clicked(self) -> None:
        index = self.list.currentIndex()
        self.folder_asked.emit(
            self.model.item(index).path.parent if index.isValid() else self._roots[0]
        )

    @Slot()
    def _on_filter_changed(self) -> None:
        state = self.state_box.currentData()
        only_doubtful = state == _DOUBTFUL
        wanted = ItemState(state) if state and not only_doubtful else None
        self.model.choose(wanted, self.find_edit.text(), only_doubtful=only_doubtful)

    @Slot(int)
    def _on_counted(self, count: int) -> None:
        is_all = count == len(self.model.items)
        self.shown_label.setText(f"{count:,} shown")
        self.shown_label.setVisible(not is_all)
        self.replace_bar.show_count(count)


class _UndoDialog(QMessageBox):
    """`confirmed(bool)`: whether captions that were edited by hand are to stay."""

    confirmed = Signal(bool)

    def __init__(self, has_edits: bool, parent: QWidget):
        super().__init__(parent)
        self.setObjectName("undo_dialog")
        self.setWindowTitle("Undo the run")
        self.setText("Give every file back what it held before this run?")
        self.setInformativeText("Captions that you have changed by hand stay as they are.")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.edits_box = QCheckBox("Undo hand edits too")
        if has_edits:
            self.setCheckBox(self.edits_box)
        undo = self.addButton("Undo", QMessageBox.ButtonRole.DestructiveRole)
        self.setDefaultButton(self.addButton(QMessageBox.StandardButton.Cancel))
        undo.clicked.connect(self._on_undo_clicked)

    @Slot()
    def _on_undo_clicked(self) -> None:
        self.confirmed.emit(not self.edits_box.isChecked())


def _left(progress: Progress) -> int:
    counts = progress.counts
    return counts.get(ItemState.WAITING, 0) + counts.get(ItemState.WORKING, 0)


def _rate(rate: float) -> str:
    """Per second, or per minute where that would be a fraction."""
    return f"{rate:.1f} a second" if rate >= 1 else f"{rate * 60:.0f} a minute"


def _native(key: str) -> str:
    return QKeySequence(key).toString(QKeySequence.SequenceFormat.NativeText)


def _button(text: str, name: str, key: str) -> QPushButton:
    button = QPushButton(text)
    button.setObjectName(name)
    button.setShortcut(QKeySequence(key))
    button.setToolTip(_native(key))
    button.setAutoDefault(False)
    return button


def _small_button(text: str, name: str, key: str) -> QPushButton:
    button = _button(text, name, key)
    button.setProperty("class", "small")
    return button
