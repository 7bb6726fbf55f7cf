"""The folder run: what to ask and write, a row per picture, progress, pause, stop, undo."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QSize, Signal, Slot
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import (
    QFrame,
    QLineEdit,
    QPlainTextEdit,
    QWidget,
)

from core.batch import BatchOptions, Item, ItemState, Phase, Progress, Summary
from gui.batch.caption_list import BatchList, placeholder
from gui.batch.filter_bar import FilterBar
from gui.batch.form import BatchForm
from gui.batch.form_check import FormCheck
from gui.batch.head import RunHead, has_folder
from gui.batch.list_area import ListArea
from gui.batch.replace import ReplaceBar
from gui.batch.rows import BatchModel
from gui.batch.run_controls import RunAction, RunControls, has_begun, is_at_rest
from gui.batch.run_pages import RunPages
from gui.batch.run_progress import RunProgress
from gui.batch.summary import SummaryBox
from gui.batch.trial import TrialPage
from gui.batch.undo_dialog import UndoDialog
from gui.picture.drop_zone import DragOverlay
from gui.widgets.notice_bar import NoticeBar
from gui.widgets.preview import PreviewMaker
from gui.widgets.scrolled_page import place_below
from gui.widgets.theme import Theme


class BatchPanel(QFrame):
    """Shows a folder run and reports what the user does with it; knows only data of core.

    The run: `started(BatchOptions, int, tuple[str, ...])` with how many images at once, 0 for the
    best number, and on which graphics cards, () for all;
    `undo_asked(bool)` with whether edits by hand are kept; `action_asked(RunAction)` for the other
    actions of a run; `recursion_changed(bool)`.
    Captions: `edited(int, str)`; `replace_asked(Replacement, list[int])` in the captions of these
    items; `edit_undone()`, where a replacement in many captions is one edit; `names_changed()`:
    other caption files belong to the images; `doubt_asked()`: find the most doubtful word of each
    caption; `doubt_stopped()`.
    Before the run: `tried(list[BatchOptions], bool)` with whether other images than before are to
    be used; `trial_stopped()`.
    `trial_shown(bool)`: whether the page for that is in view.
    Elsewhere: `noticed(str)`: why the options make no run, "" once they do. `opened(Path)`: show
    this picture; `folder_asked(Path)` and `reveal_asked(Path)`: show this folder or file in the
    file manager; `closed()`: back to the picture.
    """

    started = Signal(object, int, object)
    undo_asked = Signal(bool)
    action_asked = Signal(object)
    recursion_changed = Signal(bool)
    edited = Signal(int, str)
    # Signal(list) would convert the numbers to QVariants, one after another.
    replace_asked = Signal(object, object)
    edit_undone = Signal()
    names_changed = Signal()
    doubt_asked = Signal()
    doubt_stopped = Signal()
    noticed = Signal(str)
    trial_shown = Signal(bool)
    tried = Signal(list, bool)
    trial_stopped = Signal()
    opened = Signal(Path)
    folder_asked = Signal(Path)
    reveal_asked = Signal(Path)
    closed = Signal()
    left = Signal()

    def __init__(self, theme: Theme, previews: PreviewMaker, parent: QWidget | None = None):
        super().__init__(parent)
        self.setObjectName("batch_panel")
        self._phase = Phase.CHOOSING
        self._roots: list[Path] = []
        self._has_folder = False
        self._progress = Progress({})
        self._other_prompt = ""
        self._can_undo_edit = False
        self._has_summary = False
        self.head = RunHead(theme)
        self.form = BatchForm(theme)
        self._check = FormCheck(self.form)
        self.controls = RunControls(theme)
        self.progress = RunProgress()
        self.filter_bar = FilterBar()
        self.model = BatchModel(previews, self)
        self.list = BatchList(theme, self.model)
        self.replace_bar = ReplaceBar(theme)
        captions = (self.filter_bar, self.replace_bar, self.list)
        self.list_area = ListArea(self.form.more, captions)
        self.summary_box = SummaryBox()
        self.trial_page = TrialPage(theme, previews)
        self.notice_bar = NoticeBar(theme)
        self.drag_overlay = DragOverlay(theme, self)
        self._place()
        self._connect()
        self._show_phase()
        for edit in (*self.findChildren(QLineEdit), *self.findChildren(QPlainTextEdit)):
            # A folder that is dropped is to be captioned; its path is not text to insert.
            edit.setAcceptDrops(False)

    # What is shown

    @property
    def is_running(self) -> bool:
        """Whether captions are being written or undone."""
        return self._phase in (Phase.RUNNING, Phase.ENDING, Phase.UNDOING)

    @property
    def is_trying(self) -> bool:
        """Whether the page that compares prompts is shown."""
        return self.pages.currentWidget() is self.trial_page

    @property
    def least_height(self) -> int:
        """How much height it needs; with more, it shows more of the images. Options are in view
        as a whole."""
        return super().sizeHint().height()

    def sizeHint(self) -> QSize:
        return super().sizeHint() + QSize(0, self.list_area.more_height)

    @property
    def shows_rows(self) -> bool:
        """Whether a row for each image of the run is shown."""
        return self.head.rows_button.isChecked()

    def show_rows(self) -> None:
        """Shows a row for each image of the run."""
        self.head.rows_button.setChecked(True)

    def suggest(self, other_prompt: str) -> None:
        """Sets the prompt to compare with, if none is written there."""
        self._other_prompt = other_prompt

    def show_roots(self, roots: Sequence[Path]) -> None:
        """Names the folders and files of the run."""
        self._roots, self._has_folder = list(roots), has_folder(roots)
        self._show_subfolders()
        self._show_head()

    def show_items(self, items: list[Item]) -> None:
        """Shows the items of another run."""
        self.model.set_items(items)
        self._show_head()

    def show_phase(self, phase: Phase) -> None:
        """Shows what can be done in this phase of the run."""
        is_left = has_begun(self._phase) and not has_begun(phase)
        self._phase = phase
        had_focus = self.controls.isAncestorOf(self.focusWidget() or self)
        self._show_phase()
        if had_focus and has_begun(phase):
            self._leave()  # Its button is gone; the next one would do something else.
        elif is_left and self.isAncestorOf(wanted := self.focusWidget() or self):
            # A field of the form that is wanted already was hidden, and had no focus yet.
            is_field = any(one.isAncestorOf(wanted) for one in (self.form, self.form.more))
            (wanted if is_field else self.form.prompt_edit).setFocus()

    def show_progress(self, progress: Progress) -> None:
        """Shows how far the run is."""
        self._progress = progress
        self.progress.show_progress(self._phase, progress)

    def show_summary(self, summary: Summary) -> None:
        """Shows the outcome of the run, until it is resumed."""
        self._has_summary = True
        self.summary_box.show_summary(summary)
        self._show_parts()

    def show_can_undo_edit(self, can_undo: bool, can_redo: bool = False) -> None:
        """Shows whether the last edit of captions can be undone."""
        self._can_undo_edit = can_undo
        self._show_parts()

    def edit_text(self, number: int, text: str) -> bool:
        """Lets a person go on with what they wrote for an item: in its row, whatever is filtered or
        replaced there. Returns False if its caption cannot be edited now."""
        self.show_rows()
        if not self.replace_bar.isHidden():
            self.replace_bar.close_bar()
        if self.model.row(number) is None:
            self.filter_bar.show_all()
        return self.list.edit_text(number, text)

    def set_doubting(self, is_doubting: bool) -> None:
        """Shows whether doubtful words are being looked for."""
        self.filter_bar.set_doubting(is_doubting)
        if is_doubting:
            self.show_rows()
        self._show_parts()

    def set_doubt_obstacle(self, reason: str) -> None:
        """Sets why the loaded model cannot find doubtful words, "" if it can."""
        self.filter_bar.set_doubt_obstacle(reason)
        self._show_parts()

    def focus_first(self) -> None:
        """Moves the focus to where one would continue."""
        if self.is_trying:
            self.trial_page.variants[1].prompt_edit.setFocus()
        elif self.controls.buttons[RunAction.START].isVisible():
            self.form.prompt_edit.setFocus()
        elif self.shows_rows:
            self.list.setFocus()
        else:
            self.head.rows_button.setFocus()

    def find(self) -> None:
        """Goes to the field that finds rows."""
        self.show_rows()
        self.filter_bar.focus_words()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.drag_overlay.setGeometry(self.rect())

    # Parts

    def _place(self) -> None:
        parts = (self.form, self.summary_box, self.controls, self.progress)
        self.pages = RunPages(parts, self.list_area, self.trial_page)
        self._page = place_below(self, (self.head, self.notice_bar), self.pages)

    def _connect(self) -> None:
        self.controls.asked.connect(self._on_action_asked)
        self.controls.unfolded.connect(self._show_parts)
        self.head.rows_toggled.connect(self._on_rows_toggled)
        self.head.folder_asked.connect(self._on_folder_asked)
        self.head.closed.connect(self.closed)
        self.form.recursion_changed.connect(self.recursion_changed)
        self.form.names_changed.connect(self.names_changed)
        self._check.noticed.connect(self.noticed)
        self.model.edited.connect(self.edited)
        self.model.counted.connect(self._on_counted)
        self.list.opened.connect(self.opened)
        self.list.reveal_asked.connect(self.reveal_asked)
        self.filter_bar.filter_changed.connect(self.model.set_filter)
        self.filter_bar.replace_asked.connect(self._on_replace_bar_asked)
        self.filter_bar.edit_undone.connect(self.edit_undone)
        self.filter_bar.doubt_asked.connect(self.doubt_asked)
        self.filter_bar.doubt_stopped.connect(self.doubt_stopped)
        self.replace_bar.changed.connect(self.model.show_replacement)
        self.replace_bar.asked.connect(self._on_replace_asked)
        self.replace_bar.closed.connect(self._on_replace_closed)
        self.trial_page.tried.connect(self.tried)
        self.trial_page.stopped.connect(self.trial_stopped)
        self.trial_page.chosen.connect(self._on_variant_chosen)
        self.trial_page.closed.connect(self._on_trial_closed)
        self.pages.currentChanged.connect(self._on_page_changed)

    # Showing

    def _show_phase(self) -> None:
        self._has_summary &= is_at_rest(self._phase) or self._phase is Phase.UNDONE
        if self._phase is not Phase.CHOOSING and self.is_trying:
            self._on_trial_closed()
        if not self._can_edit:
            self.list.finish_editing()
        self.model.set_editable(self._can_edit)
        self._show_subfolders()
        self._show_parts()
        self._show_head()
        self.show_progress(self._progress)

    def _show_subfolders(self) -> None:
        is_choosing = self._phase is Phase.CHOOSING
        self.form.recursive_box.setEnabled(is_choosing and self._has_folder)

    def _show_head(self) -> None:
        count, roots = len(self.model.items), self._roots
        self.head.show_run(count, roots, has_begun=has_begun(self._phase))

    @property
    def _can_edit(self) -> bool:
        return has_begun(self._phase) and self._phase not in (Phase.UNDOING, Phase.UNDONE)

    @Slot()
    def _show_parts(self) -> None:
        """Shows what can be used now."""
        phase, counts = self._phase, self._progress.counts
        can_start = phase is Phase.CHOOSING and bool(self.model.items)
        self.form.setVisible(not has_begun(phase))
        self.list_area.show_options(self.controls.is_unfolded and not has_begun(phase))
        self.controls.show_phase(phase, counts, can_start)
        self.progress.show_parts(phase, has_summary=self._has_summary)
        self.filter_bar.show_parts(
            can_edit=self._can_edit,
            can_undo_edit=self._can_undo_edit,
            can_find_doubt=is_at_rest(phase) and bool(counts.get(ItemState.DONE)),
        )
        if not self._can_edit and self.replace_bar.isVisible():
            self.replace_bar.close_bar()
        # During find and replace the captions need the space.
        is_replacing = not self.replace_bar.isHidden()
        self.summary_box.setVisible(self._has_summary and not is_replacing)
        self.list.show_placeholder(placeholder(phase, has_images=bool(self.model.items)))

    # What the user does

    @Slot(object)
    def _on_action_asked(self, action: RunAction) -> None:
        match action:
            case RunAction.START:
                self._start()
            case RunAction.TRY_FIRST:
                self._try_first()
            case RunAction.UNDO:
                self._ask_undo()
            case _:
                self.action_asked.emit(action)

    def _start(self) -> None:
        if options := self._check.options():
            self._leave()
            self.started.emit(options, self.form.slots or 0, self.form.more.devices)

    def _leave(self) -> None:
        if self.shows_rows:
            self.list.setFocus()
        else:
            self.left.emit()

    def _try_first(self) -> None:
        if options := self._check.options():
            self.pages.setCurrentWidget(self.trial_page)
            self.trial_page.begin(options, self._other_prompt)

    def _ask_undo(self) -> None:
        dialog = UndoDialog(self._can_undo_edit, self)
        dialog.confirmed.connect(self.undo_asked)
        dialog.open()

    @Slot(object)
    def _on_variant_chosen(self, options: BatchOptions) -> None:
        self.form.show_options(options)
        self._on_trial_closed()
        self.controls.buttons[RunAction.START].setFocus()

    @Slot()
    def _on_trial_closed(self) -> None:
        self.trial_page.stop()
        self.pages.setCurrentIndex(0)
        self.focus_first()

    @Slot()
    def _on_page_changed(self) -> None:
        self.trial_shown.emit(self.is_trying)

    @Slot(bool)
    def _on_rows_toggled(self, is_shown: bool) -> None:
        if not is_shown:
            self.list.finish_editing()
            if not self.replace_bar.isHidden():
                self.replace_bar.close_bar()
        self.list_area.show_captions(is_shown)

    @Slot()
    def _on_replace_bar_asked(self) -> None:
        self.show_rows()
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
    def _on_folder_asked(self) -> None:
        index = self.list.currentIndex()
        self.folder_asked.emit(
            self.model.item(index).path.parent if index.isValid() else self._roots[0]
        )

    @Slot(int)
    def _on_counted(self, count: int) -> None:
        self.filter_bar.show_count(count, len(self.model.items))
        self.replace_bar.show_count(count)
