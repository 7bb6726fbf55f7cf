"""Connects what is counted in the captions of a folder with the query line and the statistics."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QObject, Slot
from PySide6.QtWidgets import QFileDialog

from core.workspace import AddTags, StatisticsKind
from gui.app.tasks import Begin
from gui.app.workspace_wiring import WorkspaceWiring
from gui.session.bulk_editing import BulkEditing
from gui.session.caption_editing import CaptionEditing
from gui.session.folder_counts import FolderCounts
from gui.session.settings_file import SettingsFile
from gui.window.file_dialogs import open_without_waiting
from gui.window.main_window import MainWindow
from gui.window.view_state import ViewState


class CountsWiring(QObject):
    """What may follow in a query is suggested while it is typed; statistics are counted while they
    are in view, and what is chosen there is searched for, or added to the selected images."""

    def __init__(
        self,
        window: MainWindow,
        listing: WorkspaceWiring,
        bulk: BulkEditing,
        counts: FolderCounts,
        editing: CaptionEditing,
        settings_file: SettingsFile,
        begin: Begin,
        parent: QObject | None = None,
    ):
        super().__init__(parent)
        self._listing, self._bulk, self._counts = listing, bulk, counts
        self._editing, self._settings_file, self._begin = editing, settings_file, begin
        query_line = window.workspace_pane.query_line
        query_line.completion_asked.connect(counts.complete)
        counts.completed.connect(query_line.show_completions)
        panel = window.workspace_pane.statistics
        counts.counted.connect(panel.show_statistics)
        panel.filter_asked.connect(query_line.search_for)
        panel.tag_added.connect(self._add_tag)
        window.caption_panel.tag_editor.added_to_selected.connect(self._add_tags)
        panel.fold_asked.connect(self._toggle_fold)
        panel.kind_chosen.connect(self._choose_kind)
        self._window, self._tags = window, window.caption_panel.tag_editor
        self._tags.completion_asked.connect(self._complete_tag)
        counts.tags_completed.connect(self._tags.show_completions)
        self._tags.vocabulary_asked.connect(self._choose_vocabulary)
        self._tags.vocabulary_dropped.connect(self._drop_vocabulary)
        counts.vocabulary_read.connect(self._on_vocabulary_read)
        counts.noticed.connect(window.show_notice)
        if path := settings_file.settings.tag_vocabulary:
            counts.use_vocabulary(Path(path))
        window.states.changed.connect(self._on_state_changed)

    @Slot(object)
    def _on_state_changed(self, state: ViewState) -> None:
        shown = state.workspace
        self._counts.set_wanted(shown.is_list_shown and not shown.folds_statistics)

    @Slot(str)
    def _add_tag(self, tag: str) -> None:
        self._add_tags((tag,))

    @Slot(object)
    def _add_tags(self, tags: tuple[str, ...]) -> None:
        ids = self._listing.meant_ids
        if ids:
            self._editing.write()
            self._bulk.apply(ids, AddTags(tags))

    @Slot(str)
    def _complete_tag(self, part: str) -> None:
        self._counts.complete_tag(part, self._tags.tags)

    @Slot()
    def _choose_vocabulary(self) -> None:
        before = self._settings_file.settings.tag_vocabulary
        lists, every = self.tr("Lists of tags"), self.tr("All files")
        folder = str(Path(before).parent) if before else ""
        filters = f"{lists} (*.txt *.csv *.tsv);;{every} (*)"
        dialog = QFileDialog(self._window, self.tr("Choose vocabulary"), folder, filters)
        dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
        dialog.fileSelected.connect(self._use_vocabulary)
        open_without_waiting(dialog)

    @Slot(str)
    def _use_vocabulary(self, path: str) -> None:
        self._counts.use_vocabulary(Path(path))

    @Slot()
    def _drop_vocabulary(self) -> None:
        self._counts.use_vocabulary(None)

    @Slot(object)
    def _on_vocabulary_read(self, path: Path | None) -> None:
        self._tags.show_vocabulary(path.name if path else "")
        self._settings_file.settings.tag_vocabulary = str(path or "")
        self._keep_settings()

    @Slot()
    def _toggle_fold(self) -> None:
        settings = self._settings_file.settings
        settings.folds_statistics = not settings.folds_statistics
        self._keep_settings()

    @Slot(object)
    def _choose_kind(self, kind: StatisticsKind) -> None:
        self._settings_file.settings.statistics = kind.value
        self._keep_settings()

    def _keep_settings(self) -> None:
        self._listing.refresh()
        self._begin(self._settings_file.save())
