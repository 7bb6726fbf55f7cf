"""One model of the dialog in full: where it is, what it needs, and what can be done with it now."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtGui import QAction
from PySide6.QtWidgets import (
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QMenu,
    QProgressBar,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from core.engine import Absent, Loading, ModelState, Ready
from core.formatting import format_bytes, format_duration, format_rate
from core.hub import (
    DeviceMemory,
    DownloadOptions,
    Entry,
    ModelJob,
    Progress,
    Where,
)
from core.transcript import Precision
from gui.models.details_state import Action, DetailsState
from gui.models.memory_table import MemoryTable
from gui.widgets.elided_label import ElidedLabel
from gui.widgets.line_break import breakable
from gui.widgets.theme import Theme

_STEPS = 1000


class ModelDetails(QFrame):
    """Shows an entry with its job and the state of the loaded model, and offers what can be done.

    What it says and offers is computed by `DetailsState`. Its signals are those of the dialog;
    `token_asked`, `downloads_asked` and `online_asked` ask for a remedy against a failure.
    """

    look_up_asked = Signal(str)
    get_asked = Signal(str)
    paused = Signal(str)
    cancelled = Signal(str)
    load_asked = Signal(str, object)
    unload_asked = Signal()
    check_asked = Signal(str)
    move_asked = Signal(str)
    remove_asked = Signal(str)
    forget_asked = Signal(str)
    folder_opened = Signal(Path)
    page_opened = Signal(str)
    token_asked = Signal()
    downloads_asked = Signal()
    online_asked = Signal()

    def __init__(self, theme: Theme, parent: QWidget | None = None):
        super().__init__(parent)
        self.setObjectName("model_details")
        self.setMinimumWidth(280)
        self._entry: Entry | None = None
        self._job: ModelJob | None = None
        self._memory: DeviceMemory | None = None
        self._state: ModelState = Absent()
        self._loaded = ""
        self._options = DownloadOptions(None, False)
        self._chosen: dict[str, Precision] = {}
        self._details: DetailsState | None = None
        self._build()
        self._build_more()
        self.primary_button.clicked.connect(self._on_primary)
        self.second_button.clicked.connect(self._on_second)
        self.help_button.clicked.connect(self._on_help)
        self.memory_table.precision_chosen.connect(self._on_precision_chosen)

    @property
    def ready_key(self) -> str:
        """The key of the model that can be asked now, "" for none."""
        return self._loaded if isinstance(self._state, Ready) else ""

    def show_entry(
        self, entry: Entry | None, job: ModelJob | None, memory: DeviceMemory | None
    ) -> None:
        """Shows an entry, None for nothing; `job` is under way on it or has failed."""
        self._entry, self._job, self._memory = entry, job, memory
        self._show()

    def show_model_state(self, state: ModelState, loaded: str) -> None:
        """`loaded` is the key of the model that `state` is about."""
        self._state, self._loaded = state, loaded
        self._show()

    def show_options(self, options: DownloadOptions) -> None:
        """Where a download would go, and whether it is allowed."""
        self._options = options
        self._show()

    # Parts

    def _build(self) -> None:
        self.name_label = _words("title")
        self.id_label = ElidedLabel(mode=Qt.TextElideMode.ElideMiddle)
        self.id_label.setObjectName("model_id_label")
        self.stage_label = ElidedLabel()
        self.stage_label.setObjectName("model_stage_label")
        self.progress_bar = QProgressBar()
        self.progress_bar.setObjectName("model_progress_bar")
        self.progress_bar.setRange(0, _STEPS)
        self.progress_bar.setTextVisible(False)
        self.progress_bar.setAccessibleName("How far it is")
        self.pace_label = _words("explanation")
        self.error_frame = QFrame()
        self.error_frame.setProperty("class", "error_line")
        self.error_label = _words("error")
        self.help_button = QPushButton()
        self.help_button.setObjectName("help_button")
        self.help_button.setProperty("class", "small")
        self.help_button.setAutoDefault(False)
        inside = QVBoxLayout(self.error_frame)
        inside.setContentsMargins(12, 6, 12, 8)
        inside.setSpacing(6)
        inside.addWidget(self.error_label)
        inside.addWidget(self.help_button, 0, Qt.AlignmentFlag.AlignLeft)
        self.hint_label = _words("explanation")
        self.memory_table = MemoryTable()
        content = QWidget()
        content.setObjectName("model_details_content")
        column = QVBoxLayout(content)
        column.setContentsMargins(20, 16, 20, 12)
        column.setSpacing(4)
        column.addWidget(self.name_label)
        column.addWidget(self.id_label)
        column.addSpacing(8)
        for part in (self.stage_label, self.progress_bar, self.pace_label):
            column.addWidget(part)
        column.addSpacing(4)
        column.addWidget(self.error_frame)
        column.addWidget(self.hint_label)
        column.addSpacing(8)
        column.addLayout(self._build_facts())
        column.addSpacing(8)
        column.addWidget(self.memory_table)
        column.addStretch(1)
        self.area = QScrollArea()
        self.area.setWidgetResizable(True)
        self.area.setFrameShape(QFrame.Shape.NoFrame)
        self.area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.area.setWidget(content)
        self.primary_button = QPushButton()
        self.primary_button.setObjectName("model_primary_button")
        self.second_button = QPushButton()
        self.second_button.setObjectName("model_second_button")
        self.more_button = QPushButton("More")
        self.more_button.setObjectName("model_more_button")
        buttons = QHBoxLayout()
        buttons.setContentsMargins(20, 0, 20, 0)
        buttons.setSpacing(8)
        for button in (self.primary_button, self.second_button):
            button.setAutoDefault(False)
            buttons.addWidget(button)
        buttons.addStretch(1)
        buttons.addWidget(self.more_button)
        self.more_button.setAutoDefault(False)
        rows = QVBoxLayout(self)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.setSpacing(8)
        rows.addWidget(self.area, 1)
        rows.addLayout(buttons)

    def _build_facts(self) -> QGridLayout:
        grid = QGridLayout()
        grid.setHorizontalSpacing(16)
        grid.setVerticalSpacing(6)
        grid.setColumnStretch(1, 1)
        self._facts: dict[str, tuple[QLabel, ElidedLabel]] = {}
        for row, name in enumerate(("On the disk", "Licence", "Where", "Goes to")):
            title = QLabel(name)
            title.setProperty("class", "fact")
            value = ElidedLabel(mode=Qt.TextElideMode.ElideMiddle)
            value.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
            grid.addWidget(title, row, 0)
            grid.addWidget(value, row, 1)
            self._facts[name] = (title, value)
        return grid

    def _build_more(self) -> None:
        menu = QMenu(self)
        menu.setToolTipsVisible(True)
        self.folder_action = QAction("Show in its &folder", self)
        self.page_action = QAction("Open its &page at the hub", self)
        self.check_action = QAction("&Check its files", self)
        self.move_action = QAction("&Move to another folder…", self)
        self.remove_action = QAction("&Remove from this computer…", self)
        self.remove_action.setShortcut("Del")
        self.forget_action = QAction("Take out of this &list", self)
        for action in (self.folder_action, self.page_action):
            menu.addAction(action)
        menu.addSeparator()
        for action in (self.check_action, self.move_action):
            menu.addAction(action)
        menu.addSeparator()
        menu.addAction(self.remove_action)
        menu.addAction(self.forget_action)
        self.remove_action.setShortcutContext(Qt.ShortcutContext.WidgetShortcut)
        self.more_button.setMenu(menu)
        self.folder_action.triggered.connect(self._on_folder)
        self.page_action.triggered.connect(self._on_page)
        self.check_action.triggered.connect(self._on_check)
        self.move_action.triggered.connect(self._on_move)
        self.remove_action.triggered.connect(self._on_remove)
        self.forget_action.triggered.connect(self._on_forget)

    # What is shown

    def _show(self) -> None:
        entry = self._entry
        self._details = None
        self.setEnabled(entry is not None)
        self.area.setVisible(entry is not None)
        if entry is None:
            for button in (self.primary_button, self.second_button, self.more_button):
                button.hide()
            return
        self.more_button.show()
        self.name_label.setText(breakable(entry.name))
        self.id_label.setText(entry.hub_id if entry.hub_id != entry.name else "")
        self.id_label.setVisible(bool(self.id_label.text()))
        self._details = details = DetailsState(
            entry,
            self._job,
            self._memory,
            self._state,
            self._loaded,
            self._options,
            self._chosen.get(entry.key),
        )
        self._show_facts(entry)
        self._show_memory(details)
        self._show_progress(details)
        self._show_trouble(details)
        self._show_buttons(details)
        self._show_more(entry)

    def _show_facts(self, entry: Entry) -> None:
        into = self._options.downloads or self._options.cache
        is_loose = entry.local is None
        facts = {
            "On the disk": format_bytes(entry.size) if entry.size else "",
            "Licence": entry.licence,
            "Where": "" if entry.local is None else _where(entry.local.folder, entry.local.where),
            "Goes to": _shortened(into) if is_loose and into != Path() else "",
        }
        if is_loose and entry.size:
            facts["On the disk"] = f"about {format_bytes(entry.size)}"
        for name, (title, value) in self._facts.items():
            value.setText(facts[name])
            title.setVisible(bool(facts[name]))
            value.setVisible(bool(facts[name]))

    def _show_memory(self, details: DetailsState) -> None:
        entry = details.entry
        cannot_run = entry.local is not None and bool(entry.local.problem)
        self.memory_table.setVisible(bool(entry.needs) and not cannot_run)
        free = details.memory.free if details.memory else None
        self.memory_table.show_needs(entry.needs, free, details.precision)

    def _show_progress(self, details: DetailsState) -> None:
        shown = details.progress()
        self.stage_label.setText(shown.stage)
        self.stage_label.setVisible(bool(shown.stage))
        has_bar = bool(shown.stage) and bool(shown.fraction or not shown.progress)
        self.progress_bar.setVisible(has_bar)
        self.progress_bar.setValue(round(_STEPS * shown.fraction))
        progress = shown.progress
        self.pace_label.setText(_bytes_and_rate(progress) if progress and progress.total else "")
        self.pace_label.setVisible(bool(self.pace_label.text()))

    def _show_trouble(self, details: DetailsState) -> None:
        trouble = details.trouble()
        self.error_label.setText(breakable(trouble.error))
        self.error_frame.setVisible(bool(trouble.error))
        self.help_button.setText(trouble.remedy.caption if trouble.remedy else "")
        self.help_button.setVisible(trouble.remedy is not None)
        hint = "" if trouble.error else details.hint()
        self.hint_label.setText(hint)
        self.hint_label.setVisible(bool(hint))

    def _show_buttons(self, details: DetailsState) -> None:
        primary, secondary = details.primary(), details.secondary()
        self.primary_button.setText(primary.caption)
        self.primary_button.setVisible(True)
        self.primary_button.setEnabled(primary.is_enabled)
        self.second_button.setText(secondary.caption if secondary else "")
        self.second_button.setVisible(secondary is not None)
        self.second_button.setEnabled(secondary is None or secondary.is_enabled)

    def _show_more(self, entry: Entry) -> None:
        local = entry.local
        is_idle = not (self._job and self._job.is_under_way)
        in_use = entry.key == self._loaded and isinstance(self._state, Ready | Loading)
        reason = "It is loaded. Unload it first." if in_use else ""
        self.folder_action.setEnabled(local is not None)
        self.page_action.setEnabled(bool(entry.hub_id))
        self.check_action.setEnabled(local is not None and local.is_complete and is_idle)
        self.move_action.setEnabled(bool(local and local.can_move and is_idle and not in_use))
        is_gone = local is not None and (local.where is Where.CACHE or local.is_ours)
        self.remove_action.setEnabled(is_gone and is_idle and not in_use)
        self.forget_action.setVisible(local is not None and local.where is Where.FOLDER)
        self.forget_action.setEnabled(is_idle and not in_use)
        for action in (self.move_action, self.remove_action):
            own = "It was not downloaded by Onlooker; its folder is yours."
            action.setToolTip(reason or (own if local and not is_gone else ""))

    # What is done

    @Slot()
    def _on_primary(self) -> None:
        # The list activates it too, whether it is enabled or not.
        if self._details and self.primary_button.isEnabled():
            self._do(self._details, self._details.primary().action)

    @Slot()
    def _on_second(self) -> None:
        if self._details and (offer := self._details.secondary()):
            self._do(self._details, offer.action)

    def _do(self, details: DetailsState, action: Action) -> None:
        entry = details.entry
        match action:
            case Action.LOAD:
                self.load_asked.emit(entry.key, details.precision if entry.needs else None)
            case Action.UNLOAD:
                self.unload_asked.emit()
            case Action.GET:
                self.get_asked.emit(entry.hub_id)
            case Action.PAUSE_DOWNLOAD:
                self.paused.emit(details.missing_id or entry.hub_id)
            case Action.STOP:
                self.paused.emit(entry.key)
            case Action.CANCEL_DOWNLOAD:
                self.cancelled.emit(entry.hub_id)
            case Action.LOOK_UP:
                self.look_up_asked.emit(entry.hub_id)

    @Slot()
    def _on_help(self) -> None:
        if (details := self._details) is None or (offer := details.trouble().remedy) is None:
            return
        key = details.entry.key
        match offer.action:
            case Action.ENTER_TOKEN:
                self.token_asked.emit()
            case Action.OPEN_PAGE:
                self.page_opened.emit(details.entry.hub_id)
            case Action.CHOOSE_DOWNLOADS:
                self.downloads_asked.emit()
            case Action.ALLOW_NETWORK:
                self.online_asked.emit()
            case Action.GET_MISSING_PART:
                self.get_asked.emit(details.missing_id)
            case Action.LOAD_LOWER:
                if lower := details.lower_precision:
                    self._chosen[key] = lower
                    self.load_asked.emit(key, lower)

    @Slot(object)
    def _on_precision_chosen(self, precision: Precision) -> None:
        if self._details:
            self._chosen[self._details.entry.key] = precision
            self._details = replace(self._details, chosen=precision)
            self._show_buttons(self._details)

    @Slot()
    def _on_folder(self) -> None:
        if self._entry and self._entry.local:
            self.folder_opened.emit(self._entry.local.folder)

    @Slot()
    def _on_page(self) -> None:
        if self._entry:
            self.page_opened.emit(self._entry.hub_id)

    @Slot()
    def _on_check(self) -> None:
        if self._entry:
            self.check_asked.emit(self._entry.key)

    @Slot()
    def _on_move(self) -> None:
        if self._entry:
            self.move_asked.emit(self._entry.key)

    @Slot()
    def _on_remove(self) -> None:
        if self._entry:
            self.remove_asked.emit(self._entry.key)

    @Slot()
    def _on_forget(self) -> None:
        if self._entry:
            self.forget_asked.emit(self._entry.key)


def _words(kind: str) -> QLabel:
    label = QLabel()
    label.setProperty("class", kind)
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setWordWrap(True)
    label.setIndent(0)
    return label


def _where(folder: Path, where: Where) -> str:
    if where is Where.BUILT_IN:
        return "Comes with Onlooker"
    # In the cache the model's folder has a readable name; that of its revision is a hash.
    folder = folder.parent.parent if where is Where.CACHE else folder
    return _shortened(folder)


def _shortened(folder: Path) -> str:
    home = Path.home()
    return f"~/{folder.relative_to(home)}" if folder.is_relative_to(home) else str(folder)


def _bytes_and_rate(progress: Progress) -> str:
    parts = [f"{format_bytes(progress.done)} of {format_bytes(progress.total)}"]
    if progress.rate:
        parts.append(format_rate(progress.rate))
    if progress.seconds_left is not None and progress.done < progress.total:
        parts.append(f"{format_duration(progress.seconds_left)} left")
    return "  ·  ".join(parts)
