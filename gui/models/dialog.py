"""The model dialog: local and available models, whether they fit; download, load, unload."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from PySide6.QtCore import QModelIndex, Qt, Signal, Slot
from PySide6.QtGui import QAction, QKeyEvent, QKeySequence, QShortcut
from PySide6.QtWidgets import (
    QDialog,
    QFileDialog,
    QFrame,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QListView,
    QMenu,
    QMessageBox,
    QPushButton,
    QSplitter,
    QVBoxLayout,
    QWidget,
)

from core.engine import ModelState
from core.formatting import format_bytes
from core.hub import DeviceMemory, DownloadOptions, Entry, ModelJob, Where
from gui.models.details import ModelDetails
from gui.models.model_list import ModelsDelegate, ModelsListModel, is_about, job_of
from gui.models.token_dialog import TokenDialog
from gui.widgets.notice_bar import NoticeAction, NoticeActionKind, NoticeBar
from gui.widgets.theme import Theme

_SIZE = (860, 600)
_SMALLEST = (560, 400)
_GO_ONLINE = NoticeAction(NoticeActionKind.ALLOW_NETWORK, "Allow the network")
_LOOKING = "Looking at what is here …"
_NO_SUCH = "No model is called so. One at the hub has a name like owner/name."


class ModelsDialog(QDialog):
    """Show it with `show()`: it keeps nobody from asking the model meanwhile.

    Methods that begin with `show_` give it what it shows. Its signals say what the user wants,
    with a model's key or a download's hub id.
    """

    look_up_asked = Signal(str)
    get_asked = Signal(str)
    paused = Signal(str)
    cancelled = Signal(str)
    load_asked = Signal(str, object)
    """The key, and the `Precision` to load it in, None where there is no choice."""
    unload_asked = Signal()
    check_asked = Signal(str)
    move_asked = Signal(str, Path)
    remove_asked = Signal(str)
    forget_asked = Signal(str)
    folder_added = Signal(Path)
    downloads_chosen = Signal(object)
    offline_chosen = Signal(bool)
    token_given = Signal(str)
    folder_opened = Signal(Path)
    page_opened = Signal(str)

    def __init__(self, theme: Theme, parent: QWidget | None = None):
        super().__init__(parent)
        self.setObjectName("models_dialog")
        self.setWindowTitle("Models")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setMinimumSize(*_SMALLEST)
        self.resize(*_SIZE)
        self._jobs: dict[str, ModelJob] = {}
        self._options = DownloadOptions(None, False)
        self._is_first = True
        self._wanted = ""
        self._build(theme)
        self._build_options()
        self._connect()

    # What it shows

    def show_entries(self, entries: Sequence[Entry], memory: DeviceMemory) -> None:
        key = self.chosen_key
        self.model.show_entries(entries, memory)
        free = "" if memory.free is None else f"  ·  {format_bytes(memory.free)} of memory free"
        name = memory.name if memory.device.startswith("cuda") else "This computer"
        self.memory_label.setText(f"{name}{free}")
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
        self._options = options
        self.offline_action.setChecked(options.is_offline)
        self.offline_action.setEnabled(not options.is_bound)
        self.cache_action.setChecked(options.downloads is None)
        self.into_action.setChecked(options.downloads is not None)
        self.details.show_options(options)
        if options.is_bound:
            self.notice_bar.show_notice(
                "HF_HUB_OFFLINE is set, so nothing is downloaded. Start Onlooker without it."
            )
        elif options.is_offline:
            self.notice_bar.show_notice(
                "Onlooker works offline: nothing is downloaded.", _GO_ONLINE
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

    def _build(self, theme: Theme) -> None:
        self.search_edit = QLineEdit()
        self.search_edit.setObjectName("search_edit")
        self.search_edit.setPlaceholderText("Find, or type owner/name")
        self.search_edit.setAccessibleName("Find a model, or name one at the hub")
        self.search_edit.setClearButtonEnabled(True)
        self.notice_bar = NoticeBar(theme)
        self.notice_bar.action_button.setAutoDefault(False)
        self.list = QListView()
        self.list.setObjectName("models_list")
        self.list.setAccessibleName("Models")
        self.list.setFrameShape(QFrame.Shape.NoFrame)
        self.list.setMouseTracking(True)
        self.list.setUniformItemSizes(False)
        self.list.setVerticalScrollMode(QListView.ScrollMode.ScrollPerPixel)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.model = ModelsListModel(self.list)
        self.list.setModel(self.model)
        self.list.setItemDelegate(ModelsDelegate(theme, self.model, self.list))
        self.nothing_label = QLabel(_LOOKING)
        self.nothing_label.setProperty("class", "explanation")
        self.nothing_label.setWordWrap(True)
        self.details = ModelDetails(theme)
        self.memory_label = QLabel()
        self.memory_label.setProperty("class", "explanation")
        self.options_button = QPushButton("Options")
        self.options_button.setObjectName("options_button")
        close_button = QPushButton("Close")
        close_button.setObjectName("close_button")
        close_button.clicked.connect(self.close)
        for button in (self.options_button, close_button):
            button.setAutoDefault(False)
        left = QWidget()
        left.setMinimumWidth(210)
        column = QVBoxLayout(left)
        column.setContentsMargins(12, 12, 12, 0)
        column.setSpacing(8)
        column.addWidget(self.search_edit)
        column.addWidget(self.nothing_label)
        column.addWidget(self.list, 1)
        self.splitter = QSplitter(Qt.Orientation.Horizontal)
        self.splitter.setHandleWidth(1)
        self.splitter.setChildrenCollapsible(False)
        self.splitter.addWidget(left)
        self.splitter.addWidget(self.details)
        self.splitter.setStretchFactor(0, 2)
        self.splitter.setStretchFactor(1, 3)
        self.splitter.setSizes([_SIZE[0] * 2 // 5, _SIZE[0] * 3 // 5])
        foot = QHBoxLayout()
        foot.setContentsMargins(12, 0, 20, 0)
        foot.setSpacing(8)
        foot.addWidget(self.memory_label, 1)
        foot.addWidget(self.options_button)
        foot.addWidget(close_button)
        above = QVBoxLayout()
        above.setContentsMargins(12, 0, 20, 0)
        above.addWidget(self.notice_bar)
        rows = QVBoxLayout(self)
        rows.setContentsMargins(0, 0, 0, 12)
        rows.setSpacing(12)
        rows.addWidget(self.splitter, 1)
        rows.addLayout(above)
        rows.addLayout(foot)

    def _build_options(self) -> None:
        menu = QMenu(self)
        add = menu.addAction
        self.add_folder_action = add("&Add a folder of models…")
        menu.addSeparator()
        self.cache_action = add("Download into the hub's &cache")
        self.into_action = add("Download into a &folder…")
        self.cache_action.setCheckable(True)
        self.into_action.setCheckable(True)
        menu.addSeparator()
        self.token_action = add("Access &token…")
        self.offline_action = add("Work &offline")
        self.offline_action.setCheckable(True)
        self.options_button.setMenu(menu)
        self.add_folder_action.triggered.connect(self._on_add_folder)
        self.cache_action.triggered.connect(self._on_cache_chosen)
        self.into_action.triggered.connect(self._on_into_asked)
        self.token_action.triggered.connect(self.open_token_dialog)
        self.offline_action.triggered.connect(self.offline_chosen)

    def _connect(self) -> None:
        details = self.details
        self.search_edit.textChanged.connect(self._on_searched)
        self.search_edit.returnPressed.connect(self._on_search_entered)
        self.list.selectionModel().currentChanged.connect(self._on_current_changed)
        self.list.activated.connect(self._on_activated)
        self.notice_bar.action_chosen.connect(self._on_notice_action)
        details.look_up_asked.connect(self.look_up_asked)
        details.get_asked.connect(self.get_asked)
        details.paused.connect(self.paused)
        details.cancelled.connect(self.cancelled)
        details.load_asked.connect(self.load_asked)
        details.unload_asked.connect(self.unload_asked)
        details.check_asked.connect(self.check_asked)
        details.move_asked.connect(self._on_move_asked)
        details.remove_asked.connect(self._on_remove_asked)
        details.forget_asked.connect(self.forget_asked)
        details.folder_opened.connect(self.folder_opened)
        details.page_opened.connect(self.page_opened)
        details.token_asked.connect(self.open_token_dialog)
        details.downloads_asked.connect(self._on_into_asked)
        details.online_asked.connect(self._on_online_asked)
        QShortcut(QKeySequence.StandardKey.Find, self, self._on_find)
        remove = QAction(self)
        remove.setShortcut(QKeySequence.StandardKey.Delete)
        remove.setShortcutContext(Qt.ShortcutContext.WidgetShortcut)
        remove.triggered.connect(details.remove_action.trigger)
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
        """The model that is loaded; with none but the built-in one here, the first to be had."""
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
        self.nothing_label.setText(_NO_SUCH if self.model.count else _LOOKING)
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

    # What asks back

    @Slot()
    def open_token_dialog(self) -> None:
        dialog = TokenDialog(self)
        dialog.token_given.connect(self.token_given)
        dialog.open()

    @Slot(object)
    def _on_notice_action(self, kind: NoticeActionKind) -> None:
        if kind is NoticeActionKind.ALLOW_NETWORK:
            self.offline_chosen.emit(False)

    @Slot()
    def _on_online_asked(self) -> None:
        self.offline_chosen.emit(False)

    @Slot()
    def _on_add_folder(self) -> None:
        dialog = self._folder_dialog("Add a folder of models", "")
        dialog.fileSelected.connect(self._on_folder_selected)
        dialog.open()

    @Slot(str)
    def _on_folder_selected(self, name: str) -> None:
        self.folder_added.emit(Path(name))

    @Slot()
    def _on_cache_chosen(self) -> None:
        self.cache_action.setChecked(True)
        self.downloads_chosen.emit(None)

    @Slot()
    def _on_into_asked(self) -> None:
        self.into_action.setChecked(self._options.downloads is not None)
        dialog = self._folder_dialog("Download models into", str(self._options.downloads or ""))
        dialog.fileSelected.connect(self._on_downloads_selected)
        dialog.open()

    @Slot(str)
    def _on_downloads_selected(self, name: str) -> None:
        self.downloads_chosen.emit(Path(name))

    @Slot(str)
    def _on_move_asked(self, key: str) -> None:
        dialog = self._folder_dialog("Move the model into", "")
        dialog.setProperty("key", key)
        dialog.fileSelected.connect(self._on_move_selected)
        dialog.open()

    @Slot(str)
    def _on_move_selected(self, name: str) -> None:
        self.move_asked.emit(self.sender().property("key"), Path(name))

    def _folder_dialog(self, title: str, folder: str) -> QFileDialog:
        dialog = QFileDialog(self, title, folder)
        dialog.setFileMode(QFileDialog.FileMode.Directory)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        return dialog

    @Slot(str)
    def _on_remove_asked(self, key: str) -> None:
        entry = self._chosen()
        if entry is None or entry.local is None or entry.key != key:
            return
        box = QMessageBox(self)
        box.setObjectName("remove_dialog")
        box.setWindowTitle("Remove a model")
        box.setText(f"Remove “{entry.name}” from this computer?")
        shared = entry.local.where is Where.CACHE
        others = " Other programs that use the hub's cache lose it too." if shared else ""
        box.setInformativeText(f"{format_bytes(entry.local.size)} are freed.{others}")
        remove = box.addButton("Remove", QMessageBox.ButtonRole.DestructiveRole)
        keep = box.addButton("Keep", QMessageBox.ButtonRole.RejectRole)
        box.setDefaultButton(keep)
        box.setEscapeButton(keep)
        box.setProperty("key", key)
        box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        remove.clicked.connect(self._on_remove_confirmed)
        box.open()

    @Slot()
    def _on_remove_confirmed(self) -> None:
        if box := self.findChild(QMessageBox, "remove_dialog"):
            self.remove_asked.emit(box.property("key"))
