"""One model of the dialog in full: where it is, what it needs, and what can be done with it now."""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtCore import Qt, Slot
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from core.engine import Absent, ModelState, Ready
from core.hub import DeviceMemory, DownloadOptions, Entry, ModelJob
from core.transcript import Precision
from gui.models.details_state import Action, DetailsState, Offer
from gui.models.facts import Facts
from gui.models.follow_ups import FollowUps
from gui.models.memory_table import MemoryTable
from gui.models.more_menu import MoreMenu
from gui.models.requests import ModelRequests
from gui.widgets.elided_label import ElidedLabel
from gui.widgets.job_progress import JobProgress
from gui.widgets.labels import paragraph
from gui.widgets.line_break import breakable


class ModelDetails(QFrame):
    """Shows an entry with its job and the state of the loaded model, and offers what can be done.

    What it says and offers is computed by `DetailsState`; what is chosen becomes a request.
    """

    def __init__(
        self, requests: ModelRequests, follow_ups: FollowUps, parent: QWidget | None = None
    ):
        super().__init__(parent)
        self.setObjectName("model_details")
        self._requests, self._follow_ups = requests, follow_ups
        self._entry: Entry | None = None
        self._job: ModelJob | None = None
        self._memory: DeviceMemory | None = None
        self._state: ModelState = Absent()
        self._loaded = ""
        self._options = DownloadOptions(None, False)
        self._chosen: dict[str, Precision] = {}
        self._details: DetailsState | None = None
        self.area = self._build_area()
        buttons = self._build_buttons()
        rows = QVBoxLayout(self)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.setSpacing(8)
        rows.addWidget(self.area, 1)
        rows.addLayout(buttons)
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

    def _build_area(self) -> QScrollArea:
        self.name_label = paragraph(style="title", is_selectable=False)
        self.id_label = ElidedLabel(mode=Qt.TextElideMode.ElideMiddle)
        self.id_label.setObjectName("model_id_label")
        self.progress = JobProgress()
        self.hint_label = paragraph(style="explanation", is_selectable=False)
        self.facts = Facts()
        self.memory_table = MemoryTable()
        content = QWidget()
        content.setObjectName("model_details_content")
        column = QVBoxLayout(content)
        column.setContentsMargins(20, 16, 20, 12)
        column.setSpacing(4)
        column.addWidget(self.name_label)
        column.addWidget(self.id_label)
        column.addSpacing(8)
        column.addWidget(self.progress)
        column.addSpacing(4)
        column.addWidget(self._build_trouble())
        column.addWidget(self.hint_label)
        column.addSpacing(8)
        column.addWidget(self.facts)
        column.addSpacing(8)
        column.addWidget(self.memory_table)
        column.addStretch(1)
        area = QScrollArea()
        area.setWidgetResizable(True)
        area.setFrameShape(QFrame.Shape.NoFrame)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        area.setMinimumWidth(280)
        area.setWidget(content)
        return area

    def _build_trouble(self) -> QFrame:
        self.error_frame = QFrame()
        self.error_frame.setProperty("class", "error_line")
        self.error_label = paragraph(style="error", is_selectable=False)
        self.help_button = QPushButton()
        self.help_button.setObjectName("help_button")
        self.help_button.setProperty("class", "small")
        self.help_button.setAutoDefault(False)
        inside = QVBoxLayout(self.error_frame)
        inside.setContentsMargins(12, 6, 12, 8)
        inside.setSpacing(6)
        inside.addWidget(self.error_label)
        inside.addWidget(self.help_button, 0, Qt.AlignmentFlag.AlignLeft)
        return self.error_frame

    def _build_buttons(self) -> QHBoxLayout:
        self.primary_button = QPushButton()
        self.primary_button.setObjectName("model_primary_button")
        self.second_button = QPushButton()
        self.second_button.setObjectName("model_second_button")
        self.more_button = QPushButton(self.tr("More"))
        self.more_button.setObjectName("model_more_button")
        self.more_menu = MoreMenu(self._requests, self._follow_ups, self)
        self.more_button.setMenu(self.more_menu)
        buttons = QHBoxLayout()
        buttons.setContentsMargins(20, 0, 20, 0)
        buttons.setSpacing(8)
        for button in (self.primary_button, self.second_button, self.more_button):
            button.setAutoDefault(False)
            buttons.addWidget(button)
        buttons.insertStretch(2, 1)
        return buttons

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
        self.facts.show_entry(entry, self._options)
        self.progress.show_progress(details.progress())
        self.more_menu.show_details(details)
        self._show_memory(details)
        self._show_trouble(details)
        self._show_buttons(details)

    def _show_memory(self, details: DetailsState) -> None:
        entry = details.entry
        cannot_run = entry.local is not None and bool(entry.local.problem)
        self.memory_table.setVisible(bool(entry.needs) and not cannot_run)
        free = details.memory.free if details.memory else None
        self.memory_table.show_needs(entry.needs, free, details.precision)

    def _show_trouble(self, details: DetailsState) -> None:
        trouble = details.trouble()
        self.error_label.setText(breakable(trouble.error))
        self.error_frame.setVisible(bool(trouble.error))
        _show_offer(self.help_button, trouble.remedy)
        # Notices have the same buttons.
        name = self.tr("{action}, for {model}")
        name = name.format(action=self.help_button.text(), model=details.entry.name)
        self.help_button.setAccessibleName(name if trouble.remedy else "")
        hint = "" if trouble.error else details.hint()
        self.hint_label.setText(hint)
        self.hint_label.setVisible(bool(hint))

    def _show_buttons(self, details: DetailsState) -> None:
        _show_offer(self.primary_button, details.primary())
        _show_offer(self.second_button, details.secondary())

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
        entry, requests = details.entry, self._requests
        match action:
            case Action.LOAD:
                requests.load_asked.emit(entry.key, details.precision if entry.needs else None)
            case Action.UNLOAD:
                requests.unload_asked.emit()
            case Action.GET:
                requests.get_asked.emit(entry.hub_id)
            case Action.PAUSE_DOWNLOAD:
                requests.paused.emit(details.missing_id or entry.hub_id)
            case Action.STOP:
                requests.paused.emit(entry.key)
            case Action.CANCEL_DOWNLOAD:
                requests.cancelled.emit(entry.hub_id)
            case Action.LOOK_UP:
                requests.look_up_asked.emit(entry.hub_id)

    @Slot()
    def _on_help(self) -> None:
        if (details := self._details) is None or (remedy := details.trouble().remedy) is None:
            return
        entry, requests = details.entry, self._requests
        match remedy.action:
            case Action.ENTER_TOKEN:
                self._follow_ups.ask_token()
            case Action.OPEN_PAGE:
                requests.page_opened.emit(entry.hub_id)
            case Action.CHOOSE_DOWNLOADS:
                self._follow_ups.ask_downloads()
            case Action.ALLOW_NETWORK:
                requests.offline_chosen.emit(False)
            case Action.GET_MISSING_PART:
                requests.get_asked.emit(details.missing_id)
            case Action.LOAD_LOWER:
                if lower := details.lower_precision:
                    self._chosen[entry.key] = lower
                    requests.load_asked.emit(entry.key, lower)

    @Slot(object)
    def _on_precision_chosen(self, precision: Precision) -> None:
        if self._details:
            self._chosen[self._details.entry.key] = precision
            self._details = replace(self._details, chosen=precision)
            self._show_buttons(self._details)


def _show_offer(button: QPushButton, offer: Offer | None) -> None:
    """Show what a button does now; hide it if there is nothing to do."""
    button.setText(offer.caption if offer else "")
    button.setVisible(offer is not None)
    button.setEnabled(offer is None or offer.is_enabled)
