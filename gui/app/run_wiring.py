"""Connects the folder run with the workspace beside it, the system, and the clipboard."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QObject, QTimer, Slot

from core.batch import Doubt, Item, ItemState, Phase, Summary
from core.workspace import EditReport, Workspace
from gui.app.after_run_wiring import AfterRunWiring
from gui.app.batch_wiring import BatchWiring
from gui.app.tasks import Begin
from gui.session.awake import Awake
from gui.session.caption_editing import CaptionEditing
from gui.session.folder_run import FolderRun
from gui.session.picture_list import PictureList
from gui.session.workspace import FolderWorkspace
from gui.widgets.counted import counted
from gui.window.commands import Command
from gui.window.main_window import MainWindow
from gui.window.notification import notify

_PAUSE_MS = 300
# A table is read as a whole.
_PAUSE_MS_WITH_TABLE = 1500


class RunWiring(QObject):
    """Captions appear in the list of images while they are written. The computer stays awake until
    the run ends, and a notification says so to those who look elsewhere."""

    def __init__(
        self,
        window: MainWindow,
        run: FolderRun,
        batch: BatchWiring,
        workspace: FolderWorkspace,
        pictures: PictureList,
        begin: Begin,
        parent: QObject | None = None,
        *,
        editing: CaptionEditing,
    ):
        super().__init__(parent)
        self._window, self._run, self._batch = window, run, batch
        self._editing = editing
        self._workspace, self._pictures = workspace, pictures
        self._begin = begin
        self._awake = Awake(self)
        AfterRunWiring(window, run, self)
        self._written: set[Path] = set()
        self._timer = QTimer(self, interval=_PAUSE_MS, singleShot=True)
        self._timer.timeout.connect(self._on_paused)
        run.items.reported.connect(self._on_item_reported)
        workspace.edited.connect(self._on_edited)
        run.phase_changed.connect(self._on_phase_changed)
        run.summed_up.connect(self._on_summed_up)
        run.doubt_search.found.connect(self._on_doubts_found)
        window.batch_panel.opened.connect(self._on_row_opened)
        self._was_running = False
        bind = window.command_actions.bind
        bind(Command.GENERATE, self._generate)

    def _generate(self) -> None:
        self._begin(self._choose())

    async def _choose(self) -> None:
        """Choose a run over the selected images, what the search found, or the whole folder."""
        images, workspace = self._window.workspace_pane.list, self._workspace
        paths: list[Path] | None = list(workspace.roots)
        if images.selected_count > 1 or workspace.listing.query.strip():
            ids = images.selected_ids if images.selected_count > 1 else list(workspace.ids)
            paths = await workspace.read(lambda open: [row.path for row in open.rows(ids)])
        if paths:
            self._batch.choose(paths)

    @Slot(Path)
    def _on_row_opened(self, path: Path) -> None:
        self._window.show_conversation()
        self._begin(self._open(path))

    async def _open(self, path: Path) -> None:
        """Show an image of the run, in the list of images if it is there."""
        if self._workspace.has_list and await self._workspace.row_of(path) is not None:
            await self._pictures.open_path(path)
        else:
            await self._pictures.open_paths([path])

    # While it works

    @Slot(int, object)
    def _on_item_reported(self, number: int, item: Item) -> None:
        # An undone one has its earlier caption again.
        if item.state in (ItemState.DONE, ItemState.UNDONE) and self._workspace.is_open:
            if item.path == self._editing.path:
                self._editing.begin_reading()
                self._begin(self._read_in_view(item.path))
            self._written.add(item.path)
            if not self._timer.isActive():
                has_table = bool(self._workspace.source.table)
                self._timer.start(_PAUSE_MS_WITH_TABLE if has_table else _PAUSE_MS)

    @Slot(object)
    def _on_edited(self, report: EditReport) -> None:
        if self._run.has_run and report.changed:
            self._begin(self._take_over(report.changed))

    async def _take_over(self, ids: Sequence[int]) -> None:
        """What a person has written in the workspace is the caption of the run too."""
        paths = await self._workspace.read(lambda open: list(open.paths(ids)))
        self._run.edits.take_over(paths or ())

    async def _read_in_view(self, path: Path) -> None:
        """Show what was written in the editor at once: what is typed there is typed over it."""
        try:
            await self._workspace.read_written([path])
            if (row := await self._workspace.row_of(path)) is not None:
                self._editing.take_row(row)
        finally:
            self._editing.end_reading()

    @Slot(object)
    def _on_doubts_found(self, doubts: list[Doubt]) -> None:
        """Keep how doubtful captions are, so that the list can be gone through by that."""
        options = self._run.options
        # What was captioned again is kept at the end, together with what there was before.
        is_kept_later = self._run.is_running and options is not None and options.is_again
        if self._workspace.is_open and not is_kept_later:
            self._begin(self._keep(doubts, self._run.items.copy()))

    async def _keep(self, doubts: list[Doubt], items: list[Item]) -> None:
        def keep(workspace: Workspace) -> None:
            known = (one for one in doubts if one.number < len(items))
            found = {
                items[one.number].path: one for one in known if not items[one.number].is_edited
            }
            answers = {path: one.caption for path, one in found.items()}
            workspace.answers.note(answers, {path: one.doubt for path, one in found.items()})

        await self._workspace.read(keep)

    @Slot()
    def _on_paused(self) -> None:
        written, self._written = self._written, set()
        self._workspace.read_again(written)

    @Slot(object)
    def _on_phase_changed(self, phase: Phase) -> None:
        is_running = phase in (Phase.RUNNING, Phase.ENDING)
        self._was_running |= is_running
        self._awake.set_on(is_running)

    @Slot(object)
    def _on_summed_up(self, summary: Summary) -> None:
        if not self._was_running:
            return
        self._was_running = False
        if self._run.options and self._run.options.then:
            return  # Further runs follow.
        done, failed = summary.tally.done, summary.tally.failed
        one, many = self.tr("1 image captioned."), self.tr("{count} images captioned.")
        if failed:
            one = self.tr("1 image captioned, {failed} failed.")
            many = self.tr("{count} images captioned, {failed} failed.")
        text = counted(done, one, many).replace("{failed}", f"{failed:,}")
        notify(self._window, self.tr("Folder run finished"), text)
