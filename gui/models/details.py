"""One model of the dialog in full: where it is, what it needs, and what can be done with it now."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtGui import QAction
from PySide6.QtWidgets import (
    QButtonGroup,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QMenu,
    QProgressBar,
    QPushButton,
    QRadioButton,
    QScrollArea,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from core.device.memory import PRECISIONS
from core.engine import Absent, Failed, Loading, ModelState, Ready
from core.errors import AppError, HubError, HubNeed, OutOfMemory
from core.formatting import format_bytes, format_duration, format_rate
from core.hub import (
    DeviceMemory,
    DownloadOptions,
    Entry,
    JobKind,
    JobState,
    ModelJob,
    Progress,
    Where,
)
from core.transcript import BUILT_IN, Precision
from gui.models.model_list import WORDS, spelled
from gui.widgets.elided_label import ElidedLabel
from gui.widgets.line_break import breakable
from gui.widgets.theme import Theme

_STEPS = 1000
# What helps against an error, by what the hub says is missing.
_HELP = {
    HubNeed.TOKEN: "Enter access token…",
    HubNeed.LICENCE: "Open its page",
    HubNeed.SPACE: "Download into another folder…",
    HubNeed.ONLINE: "Allow the network",
}


class ModelDetails(QFrame):
    """Shows an entry with its job and the state of the model that is loaded.

    Its signals are those of the dialog; `token_asked`, `downloads_asked` and `online_asked` are
    what would help against a failure.
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
        self._primary = self._second = self._help = ""
        self._build()
        self._build_more()
        self.primary_button.clicked.connect(self._on_primary)
        self.second_button.clicked.connect(self._on_second)
        self.help_button.clicked.connect(self._on_help)
        self.precisions.idClicked.connect(self._on_precision_chosen)

    @property
    def ready_key(self) -> str:
        """The key of the model that can be asked now, "" for none."""
        return self._loaded if isinstance(self._state, Ready) else ""

    def show_entry(
        self, entry: Entry | None, job: ModelJob | None, memory: DeviceMemory | None
    ) -> None:
        self._entry, self._job, self._memory = entry, job, memory
        self._show()

    def show_model_state(self, state: ModelState, loaded: str) -> None:
        self._state, self._loaded = state, loaded
        self._show()

    def show_options(self, options: DownloadOptions) -> None:
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
        column.addWidget(self._build_memory())
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

    def _build_memory(self) -> QWidget:
        self.memory_box = QWidget()
        grid = QGridLayout(self.memory_box)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(16)
        grid.setVerticalSpacing(6)
        grid.setColumnStretch(2, 1)
        title = QLabel("Memory that it needs")
        title.setProperty("class", "section")
        grid.addWidget(title, 0, 0, 1, 3)
        self.precisions = QButtonGroup(self)
        self.need_labels: list[QLabel] = []
        self.fit_labels: list[QLabel] = []
        for number, precision in enumerate(PRECISIONS):
            button = QRadioButton(spelled(precision))
            button.setObjectName(f"precision_{precision}")
            self.precisions.addButton(button, number)
            need, fit = QLabel(), QLabel()
            need.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            fit.setProperty("class", "fact")
            grid.addWidget(button, number + 1, 0)
            grid.addWidget(need, number + 1, 1)
            grid.addWidget(fit, number + 1, 2)
            self.need_labels.append(need)
            self.fit_labels.append(fit)
        return self.memory_box

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
        self._show_facts(entry)
        self._show_memory(entry)
        self._show_progress(entry)
        self._show_trouble(entry)
        self._show_buttons(entry)
        self._show_more(entry)

    def _show_facts(self, entry: Entry) -> None:
        into = self._options.downloads or self._options.cache
        is_loose = entry.local is None
        facts = {
            "On the disk": format_bytes(entry.size) if entry.size else "",
            "Licence": entry.licence,
            "Where": "" if entry.local is None else _place(entry.local.folder, entry.local.where),
            "Goes to": _spoken(into) if is_loose and into != Path() else "",
        }
        if is_loose and entry.size:
            facts["On the disk"] = f"about {format_bytes(entry.size)}"
        for name, (title, value) in self._facts.items():
            value.setText(facts[name])
            title.setVisible(bool(facts[name]))
            value.setVisible(bool(facts[name]))

    def _show_memory(self, entry: Entry) -> None:
        cannot_run = entry.local is not None and bool(entry.local.problem)
        self.memory_box.setVisible(bool(entry.needs) and not cannot_run)
        free = self._memory.free if self._memory else None
        for number, precision in enumerate(PRECISIONS):
            need = entry.needs.get(precision, 0)
            self.need_labels[number].setText(format_bytes(need))
            lacks = 0 if free is None else need - free
            verdict = (
                "" if free is None else "fits" if lacks <= 0 else f"{format_bytes(lacks)} short"
            )
            self.fit_labels[number].setText(verdict)
            self.precisions.button(number).setAccessibleName(
                f"{spelled(precision)}: {format_bytes(need)} of memory, {verdict}"
            )
            self.fit_labels[number].setProperty("class", "misfit" if lacks > 0 else "fact")
            _restyle(self.fit_labels[number])
        self.precisions.button(PRECISIONS.index(self._precision(entry))).setChecked(True)

    def _precision(self, entry: Entry) -> Precision:
        """What the person chose for this model, else what it is loaded in or the finest that
        fits."""
        if entry.key == self.ready_key and entry.key not in self._chosen:
            return self._loaded_precision()
        best = (
            self._memory.best_precision(entry.needs)
            if self._memory and entry.needs
            else PRECISIONS[0]
        )
        return self._chosen.get(entry.key) or best or PRECISIONS[-1]

    def _show_progress(self, entry: Entry) -> None:
        job, local = self._job, entry.local
        progress: Progress | None = None
        share, stage = 0.0, ""
        if job and job.is_under_way:
            progress = job.progress
            stage = (progress.stage if progress else "") or WORDS[job.kind]
            if job.state is JobState.WAITING:
                stage = "Waits until the other download is done"
        elif local and not local.is_complete:
            progress = Progress("", local.size, local.total)
            stage = "Stopped" if job else "Paused"
        elif isinstance(self._state, Loading) and entry.key == self._loaded:
            share, stage = self._state.fraction, self._state.stage
        if progress and progress.total:
            share = progress.done / progress.total
        self.stage_label.setText(stage)
        self.stage_label.setVisible(bool(stage))
        self.progress_bar.setVisible(bool(stage) and bool(share or not progress))
        self.progress_bar.setValue(round(_STEPS * share))
        self.pace_label.setText(_paced(progress) if progress and progress.total else "")
        self.pace_label.setVisible(bool(self.pace_label.text()))

    def _show_trouble(self, entry: Entry) -> None:
        error, help_ = "", ""
        if self._job and self._job.is_under_way:
            pass
        elif self._job and self._job.error:
            error = str(self._job.error)
            need = self._job.error.need if isinstance(self._job.error, HubError) else None
            help_ = _HELP.get(need, "") if need else ""
        elif entry.local and entry.local.problem:
            error = entry.local.problem
            if (lacks := self._part(entry)) and not self._options.is_offline:
                help_ = f"Get {lacks.rpartition('/')[2]}"
        elif isinstance(self._state, Failed) and entry.key == self._loaded:
            failure = self._state.error
            error = str(failure) if isinstance(failure, AppError) else ""
            lower = failure.precision if isinstance(failure, OutOfMemory) else None
            if lower and lower != self._precision(entry):
                help_ = f"Load in {spelled(Precision(lower))}"
        self._help = help_
        self.error_label.setText(breakable(error))
        self.error_frame.setVisible(bool(error))
        self.help_button.setText(help_)
        self.help_button.setVisible(bool(help_))
        hint = "" if error else self._hint(entry)
        self.hint_label.setText(hint)
        self.hint_label.setVisible(bool(hint))

    def _hint(self, entry: Entry) -> str:
        if entry.key == BUILT_IN:
            return "It knows drawn pictures. For photographs, get one of the models from the hub."
        if entry.needs and self._memory and self._memory.best_precision(entry.needs) is None:
            has_card = self._memory.device.startswith("cuda")
            spread = ", let it spread (Settings, Model)" if has_card else ""
            return f"Too large for the free memory. Close other programs{spread}, or take another."
        if entry.local is None and entry.is_gated:
            return "Given only to those who accepted its licence: it needs an access token."
        if entry.local is None and not entry.size:
            return "How large it is, its licence and whether it fits, the hub tells: look it up."
        return ""

    def _show_buttons(self, entry: Entry) -> None:
        job, local = self._job, entry.local
        primary, second, is_possible = "Load", "", True
        if job and job.is_under_way:
            if job.kind is JobKind.DOWNLOAD or job.state is JobState.WAITING:
                primary, second = "Pause", "" if self._part(entry) else "Cancel"
            else:
                primary = "Stop"
                is_possible = job.kind is not JobKind.REMOVE
        elif local is None:
            primary = "Try again" if job else "Get"
            second = "" if entry.size else "Look up"
            is_possible = not self._options.is_offline
        elif not local.is_complete:
            primary, second = "Go on", "Discard"
            is_possible = not self._options.is_offline
        elif entry.key == self._loaded and isinstance(self._state, Loading):
            primary = "Cancel loading"
        elif entry.key == self.ready_key and self._is_as_loaded(entry):
            primary = "Unload"
        else:
            if entry.needs and not local.problem:
                primary = f"Load in {spelled(self._precision(entry))}"
            is_possible = not local.problem
        self._primary, self._second = primary, second
        self.primary_button.setText(primary)
        self.primary_button.setVisible(True)
        self.primary_button.setEnabled(is_possible)
        self.second_button.setText(second)
        self.second_button.setVisible(bool(second))
        self.second_button.setEnabled(is_possible or second != "Look up")

    @staticmethod
    def _part(entry: Entry) -> str:
        """The hub id of what is missing of a model that is here otherwise."""
        return entry.local.missing_id if entry.local and entry.local.problem else ""

    def _is_as_loaded(self, entry: Entry) -> bool:
        """Whether another precision than the loaded one was chosen meanwhile."""
        return self._precision(entry) == self._loaded_precision()

    def _loaded_precision(self) -> Precision:
        loaded = self._state.facts.dtype if isinstance(self._state, Ready) else PRECISIONS[0]
        return loaded if loaded in PRECISIONS else PRECISIONS[0]

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
        if (entry := self._entry) is None or not self.primary_button.isEnabled():
            return
        match self._primary:
            case "Get" | "Try again" | "Go on":
                self.get_asked.emit(entry.hub_id)
            case "Pause":
                self.paused.emit(self._part(entry) or entry.hub_id)
            case "Stop":
                self.paused.emit(entry.key)
            case "Unload" | "Cancel loading":
                self.unload_asked.emit()
            case _:
                self.load_asked.emit(entry.key, self._precision(entry) if entry.needs else None)

    @Slot()
    def _on_second(self) -> None:
        if self._entry and self._second == "Look up":
            self.look_up_asked.emit(self._entry.hub_id)
        elif self._entry:
            self.cancelled.emit(self._entry.hub_id)

    @Slot()
    def _on_help(self) -> None:
        entry, error = self._entry, self._job.error if self._job else None
        if entry is None:
            return
        match error.need if isinstance(error, HubError) else None:
            case HubNeed.TOKEN:
                self.token_asked.emit()
            case HubNeed.LICENCE:
                self.page_opened.emit(entry.hub_id)
            case HubNeed.SPACE:
                self.downloads_asked.emit()
            case HubNeed.ONLINE:
                self.online_asked.emit()
            case _ if self._part(entry):
                self.get_asked.emit(self._part(entry))
            case _:
                failure = self._state.error if isinstance(self._state, Failed) else None
                if isinstance(failure, OutOfMemory) and failure.precision:
                    self._chosen[entry.key] = Precision(failure.precision)
                    self.load_asked.emit(entry.key, self._chosen[entry.key])

    @Slot(int)
    def _on_precision_chosen(self, number: int) -> None:
        if self._entry:
            self._chosen[self._entry.key] = PRECISIONS[number]
            self._show_buttons(self._entry)

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


def _place(folder: Path, where: Where) -> str:
    if where is Where.BUILT_IN:
        return "Comes with Onlooker"
    # In the cache the model's own folder tells more than that of its revision.
    folder = folder.parent.parent if where is Where.CACHE else folder
    return _spoken(folder)


def _spoken(folder: Path) -> str:
    home = Path.home()
    return f"~/{folder.relative_to(home)}" if folder.is_relative_to(home) else str(folder)


def _paced(progress: Progress) -> str:
    parts = [f"{format_bytes(progress.done)} of {format_bytes(progress.total)}"]
    if progress.rate:
        parts.append(format_rate(progress.rate))
    if progress.seconds_left is not None and progress.done < progress.total:
        parts.append(f"{format_duration(progress.seconds_left)} left")
    return "  ·  ".join(parts)


def _restyle(widget: QWidget) -> None:
    """Let the stylesheet see a property that has changed."""
    widget.style().unpolish(widget)
    widget.style().polish(widget)
