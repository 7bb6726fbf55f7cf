"""The model dialog: local and available models, whether they fit; download, load, unload."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from PySide6.QtCore import QModelIndex, Qt, Slot
from PySide6.QtGui import QAction, QKeyEvent, QKeySequence, QShortcut
from PySide6.QtWidgets import (
    QDialog,
    QFrame,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QListView,
    QPushButton,
    QSplitter,
    QVBoxLayout,
    QWidget,
)

from core.engine import ModelState
from core.hub import DeviceMemory, DownloadOptions, Entry, ModelJob
from gui.engines.line import EngineLine
from gui.models.details import ModelDetails
from gui.models.follow_ups import FollowUps
from gui.models.model_list import ModelsDelegate, ModelsListModel, is_about, job_of
from gui.models.options_menu import OptionsMenu
from gui.models.requests import ModelRequests
from gui.widgets.elided_label import ElidedLabel
from gui.widgets.measures import bytes_text
from gui.widgets.notice import NoticeAction, NoticeActionKind
from gui.widgets.notice_bar import NoticeBar
from gui.widgets.screen_fit import ScreenFit
from gui.widgets.theme import Theme

_SIZE = (860, 600)
_SMALLEST = (560, 320)


class ModelsDialog(QDialog):
    """Show it with `show()`: it keeps nobody from asking the model meanwhile.

    Methods that begin with `show_` give it what it shows; `requests` say what the person wants.
    """

    def __init__(self, theme: Theme, parent: QWidget | None = None):
        super().__init__(parent)
        self.setObjectName("models_dialog")
        self.setWindowTitle(self.tr("Models"))
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setMinimumSize(*_SMALLEST)
        self.resize(*_SIZE)
        ScreenFit(self)
        self.requests = ModelRequests(self)
        self._follow_ups = FollowUps(self.requests, self)
        self._jobs: dict[str, ModelJob] = {}
        self._is_first = True
        self._wanted = ""
        self.engine_line = EngineLine()
        self.details = ModelDetails(self.requests, self._follow_ups)
        self._build(self._build_list(theme), self._build_notice(theme), self._build_foot())
        self._connect()
        self.search_edit.setFocus()

    # What it shows

    def show_entries(self, entries: Sequence[Entry], memory: DeviceMemory) -> None:
        key = self.chosen_key
        self.model.show_entries(entries, memory)
        name = memory.name if memory.device.startswith("cuda") else self.tr("This computer")
        if memory.free is not None:
            free = self.tr("{size} of memory free").format(size=bytes_text(memory.free))
            name = f"{name}  ·  {free}"
        self.memory_label.setText(name)
        if self._is_first and entries:
            self._is_first = False
            key = self._begin_with(entries)
        self._choose(key)
        self._show_wanted()

    def show_jobs(self, jobs: Mapping[str, ModelJob]) -> None:
        key = self.chosen_key
        self._jobs = dict(jobs)
        self.model.show_jobs(jobs)
        self._choose(key)

    def show_job(self, key: str, job: ModelJob | None) -> None:
        if job is None:
            self._jobs.pop(key, None)
        else:
            self._jobs[key] = job
        self.model.show_job(key, job)
        if (entry := self._chosen()) and is_about(key, entry):
            self._show_chosen()

    def show_model_state(self, state: ModelState, loaded: str) -> None:
        """`loaded` is the key of the model that is loaded or being loaded, "" for none."""
        self.details.show_model_state(state, loaded)
        key = self.chosen_key
        if self.model.show_loaded(self.details.ready_key):
            self._choose(key)

    def show_options(self, options: DownloadOptions) -> None:
        self.options_menu.show_options(options)
        self._follow_ups.show_options(options)
        self.details.show_options(options)
        if options.is_bound:
            self.notice_bar.show_notice(
                self.tr(
                    "HF_HUB_OFFLINE keeps Onlooker offline. Start it without this variable to "
                    "download models."
                )
            )
        elif options.is_offline:
            go_online = NoticeAction(NoticeActionKind.ALLOW_NETWORK, self.tr("Go online"))
            self.notice_bar.show_notice(
                self.tr("Onlooker is offline. Go online to download models."), go_online
            )
        elif self.notice_bar.action_kind is NoticeActionKind.ALLOW_NETWORK:
            self.notice_bar.hide()

    def show_notice(self, text: str) -> None:
        self.notice_bar.show_notice(text)

    @property
    def chosen_key(self) -> str:
        entry = self._chosen()
        return entry.key if entry else ""

    def want(self, hub_id: str) -> None:
        """Show the model of this id, or the one that cannot be loaded without it."""
        self._wanted = hub_id
        if self.model.count:
            self._show_wanted()

    def choose(self, key: str) -> None:
        """Show this model's details."""
        self.search_edit.clear()
        self._choose(key)

    # Parts

    def _build(self, left: QWidget, notice: QVBoxLayout, foot: QHBoxLayout) -> None:
        self.splitter = QSplitter(Qt.Orientation.Horizontal)
        self.splitter.setHandleWidth(1)
        self.splitter.setChildrenCollapsible(False)
        self.splitter.addWidget(left)
        self.splitter.addWidget(self.details)
        self.splitter.setStretchFactor(0, 2)
        self.splitter.setStretchFactor(1, 3)
        self.splitter.setSizes([_SIZE[0] * 2 // 5, _SIZE[0] * 3 // 5])
        rows = QVBoxLayout(self)
        rows.setContentsMargins(0, 0, 0, 12)
        rows.setSpacing(12)
        rows.addWidget(self.engine_line)
        rows.addWidget(self.splitter, 1)
        rows.addLayout(notice)
        rows.addLayout(foot)

    def _build_list(self, theme: Theme) -> QWidget:
        self.search_edit = QLineEdit()
        self.search_edit.setObjectName("search_edit")
        self.search_edit.setPlaceholderText(self.tr("Search, or type owner/name"))
        self.search_edit.setAccessibleName(self.tr("Search models, or type owner/name"))
        self.search_edit.setClearButtonEnabled(True)
        self.nothing_label = QLabel(self.tr("Looking for models…"))
        self.nothing_label.setProperty("class", "explanation")
        self.nothing_label.setWordWrap(True)
        self.list = QListView()
        self.list.setObjectName("models_list")
        self.list.setAccessibleName(self.tr("Models"))
        self.list.setFrameShape(QFrame.Shape.NoFrame)
        self.list.setMouseTracking(True)
        self.list.setUniformItemSizes(False)
        self.list.setVerticalScrollMode(QListView.ScrollMode.ScrollPerPixel)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.model = ModelsListModel(self.list)
        self.list.setModel(self.model)
        self.list.setItemDelegate(ModelsDelegate(theme, self.model, self.list))
        left = QWidget()
        left.setMinimumWidth(210)
        column = QVBoxLayout(left)
        column.setContentsMargins(12, 12, 12, 0)
        column.setSpacing(8)
        column.addWidget(self.search_edit)
        column.addWidget(self.nothing_label)
        column.addWidget(self.list, 1)
        return left

    def _build_notice(self, theme: Theme) -> QVBoxLayout:
        self.notice_bar = NoticeBar(theme)
        self.notice_bar.action_button.setAutoDefault(False)
        above = QVBoxLayout()
        above.setContentsMargins(12, 0, 20, 0)
        above.addWidget(self.notice_bar)
        return above

    def _build_foot(self) -> QHBoxLayout:
        self.memory_label = ElidedLabel()
        self.memory_label.setProperty("class", "explanation")
        self.options_menu = OptionsMenu(self.requests, self._follow_ups, self)
        self.options_button = QPushButton(self.tr("Options"))
        self.options_button.setObjectName("options_button")
        self.options_button.setMenu(self.options_menu)
        self.server_button = QPushButton(self.tr("Use a server…"))
        self.server_button.setObjectName("server_button")
        self.server_button.clicked.connect(self.requests.server_asked)
        close_button = QPushButton(self.tr("Close"))
        close_button.setObjectName("close_button")
        close_button.clicked.connect(self.close)
        foot = QHBoxLayout()
        foot.setContentsMargins(12, 0, 20, 0)
        foot.setSpacing(8)
        foot.addWidget(self.memory_label, 1)
        for button in (self.server_button, self.options_button, close_button):
            button.setAutoDefault(False)
            foot.addWidget(button)
        return foot

    def _connect(self) -> None:
        self.search_edit.textChanged.connect(self._on_searched)
        self.search_edit.returnPressed.connect(self._on_search_entered)
        self.list.selectionModel().currentChanged.connect(self._on_current_changed)
        self.list.activated.connect(self._on_activated)
        self.notice_bar.action_chosen.connect(self._on_notice_action)
        QShortcut(QKeySequence.StandardKey.Find, self, self._on_find)
        remove = QAction(self)
        remove.setShortcut(QKeySequence.StandardKey.Delete)
        remove.setShortcutContext(Qt.ShortcutContext.WidgetShortcut)
        remove.triggered.connect(self.details.more_menu.remove_action.trigger)
        self.list.addAction(remove)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Escape first clears what is looked for, then closes; Down goes from there to the list."""
        if event.key() == Qt.Key.Key_Down and self.search_edit.hasFocus():
            self.list.setFocus()
        elif event.key() == Qt.Key.Key_Escape and self.search_edit.text():
            self.search_edit.clear()
        else:
            super().keyPressEvent(event)

    # The list

    def _chosen(self) -> Entry | None:
        return self.model.row(self.list.currentIndex()).entry

    def _begin_with(self, entries: Sequence[Entry]) -> str:
        """The model that is loaded; without others here, the first that can be downloaded."""
        if len([entry for entry in entries if entry.local]) > 1:
            return self.details.ready_key or entries[0].key
        return next((entry.key for entry in entries if not entry.local), entries[0].key)

    def _show_wanted(self) -> None:
        hub_id, self._wanted = self._wanted, ""
        if entry := self.model.about(hub_id):
            self.choose(entry.key)
        elif hub_id:
            self.search_edit.setText(hub_id)

    def _choose(self, key: str) -> None:
        index = self.model.index_of(key)
        if not index.isValid():
            index = self.model.first()
        no_such = self.tr("No such model. Type owner/name to look for one on the hub.")
        looking = self.tr("Looking for models…")
        self.nothing_label.setText(no_such if self.model.count else looking)
        self.nothing_label.setVisible(not index.isValid())
        self.list.setCurrentIndex(index)
        self.list.scrollTo(index)
        self._show_chosen()

    @Slot()
    def _show_chosen(self) -> None:
        entry = self._chosen()
        job = job_of(entry, self._jobs) if entry else None
        self.details.show_entry(entry, job, self.model.memory)

    @Slot(QModelIndex, QModelIndex)
    def _on_current_changed(self, now: QModelIndex, before: QModelIndex) -> None:
        self._show_chosen()

    @Slot(QModelIndex)
    def _on_activated(self, index: QModelIndex) -> None:
        self.details.primary_button.click()

    @Slot(str)
    def _on_searched(self, words: str) -> None:
        key = self.chosen_key
        self.model.look_for(words)
        self._choose(key)

    @Slot()
    def _on_search_entered(self) -> None:
        self.list.setFocus()

    @Slot()
    def _on_find(self) -> None:
        self.search_edit.setFocus()
        self.search_edit.selectAll()

    @Slot(object)
    def _on_notice_action(self, action: NoticeAction) -> None:
        if action.kind is NoticeActionKind.ALLOW_NETWORK:
            self.requests.offline_chosen.emit(False)
