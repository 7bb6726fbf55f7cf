"""The folder run: what to ask and write, a row per picture, progress, pause, stop, undo."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import Qt, QTimer, Signal, Slot
from PySide6.QtGui import QKeySequence, QShortcut
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
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from core.batch_plan import BatchOptions, Item, ItemState, Phase, Progress
from core.pace import spoken
from core.sidecar import Existing
from gui.batch_list import BatchList
from gui.batch_rows import STATE_WORDS, BatchModel
from gui.elided_label import ElidedLabel
from gui.notice_bar import NoticeBar
from gui.preview import PreviewMaker
from gui.theme import Theme

_FILTER_MS = 150
_PROMPT_LINES = 2

_EXISTING_WORDS = (
    (Existing.SKIP, "Skip images that have one"),
    (Existing.REPLACE, "Replace them"),
    (Existing.APPEND, "Add after them"),
    (Existing.PREPEND, "Add before them"),
    (Existing.STALE, "Replace only what was made otherwise"),
)
_WRITES = (
    ("txt", "Text file", "A .txt file beside each image"),
    ("xmp", "XMP", "Description and alternative text in an .xmp file that other programs read"),
    ("jsonl", "JSON lines", "One file for all, a line each"),
    ("csv", "Table", "One CSV file for all, for a spreadsheet"),
)


class BatchPanel(QFrame):
    """Knows core's data only; shows what it is told and tells what was done.

    `started(BatchOptions)`, whose sampling is the default, `paused()`, `stopped()`,
    `resumed()`, `retry_asked()`, `undo_asked()`, `edited(int, str)`, `recursion_changed(bool)`,
    `opened(Path)`: show this picture, `folder_asked(Path)`: in the file manager, `closed()`: back
    to the picture.
    """

    started = Signal(object)
    paused = Signal()
    stopped = Signal()
    resumed = Signal()
    retry_asked = Signal()
    undo_asked = Signal()
    edited = Signal(int, str)
    recursion_changed = Signal(bool)
    opened = Signal(Path)
    folder_asked = Signal(Path)
    closed = Signal()

    def __init__(self, theme: Theme, previews: PreviewMaker, parent: QWidget | None = None):
        super().__init__(parent)
        self.setObjectName("batch_panel")
        self._theme = theme
        self._phase = Phase.CHOOSING
        self._roots: list[Path] = []
        self._options = BatchOptions((" ",))
        self._progress = Progress({})
        self._build_head()
        self._build_form()
        self._build_controls()
        self._build_filter()
        self.model = BatchModel(previews, self)
        self.list = BatchList(theme, self.model)
        self.notice_bar = NoticeBar(theme)
        self._place()
        self._connect()
        self._show_phase()

    # What it is told

    @property
    def is_running(self) -> bool:
        return self._phase in (Phase.RUNNING, Phase.ENDING, Phase.UNDOING)

    def show_prompt(self, prompt: str) -> None:
        """What to ask, unless something is written there."""
        if not self.prompt_edit.toPlainText().strip():
            self.prompt_edit.setPlainText(prompt)

    def show_options(self, options: BatchOptions) -> None:
        """Those of a run that is opened again."""
        self._options = options
        self.prompt_edit.setPlainText("\n".join(options.prompts))
        for kind, box in self.write_boxes.items():
            box.setChecked(kind in options.writes)
        self.existing_box.setCurrentIndex(self.existing_box.findData(options.existing))
        self.recursive_box.blockSignals(True)
        self.recursive_box.setChecked(options.is_recursive)
        self.recursive_box.blockSignals(False)

    def show_roots(self, roots: Sequence[Path]) -> None:
        self._roots = list(roots)
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
        counts = progress.counts
        total = sum(counts.values())
        left = counts.get(ItemState.WAITING, 0) + counts.get(ItemState.WORKING, 0)
        self.progress_bar.setRange(0, max(1, total))
        self.progress_bar.setValue(total - left)
        self.progress_label.setText(self._told(progress, total, left))

    def show_notice(self, text: str, action_text: str | None = None) -> None:
        self.notice_bar.show_notice(text, action_text)

    # Parts

    def _build_head(self) -> None:
        self.title_label = ElidedLabel(mode=Qt.TextElideMode.ElideMiddle)
        self.title_label.setProperty("class", "title")
        self.folder_button = QPushButton("Show folder")
        self.folder_button.setProperty("class", "small")
        self.folder_button.setToolTip("Open the folder in the file manager")
        self.close_button = QToolButton()
        self.close_button.setProperty("class", "action")
        self.close_button.setToolTip("Back to the image")
        self.close_button.setAccessibleName("Back to the image")
        self._theme.set_icon(self.close_button, "close", "text_quiet")

    def _build_form(self) -> None:
        self.form = QWidget()
        self.prompt_edit = QPlainTextEdit()
        self.prompt_edit.setObjectName("batch_prompt_edit")
        self.prompt_edit.setAccessibleName("What to ask about each image; one prompt a line")
        self.prompt_edit.setPlaceholderText(
            "What to ask about each image; one prompt a line. {name}, {folder}, {caption} and "
            "{exif:Model} are filled in."
        )
        self.prompt_edit.setTabChangesFocus(True)
        self.prompt_edit.setFixedHeight(
            self.prompt_edit.fontMetrics().lineSpacing() * _PROMPT_LINES + 20
        )
        self.write_boxes: dict[str, QCheckBox] = {}
        for kind, words, explanation in _WRITES:
            box = QCheckBox(words)
            box.setObjectName(f"write_{kind}")
            box.setToolTip(explanation)
            self.write_boxes[kind] = box
        self.write_boxes["txt"].setChecked(True)
        self.existing_box = QComboBox()
        self.existing_box.setObjectName("existing_box")
        self.existing_box.setAccessibleName("Captions that are there")
        for existing, words in _EXISTING_WORDS:
            self.existing_box.addItem(words, existing)
        self.existing_box.setMinimumContentsLength(28)
        policy = QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        self.existing_box.setSizeAdjustPolicy(policy)
        self.recursive_box = QCheckBox("Folders inside")
        self.recursive_box.setObjectName("recursive_box")
        self.strip_box = QCheckBox("Without “The image shows”")
        self.strip_box.setObjectName("strip_box")
        self.sentence_box = QCheckBox("Whole sentences")
        self.sentence_box.setObjectName("sentence_box")
        self.sentence_box.setToolTip("End at the last whole sentence when the length runs out")
        column = QVBoxLayout(self.form)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addWidget(self.prompt_edit)
        column.addLayout(_row(_quiet("Write"), *self.write_boxes.values()))
        column.addLayout(_row(_quiet("Captions there"), self.existing_box, self.recursive_box))
        column.addLayout(_row(self.strip_box, self.sentence_box))

    def _build_controls(self) -> None:
        self.start_button = _button("Start", "batch_start_button", "Ctrl+Return")
        self.start_button.setDefault(True)
        self.pause_button = _button("Pause after this one", "pause_button", "Ctrl+P")
        self.stop_button = _button("Stop now", "stop_run_button", "Esc")
        self.resume_button = _button("Go on", "resume_button", "Ctrl+Return")
        self.resume_button.setDefault(True)
        self.retry_button = _button("Retry failed", "retry_button", "Ctrl+Shift+R")
        self.undo_button = _button("Undo the run…", "undo_button", "Ctrl+Shift+Z")
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
        self.find_edit = QLineEdit()
        self.find_edit.setObjectName("find_edit")
        self.find_edit.setPlaceholderText("Find in names and captions  (Ctrl+F)")
        self.find_edit.setClearButtonEnabled(True)
        self.shown_label = QLabel()
        self.shown_label.setProperty("class", "key")
        self.shown_label.hide()
        self._filter_soon = QTimer(self, interval=_FILTER_MS, singleShot=True)

    def _place(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 12, 16, 8)
        column.setSpacing(8)
        head = QHBoxLayout()
        head.addWidget(self.title_label, 1)
        head.addWidget(self.folder_button)
        head.addWidget(self.close_button)
        column.addLayout(head)
        column.addWidget(self.form)
        controls = QHBoxLayout()
        controls.setSpacing(8)
        for button in self._buttons():
            controls.addWidget(button)
        controls.addStretch(1)
        column.addLayout(controls)
        column.addWidget(self.progress_bar)
        column.addWidget(self.progress_label)
        column.addWidget(self.notice_bar)
        column.addLayout(_row(self.state_box, self.find_edit, self.shown_label, is_wide=True))
        column.addWidget(self.list, 1)

    def _buttons(self) -> tuple[QPushButton, ...]:
        running = (self.start_button, self.resume_button, self.pause_button, self.stop_button)
        return (*running, self.retry_button, self.undo_button)

    def _connect(self) -> None:
        self.start_button.clicked.connect(self._on_start_clicked)
        self.pause_button.clicked.connect(self.paused)
        self.stop_button.clicked.connect(self.stopped)
        self.resume_button.clicked.connect(self.resumed)
        self.retry_button.clicked.connect(self.retry_asked)
        self.undo_button.clicked.connect(self._on_undo_clicked)
        self.folder_button.clicked.connect(self._on_folder_clicked)
        self.close_button.clicked.connect(self.closed)
        self.recursive_box.toggled.connect(self.recursion_changed)
        self.model.edited.connect(self.edited)
        self.model.counted.connect(self._on_counted)
        self.list.opened.connect(self.opened)
        self.state_box.currentIndexChanged.connect(self._on_filter_changed)
        self.find_edit.textChanged.connect(self._filter_soon.start)
        self._filter_soon.timeout.connect(self._on_filter_changed)
        find = QShortcut(QKeySequence("Ctrl+F"), self)
        find.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        find.activated.connect(self.find_edit.setFocus)

    # Showing

    def _show_title(self) -> None:
        count, names = len(self.model.items), [root.name or str(root) for root in self._roots]
        where = f"“{names[0]}”" if len(names) == 1 else f"{len(names)} places"
        images = "1 image" if count == 1 else f"{count:,} images"
        self.title_label.setText(f"Caption {images} in {where}" if names else "Caption a folder")
        self.folder_button.setEnabled(bool(self._roots))

    def _show_phase(self) -> None:
        phase = self._phase
        counts = self._progress.counts
        begun = phase not in (Phase.CHOOSING, Phase.FINDING)
        self.form.setVisible(not begun)
        self.start_button.setVisible(not begun)
        self.start_button.setEnabled(phase is Phase.CHOOSING and bool(self.model.items))
        self.pause_button.setVisible(phase is Phase.RUNNING)
        self.stop_button.setVisible(phase in (Phase.RUNNING, Phase.ENDING))
        self.resume_button.setVisible(phase is Phase.PAUSED)
        has_failed = bool(counts.get(ItemState.FAILED))
        self.retry_button.setVisible(phase in (Phase.PAUSED, Phase.OVER) and has_failed)
        has_written = bool(counts.get(ItemState.DONE))
        self.undo_button.setVisible(phase in (Phase.PAUSED, Phase.OVER) and has_written)
        for part in (self.progress_bar, self.progress_label):
            part.setVisible(begun)
        self.model.let_edit(begun and phase not in (Phase.UNDOING, Phase.UNDONE))
        self.recursive_box.setEnabled(phase is Phase.CHOOSING)
        self._show_title()
        self.show_progress(self._progress)

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
                    parts.append(f"{spoken(progress.seconds_left)} left")
            case Phase.ENDING:
                parts.append("ending after the captions under way")
            case Phase.PAUSED:
                parts.append("paused; it can be gone on with at any time")
            case Phase.OVER:
                done = counts.get(ItemState.DONE, 0)
                parts[0] = f"Finished: {done:,} captioned"
                parts.append(self._written())
            case Phase.UNDOING:
                parts = ["Undoing …"]
            case Phase.UNDONE:
                parts = [f"Undone: {counts.get(ItemState.UNDONE, 0):,} as they were before"]
        return "  ·  ".join(part for part in parts if part)

    def _written(self) -> str:
        words = {kind: word for kind, word, _ in _WRITES}
        kinds = [words.get(kind, kind).lower() for kind in self._options.writes]
        where = "written beside the images as" if kinds else ""
        return f"{where} {', '.join(kinds)}".replace("xmp", "XMP").replace("json", "JSON").strip()

    # What is done to it

    @Slot()
    def _on_start_clicked(self) -> None:
        prompts = tuple(
            line.strip() for line in self.prompt_edit.toPlainText().splitlines() if line.strip()
        )
        options = BatchOptions(
            prompts=prompts,
            writes=tuple(kind for kind, box in self.write_boxes.items() if box.isChecked()),
            existing=Existing(self.existing_box.currentData()),  # Qt keeps a plain str.
            is_recursive=self.recursive_box.isChecked(),
            strips_openings=self.strip_box.isChecked(),
            ends_at_sentence=self.sentence_box.isChecked(),
        )
        try:
            options.checked()
        except ValueError as error:
            self.show_notice(str(error))
            return
        self._options = options
        self.notice_bar.hide()
        self.list.setFocus()
        self.started.emit(options)

    @Slot()
    def _on_undo_clicked(self) -> None:
        box = QMessageBox(self)
        box.setObjectName("undo_dialog")
        box.setWindowTitle("Undo the run")
        box.setText("Give every file back what it held before this run?")
        box.setInformativeText("Captions that you have changed by hand since stay as they are.")
        box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        undo = box.addButton("Undo", QMessageBox.ButtonRole.DestructiveRole)
        box.setDefaultButton(box.addButton(QMessageBox.StandardButton.Cancel))
        undo.clicked.connect(self.undo_asked)
        box.open()

    @Slot()
    def _on_folder_clicked(self) -> None:
        index = self.list.currentIndex()
        self.folder_asked.emit(
            self.model.item(index).path.parent if index.isValid() else self._roots[0]
        )

    @Slot()
    def _on_filter_changed(self) -> None:
        state = self.state_box.currentData()
        self.model.choose(ItemState(state) if state else None, self.find_edit.text())

    @Slot(int)
    def _on_counted(self, count: int) -> None:
        is_all = count == len(self.model.items)
        self.shown_label.setText(f"{count:,} shown")
        self.shown_label.setVisible(not is_all)


def _rate(rate: float) -> str:
    """Per second, or per minute where that would be a fraction."""
    return f"{rate:.1f} a second" if rate >= 1 else f"{rate * 60:.0f} a minute"


def _quiet(text: str) -> QLabel:
    label = QLabel(text)
    label.setProperty("class", "key")
    return label


def _button(text: str, name: str, key: str) -> QPushButton:
    button = QPushButton(text)
    button.setObjectName(name)
    button.setShortcut(QKeySequence(key))
    button.setToolTip(QKeySequence(key).toString(QKeySequence.SequenceFormat.NativeText))
    button.setAutoDefault(False)
    return button


def _row(*parts: QWidget, is_wide: bool = False) -> QHBoxLayout:
    row = QHBoxLayout()
    row.setSpacing(12)
    for part in parts:
        row.addWidget(part, 1 if is_wide and isinstance(part, QLineEdit) else 0)
    if not is_wide:
        row.addStretch(1)
    return row
