"""A living program that kills itself, as the system does: `python -m … between|again FOLDER`.

`between` captions the images of the folder, and is killed before the two runs that are to follow.
`again` captions them once more, and is killed after the first one.

`… typing FIELD FOLDER` types `TYPED` into a field of a window that shows the folder, and goes on
until it is killed from outside. `FIELDS` are those in which a person writes more than a word.
"""

import asyncio
import os
import signal
import sys
import time
from pathlib import Path
from typing import TypeVar

import qasync
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QDialog, QLineEdit

from core.batch import BatchOptions, Phase
from core.captions.sidecar import Existing
from core.engine import Ready
from core.locations import writable_locations
from core.workspace import CaptionMode
from gui.app.program import Program
from gui.batch.cells import CaptionEdit
from gui.batch.rows import Column
from gui.conversation.exchange_view import ExchangeView
from gui.session.model_thread import ModelThread
from gui.window.commands import Command
from gui.workspace.alt_text_dialog import AltTextDialog
from gui.workspace.bulk_dialog import BulkDialog
from gui.workspace.compare_dialog import CompareDialog
from gui.workspace.notes_dialog import NotesDialog
from gui.workspace.presets_dialog import PresetsDialog
from tests.gui.conftest import until
from tests.support.scripted_engine import ScriptedCheckpoint

Dialog = TypeVar("Dialog", bound=QDialog)

TYPED = "half a sentence"


async def first_dialog(program: Program, kind: type[Dialog]) -> Dialog:
    await until(lambda: program.window.findChild(kind) is not None)
    dialog = program.window.findChild(kind)
    assert dialog is not None
    return dialog


async def typed_in_a_row(program: Program, folder: Path) -> None:
    panel = program.window.batch_panel
    panel.head.rows_button.click()
    options = BatchOptions(("say 3 words",), existing=Existing.REPLACE)
    await program.folder_run.choose([folder], options=options)
    await program.folder_run.start(options, 1)
    program.window.show_batch_panel()
    panel.list.setCurrentIndex(panel.model.index(0, Column.PICTURE))
    panel.list.edit_current()
    editor = next(one for one in panel.list.findChildren(CaptionEdit) if one.isVisible())
    editor.selectAll()
    QTest.keyClicks(editor, TYPED)


async def typed_as_a_caption(program: Program, folder: Path) -> None:
    program.window.commands[Command.EDIT_CAPTION].trigger()
    editor = program.window.caption_panel.editor
    editor.selectAll()
    QTest.keyClicks(editor, TYPED)


async def typed_as_a_tag(program: Program, folder: Path) -> None:
    program.workspace.choose_mode(CaptionMode.TAGS)
    tags = program.window.caption_panel.tag_editor
    program.window.commands[Command.EDIT_CAPTION].trigger()
    await until(tags.field.isVisible)
    QTest.keyClicks(tags.field, TYPED)


async def typed_over_a_tag(program: Program, folder: Path) -> None:
    program.workspace.choose_mode(CaptionMode.TAGS)
    chips = program.window.caption_panel.tag_editor.chips
    program.window.commands[Command.EDIT_CAPTION].trigger()
    await until(lambda: chips.isVisible() and bool(chips.tags.tags))
    chips.focus_last()
    chips.edit_current()
    (field,) = chips.viewport().findChildren(QLineEdit)
    field.selectAll()
    QTest.keyClicks(field, TYPED)


async def typed_as_a_query_that_is_not_whole(program: Program, folder: Path) -> None:
    edit = program.window.workspace_pane.query_line.edit
    QTest.keyClicks(edit, f'"{TYPED}')


async def typed_as_a_prompt(program: Program, folder: Path) -> None:
    QTest.keyClicks(program.window.prompt_box.prompt_edit, TYPED)


async def typed_before_looking_at_an_earlier_prompt(program: Program, folder: Path) -> None:
    edit = program.window.prompt_box.prompt_edit
    QTest.keyClicks(edit, "say 2 words")
    QTest.keyClick(edit, Qt.Key.Key_Return)
    await until(lambda: program.window.state.conversation.answers == 1)
    QTest.keyClicks(edit, TYPED)
    QTest.keyClick(edit, Qt.Key.Key_Up)
    QTest.keyClicks(edit, "!")


async def typed_over_a_question(program: Program, folder: Path) -> None:
    edit = program.window.prompt_box.prompt_edit
    QTest.keyClicks(edit, "say 2 words")
    QTest.keyClick(edit, Qt.Key.Key_Return)
    await until(lambda: program.window.state.conversation.answers == 1)
    view = program.window.transcript_view.findChild(ExchangeView)
    assert view is not None
    view.edit()
    assert view.body.question_edit is not None
    QTest.keyClicks(view.body.question_edit.edit, TYPED)


async def typed_as_the_prompt_of_a_run(program: Program, folder: Path) -> None:
    program.window.dialogs.run_chosen.emit([folder])
    form = program.window.batch_panel.form
    await until(form.prompt_edit.isVisible)
    QTest.keyClick(form.prompt_edit, Qt.Key.Key_A, Qt.KeyboardModifier.ControlModifier)
    QTest.keyClicks(form.prompt_edit, TYPED)


async def typed_as_the_prefix_of_a_run(program: Program, folder: Path) -> None:
    program.window.dialogs.run_chosen.emit([folder])
    await until(program.window.batch_panel.form.prompt_edit.isVisible)
    program.window.batch_panel.controls.more_button.setChecked(True)
    QTest.keyClicks(program.window.batch_panel.form.more.prefix_edit, TYPED)


async def typed_to_replace_many(program: Program, folder: Path) -> None:
    program.window.commands[Command.BULK_REPLACE].trigger()
    dialog = await first_dialog(program, BulkDialog)
    (field,) = dialog.findChildren(QLineEdit, "bulk_by_edit")
    QTest.keyClicks(field, TYPED)


async def typed_as_a_note(program: Program, folder: Path) -> None:
    program.window.commands[Command.NOTES].trigger()
    dialog = await first_dialog(program, NotesDialog)
    await until(lambda: not dialog.image_edit.isReadOnly())
    QTest.keyClicks(dialog.image_edit, TYPED)


async def typed_in_a_preset_without_a_name(program: Program, folder: Path) -> None:
    program.window.commands[Command.PRESETS].trigger()
    dialog = await first_dialog(program, PresetsDialog)
    dialog.new_button.click()
    dialog.form.name_edit.clear()
    edit = dialog.form.prompt_list.edits[0]
    edit.selectAll()
    QTest.keyClicks(edit, TYPED)


async def typed_as_an_alt_text(program: Program, folder: Path) -> None:
    program.window.commands[Command.ALT_TEXT].trigger()
    dialog = await first_dialog(program, AltTextDialog)
    dialog.text_edit.selectAll()
    QTest.keyClicks(dialog.text_edit, TYPED)


async def typed_among_answers(program: Program, folder: Path) -> None:
    for prompt in ("say 2 words", "say 3 words"):
        options = BatchOptions((prompt,), existing=Existing.REPLACE)
        await program.folder_run.choose([folder], options=options)
        await program.folder_run.start(options, 1)
    program.window.commands[Command.COMPARE_ANSWERS].trigger()
    dialog = await first_dialog(program, CompareDialog)
    await until(dialog.editor.isEnabled)
    dialog.editor.selectAll()
    QTest.keyClicks(dialog.editor, TYPED)


FIELDS = {
    name.removeprefix("typed_"): work for name, work in globals().items() if name[:6] == "typed_"
}


def kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def kill_at_end(phase: Phase) -> None:
    if phase is Phase.OVER:
        kill()


async def visit(program: Program) -> None:
    kind, folder = sys.argv[1], Path(sys.argv[-1])
    run = program.folder_run
    await until(lambda: isinstance(program.model.state, Ready))
    if kind == "typing":
        await program.pictures.open_paths([folder])
        await until(lambda: program.caption_editing.is_known)
        await FIELDS[sys.argv[2]](program, folder)
        await asyncio.Event().wait()
    if kind == "between":
        run.phase_changed.connect(kill_at_end)
        then = ("model:other", "model:third")
        options = BatchOptions(("say 3 words",), existing=Existing.REPLACE, then=then)
    else:
        images = tuple(map(str, folder.glob("*.png")))
        options = BatchOptions(
            ("then hold",), existing=Existing.REPLACE, replaces_edited=images, is_again=True
        )
    await run.choose([folder], options=options)
    program.tasks.begin(run.start(options, 1))
    await until(lambda: any("First." in one.read_text() for one in folder.glob("*.txt")))
    kill()


def main() -> None:
    application = QApplication([])
    loop = qasync.QEventLoop(application)
    model = ModelThread(ScriptedCheckpoint())
    program = Program(application, loop, writable_locations(), time.perf_counter(), model)
    loop.run_until_complete(program.life([], "", visit))


if __name__ == "__main__":
    main()
