"""What a person does with the page of a folder run, and what they see there."""

import re
from contextlib import suppress

from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from core.batch import Phase
from gui.batch.run_controls import RunAction
from tests.gui.conftest import until


def click(button):
    assert button.isVisible()
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)


async def chosen(program, panel, *paths):
    program.window.dialogs.run_chosen.emit(list(paths))
    await until(
        lambda: (
            panel.controls.buttons[RunAction.START].isVisible()
            and panel.controls.buttons[RunAction.START].isEnabled()
        )
    )


async def begun(program, panel, folder, prompt="say 2 words", slots=1):
    """With several slots the pictures come in the order in which they are open."""
    await chosen(program, panel, folder)
    panel.form.prompt_edit.setPlainText(prompt)
    panel.form.more.slots_box.setValue(slots)
    click(panel.controls.buttons[RunAction.START])


def phase(program):
    return program.folder_run.phase


def counted(panel):
    """The headline of the summary without how long the run took, which it says from a second on."""
    return re.sub(r" after [^:,]*(?=:)", "", panel.summary_box.headline_label.text())


def is_said(panel, words):
    return any(words in caption for _, _, caption in shown(panel))


def shown(panel):
    """Name, state and caption of each row."""
    model = panel.model
    return [
        tuple(model.index(row, column).data() for column in range(3))
        for row in range(model.rowCount())
    ]


def texts(folder):
    found = {}
    for path in sorted(folder.glob("*.txt")):
        with suppress(FileNotFoundError):  # It was removed since.
            found[path.name] = path.read_text()
    return found


async def over(program, panel, folder, prompt="say 2 words"):
    await begun(program, panel, folder, prompt)
    await until(lambda: phase(program) is Phase.OVER)
