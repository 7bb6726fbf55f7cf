"""What is half typed when the program is killed is there again, in whatever field it was."""

import os
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest
from PIL import Image
from PySide6.QtWidgets import QLineEdit

from core.locations import locations
from core.workspace.presets import Presets
from gui.window.commands import Command
from gui.workspace.bulk_dialog import BulkDialog
from tests.gui.conftest import until
from tests.support.killed_program import FIELDS, TYPED, first_dialog

ROOT = Path(__file__).parents[3]


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "holiday"
    folder.mkdir()
    for number in (1, 2):
        Image.new("RGB", (40, 30), (60 * number, 80, 90)).save(folder / f"{number}.png")
        (folder / f"{number}.txt").write_text("a cat\n")
    return folder


def is_on_the_disk(home):
    """Whether some file of the program has what was typed."""
    for folder, folders, names in os.walk(home):  # It passes over folders that are gone by now.
        # Not files that are to take another one's place.
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            with suppress(OSError):  # It may be gone by now.
                if not name.startswith(".") and TYPED.encode() in Path(folder, name).read_bytes():
                    return True
    return False


def killed_while_typing(field, folder, home):
    command = [sys.executable, "-m", "tests.support.killed_program", "typing", field, str(folder)]
    environment = os.environ | {"QT_QPA_PLATFORM": "offscreen"}
    until = time.monotonic() + 120
    with subprocess.Popen(command, cwd=ROOT, env=environment) as program:
        try:
            while not is_on_the_disk(home):
                assert program.poll() is None, "it has ended"
                assert time.monotonic() < until, "what was typed is not kept"
                time.sleep(0.02)
        finally:
            program.kill()


async def caption(program, folder):
    await until(lambda: program.caption_editing.text == TYPED)
    await until(lambda: (folder / "1.txt").read_text() == f"{TYPED}\n")


async def prompt(program, folder):
    await until(lambda: program.window.prompt_box.text == TYPED)


async def tag(program, folder):
    await until(lambda: program.caption_editing.is_known)
    tags = program.window.caption_panel.tag_editor
    await until(lambda: tags.field.text() == TYPED)
    assert tags.chips.tags.tags == ("a cat",)


async def query(program, folder):
    line = program.window.workspace_pane.query_line
    await until(lambda: line.edit.text() == f'"{TYPED}')
    await until(lambda: line.error_label.text())


async def both_prompts(program, folder):
    box = program.window.prompt_box
    await until(lambda: box.text)
    written = {box.text, *program.settings.prompt_history}
    assert {TYPED, "say 2 words!"} <= written


async def prompt_of_run(program, folder):
    form = program.window.batch_panel.form
    assert form.prompt_list.prompts == (TYPED,)
    program.window.dialogs.run_chosen.emit([folder])
    await until(form.prompt_edit.isVisible)
    assert form.prompt_list.prompts == (TYPED,)


async def prefix_of_run(program, folder):
    assert program.window.batch_panel.form.more.prefix_edit.text() == TYPED
    assert program.window.batch_panel.controls.more_button.isChecked()


async def bulk(program, folder):
    await until(lambda: program.caption_editing.is_known)
    program.window.commands[Command.BULK_REPLACE].trigger()
    dialog = await first_dialog(program, BulkDialog)
    (field,) = dialog.findChildren(QLineEdit, "bulk_by_edit")
    assert field.text() == TYPED


async def note(program, folder):
    await until(lambda: program.workspace.current is not None)
    kept = await program.workspace.read(lambda one: one.note(folder / "1.png"))
    assert kept == TYPED


async def preset(program, folder):
    kept = Presets.load(locations().presets)
    assert any(TYPED in one.prompts for one in kept.all)


AGAIN = {
    "in_a_row": caption,
    "as_a_caption": caption,
    "as_a_tag": tag,
    "over_a_tag": tag,
    "as_a_query_that_is_not_whole": query,
    "as_a_prompt": prompt,
    "before_looking_at_an_earlier_prompt": both_prompts,
    "over_a_question": prompt,
    "as_the_prompt_of_a_run": prompt_of_run,
    "as_the_prefix_of_a_run": prefix_of_run,
    "to_replace_many": bulk,
    "as_a_note": note,
    "in_a_preset_without_a_name": preset,
    "as_an_alt_text": caption,
    "among_answers": caption,
}


@pytest.mark.parametrize("field", FIELDS)
def test_what_is_half_typed_outlives_the_program(live, folder, home, field):
    home.mkdir()
    killed_while_typing(field, folder, home)

    async def story(program):
        program.window.paths_opened.emit([folder])
        await AGAIN[field](program, folder)

    live(story)
