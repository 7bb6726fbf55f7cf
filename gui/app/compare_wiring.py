"""Connects the answers of earlier runs with the dialog that compares them."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QDateTime, QLocale, QObject, Slot
from shiboken6 import isValid

from core.batch import AnsweredRun, answered_runs
from core.message import translatable
from core.workspace import ImageRow
from gui.app.open_dialog import OpenDialog
from gui.app.tasks import Begin
from gui.session.caption_editing import CaptionEditing
from gui.session.drafts_outside import DraftsOutside
from gui.session.workspace import FolderWorkspace
from gui.widgets.draft_timer import DraftTimer
from gui.window.commands import Command
from gui.window.file_dialogs import open_without_waiting
from gui.window.main_window import MainWindow

if TYPE_CHECKING:
    from gui.workspace.compare_dialog import CompareDialog

PICK_NAME = translatable("core", "Choose among answers")
_LONGEST = 28


@dataclass
class _Comparison:
    """What a dialog shows: the runs, and the images about which the chosen ones differ."""

    dialog: CompareDialog
    runs: list[AnsweredRun] = field(default_factory=list[AnsweredRun])
    rows: list[ImageRow] = field(default_factory=list[ImageRow])
    chosen: tuple[int, ...] = ()
    differing: list[int] = field(default_factory=list[int])
    drafted: ImageRow | None = None

    def texts(self, row: ImageRow, caption: str) -> list[str | None]:
        """Returns the answers of the chosen runs, the last of which is the caption as it is."""
        return [
            self.runs[place].captions.get(row.path) if place < len(self.runs) else caption
            for place in self.chosen
        ]

    def compared(self, chosen: tuple[int, ...]) -> tuple[list[int], int]:
        """Returns which images the answers of these runs differ about, and how many have several.
        Takes half a second for 100,000."""
        differing: list[int] = []
        count = 0
        captions = [
            self.runs[place].captions if place < len(self.runs) else None for place in chosen
        ]
        for place, row in enumerate(self.rows):
            texts = [row.caption if known is None else known.get(row.path) for known in captions]
            said = [text for text in texts if text is not None]
            count += len(said) > 1
            if len(set(said)) > 1:
                differing.append(place)
        return differing, count


class CompareWiring(QObject):
    """What is picked is an edit of the workspace, and undone like any other."""

    def __init__(
        self,
        window: MainWindow,
        workspace: FolderWorkspace,
        editing: CaptionEditing,
        drafts: DraftsOutside,
        journals: Path,
        begin: Begin,
        parent: QObject | None = None,
    ):
        super().__init__(parent)
        self._window, self._workspace, self._editing = window, workspace, editing
        self._drafts, self._journals, self._begin = drafts, journals, begin
        self._dialog: OpenDialog[CompareDialog] = OpenDialog()
        window.command_actions.bind(Command.COMPARE_ANSWERS, self._open)
        workspace.changed.connect(self._on_workspace_changed)
        workspace.edited.connect(self._on_edited)

    def _open(self) -> None:
        # The window's first paint need not wait for it.
        from gui.workspace.compare_dialog import CompareDialog

        self._editing.write()
        dialog = CompareDialog(self._window.theme, self._window.thumbnails, self._window)
        shown = _Comparison(dialog)
        self._dialog.keep(dialog)
        self._on_workspace_changed()
        dialog.columns_chosen.connect(partial(self._on_columns_chosen, shown))
        dialog.image_wanted.connect(partial(self._on_image_wanted, shown))
        dialog.written.connect(self._on_written)
        timer, keep = DraftTimer(dialog), partial(self._keep_draft, shown)
        dialog.editor.textChanged.connect(timer.begin)
        timer.timeout.connect(keep)
        dialog.finished.connect(keep)
        dialog.undo_asked.connect(self._workspace.undo)
        dialog.run_asked.connect(self._choose_run)
        open_without_waiting(dialog)
        self._begin(self._read(shown))

    @Slot()
    def _choose_run(self) -> None:
        if dialog := self._dialog.now:
            dialog.accept()
        self._window.commands[Command.GENERATE].trigger()

    @Slot()
    def _on_workspace_changed(self) -> None:
        if dialog := self._dialog.now:
            dialog.show_can_undo(self._workspace.undo_text)

    async def _read(self, shown: _Comparison) -> None:
        found = await self._workspace.read(
            lambda workspace: (workspace.rows(workspace.ids()), workspace.answers.moves())
        )
        shown.rows, moves = found or ([], [])
        paths = [row.path for row in shown.rows]
        shown.runs = await asyncio.to_thread(answered_runs, self._journals, paths, moves)
        if isValid(shown.dialog):
            labels = _numbered([self._label(run) for run in shown.runs])
            shown.dialog.show_runs([*labels, self.tr("Caption now")])

    def _label(self, run: AnsweredRun) -> str:
        prompt = " ".join(run.prompts[0].split())
        prompt = prompt if len(prompt) <= _LONGEST else f"{prompt[:_LONGEST]}…"
        began = QDateTime.fromSecsSinceEpoch(int(run.began.timestamp()))
        when = QLocale().toString(began, QLocale.FormatType.ShortFormat)
        return "  ·  ".join(part for part in (prompt, Path(run.model).name, when) if part)

    def _on_columns_chosen(self, shown: _Comparison, chosen: tuple[int, ...]) -> None:
        shown.chosen = chosen
        self._begin(self._compare(shown, chosen))

    async def _compare(self, shown: _Comparison, chosen: tuple[int, ...]) -> None:
        differing, count = await asyncio.to_thread(shown.compared, chosen)
        if isValid(shown.dialog) and shown.chosen is chosen:
            shown.differing = differing
            shown.dialog.show_count(len(differing), count)

    def _on_image_wanted(self, shown: _Comparison, at: int) -> None:
        self._begin(self._show(shown, at))

    async def _show(self, shown: _Comparison, at: int) -> None:
        if not 0 <= at < len(shown.differing):
            return
        place = shown.differing[at]
        id = shown.rows[place].id
        # It comes after what was picked before, as both are done in one thread.
        rows = await self._workspace.read(lambda workspace: workspace.rows([id]))
        if not isValid(shown.dialog) or shown.differing[at : at + 1] != [place]:
            return  # Other runs are compared by now.
        row, typed = shown.dialog.typed
        if row is not None and typed:
            return  # It was read twice, and is being written.
        if rows:
            # The answers are known by the path at the time, and the caption may be another one.
            texts = shown.texts(shown.rows[place], rows[0].caption)
            shown.dialog.show_image(rows[0], texts)
        elif rows is not None:
            del shown.differing[at]
            shown.dialog.show_gone()

    def _keep_draft(self, shown: _Comparison, _: object = None) -> None:
        """Of the image in view; what was written for the one before is written, or taken back."""
        row, text = shown.dialog.typed
        if shown.drafted is not None and shown.drafted is not row:
            self._drafts.forget(shown.drafted.path)
        shown.drafted = row if text else None
        if row is not None:
            self._drafts.keep_or_forget(row, text)

    def _on_written(self, row: ImageRow, text: str) -> None:
        drafted = self._drafts.hand_over(row)
        self._editing.write_for(row, text, PICK_NAME, drafted=drafted)

    @Slot(object)
    def _on_edited(self, _: object) -> None:
        """The caption in view may be another one, as once an edit is undone."""
        dialog = self._dialog.now
        # Also while it is being read: what was read may be the caption from before this edit.
        if dialog and not dialog.typed[1]:
            dialog.show_again()


def _numbered(labels: list[str]) -> list[str]:
    """Return labels of runs, the newest first, with a number where several are the same: as of two
    runs with one prompt within a minute. The oldest is the first."""
    left, numbered = Counter(labels), list[str]()
    several = {label for label, count in left.items() if count > 1}
    for label in labels:
        numbered.append(f"{label}  ({left[label]})" if label in several else label)
        left[label] -= 1
    return numbered
