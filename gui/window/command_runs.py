"""What the commands do that concern the window alone; `gui.app` binds the others."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Slot
from PySide6.QtGui import QGuiApplication, QKeySequence

from gui.conversation.part_button import asked_text
from gui.conversation.prompt_offer import ModelOffer
from gui.window import text_focus
from gui.window.availability import RUN_ACTIONS, VERSION_STEPS
from gui.window.commands import Command
from gui.window.file_dialogs import open_without_waiting
from gui.window.help_dialogs import AboutDialog, KeysDialog

if TYPE_CHECKING:
    from gui.window.main_window import MainWindow


def bind_own_commands(window: MainWindow) -> None:
    """Says what the window's own commands do."""
    bind, zone, view = window.command_actions.bind, window.drop_zone, window.transcript_view
    runs = _Runs(window)
    bind(Command.OPEN, window.dialogs.open_pictures)
    bind(Command.OPEN_FOLDER, window.dialogs.open_folder)
    bind(Command.CAPTION_FOLDER, window.dialogs.open_run)
    bind(Command.MODEL_FOLDER, window.dialogs.open_model)
    bind(Command.SAVE, window.dialogs.save_transcript)
    bind(Command.SAVE_PICTURE, runs.save_picture)
    bind(Command.QUIT, window.close)
    bind(Command.CUT, text_focus.cut)
    bind(Command.COPY_SELECTION, text_focus.copy)
    bind(Command.SELECT_ALL, text_focus.select_all)
    bind(Command.PASTE, runs.paste)
    bind(Command.WRITE, window.prompt_box.focus_prompt)
    bind(Command.STOP, window.escape)
    bind(Command.WORDS, window.evidence_view.enter_last)
    bind(Command.INSPECT, view.inspect_last)
    bind(Command.EDIT_QUESTION, view.edit_last)
    for command, step in VERSION_STEPS.items():
        bind(command, partial(runs.step_version, step))
    bind(Command.COPY, view.copy_last)
    bind(Command.COPY_QUESTION, runs.copy_question)
    bind(Command.COPY_ALL, view.copy_all)
    bind(Command.FIT, zone.picture_view.fit)
    bind(Command.ACTUAL_SIZE, zone.picture_view.show_actual_size)
    bind(Command.ZOOM_IN, zone.picture_view.zoom_in)
    bind(Command.ZOOM_OUT, zone.picture_view.zoom_out)
    bind(Command.MODEL_VIEW, zone.model_view_switch.toggle)
    bind(Command.RESIZING_LOSS, zone.model_view_switch.toggle_lost)
    bind(Command.MARK_PART, zone.part_frame.toggle)
    bind(Command.KEYS, runs.show_keys)
    bind(Command.ABOUT, runs.show_about)
    window.prompt_box.model_chosen.connect(runs.load_offered)
    _bind_run(window)


def _bind_run(window: MainWindow) -> None:
    """The commands of a folder run do what its buttons do, whose keys they take over."""
    actions, panel = window.command_actions, window.batch_panel
    for command, action in RUN_ACTIONS.items():
        button = panel.controls.buttons[action]
        actions.bind(command, button.click)
        actions.attach(command, button)
    bar = panel.filter_bar
    actions.bind(Command.RUN_FIND, panel.find)
    actions.bind(Command.RUN_REPLACE, bar.replace_button.click)
    actions.attach(Command.RUN_REPLACE, bar.replace_button)
    actions.bind(Command.RUN_DOUBT, bar.doubt_button.click)
    bar.doubt_button.setShortcut(QKeySequence())
    actions.bind(Command.RUN_CLOSE, window.hide_run)
    actions.bind(Command.ROW_SHOW, panel.list.open_current)
    actions.bind(Command.ROW_EDIT, panel.list.edit_current)
    actions.bind(Command.ROW_COPY, panel.list.copy_current)
    actions.bind(Command.ROW_REVEAL, panel.list.reveal_current)
    actions.bind(Command.ROW_SORT, panel.list.toggle_order)
    actions.attach(Command.UNDO, bar.undo_edit_button)


class _Runs(QObject):
    """Commands that take more than one call."""

    def __init__(self, window: MainWindow):
        super().__init__(window)
        self._window = window

    def copy_question(self) -> None:
        if views := self._window.transcript_view.exchange_views:
            QGuiApplication.clipboard().setText(asked_text(views[-1].prompt, views[-1].part))

    def step_version(self, step: int) -> None:
        """Shows the next answer, `step` 1, or the one before, -1; beyond these another question."""
        view, several = self._window.transcript_view, self._window.state.exchange_with_versions
        if several and several[1].has_any(step):
            has_answer = several[1].has_answer(step)
            (view.answer_stepped if has_answer else view.question_stepped).emit(several[0], step)

    def save_picture(self) -> None:
        self._window.dialogs.save_picture(self._window.state.picture.name)

    def paste(self) -> None:
        """Pastes text where text is written, and images everywhere else."""
        if not text_focus.paste():
            self._window.drop_zone.paste()

    @Slot(object)
    def load_offered(self, offer: ModelOffer) -> None:
        """The prompt's ways to a model are commands too."""
        commands = {
            ModelOffer.BUILT_IN: Command.BUILT_IN_MODEL,
            ModelOffer.LAST: Command.LAST_MODEL,
            ModelOffer.CHOOSE: Command.MODELS,
        }
        self._window.commands[commands[offer]].trigger()

    def show_keys(self) -> None:
        dialog = KeysDialog(self._window.command_actions, self._window)
        dialog.keys_asked.connect(self._window.keys_asked)
        open_without_waiting(dialog)

    def show_about(self) -> None:
        open_without_waiting(AboutDialog(self._window))
