"""Dialogs are closed while the program works for them: nothing is done to one that is gone."""

import asyncio
import os

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QDialog

from core.workspace.export import ExportFormat
from gui.models.dialog import ModelsDialog
from gui.window.commands import Command
from gui.workspace.duplicates_dialog import DuplicatesDialog
from gui.workspace.export_dialog import ExportDialog
from tests.gui.app.test_captions import folder, opened, unwritable  # noqa: F401 (fixture)
from tests.gui.conftest import until

# Turns of the event loop until a dialog is closed again.
MOMENTS = (0, 1, 2, 3, 5, 8, 13, 30)
COMMANDS = (
    *(Command.ALT_TEXT, Command.ABOUT, Command.BULK_EDIT, Command.CAPTION_AGAIN),
    *(Command.COMPARE_ANSWERS, Command.ENGINES, Command.EXPORT_CAPTIONS, Command.FIND_DUPLICATES),
    *(Command.IMPORT_CAPTIONS, Command.KEYS, Command.MODELS, Command.NOTES, Command.PRESETS),
    *(Command.SETTINGS, Command.TRASH_IMAGES),
)


def dialogs() -> list[QDialog]:
    tops = QApplication.topLevelWidgets()
    return [top for top in tops if isinstance(top, QDialog) and top.isVisible()]


def shown(kind):
    return next((one for one in dialogs() if isinstance(one, kind)), None)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.value)
def test_dialog_may_be_closed_at_any_moment(live, folder, command):  # noqa: F811
    """The fixture fails for an exception in any coroutine that goes on after it."""

    async def story(program):
        window, images, _ = await opened(program, folder)
        images.setFocus()
        for turns in MOMENTS:
            await until(window.commands[command].isEnabled)
            window.commands[command].trigger()
            for _ in range(turns):
                await asyncio.sleep(0)
            for dialog in dialogs():
                dialog.close()
            window.activateWindow()
            images.setFocus()
        # What had been asked for last comes a moment later.
        await program.workspace.read(lambda workspace: workspace.ids())
        assert window.isVisible()

    live(story)


def test_keys_in_quick_succession_open_one_dialog(live, folder):  # noqa: F811
    """All are pressed before the first dialog is there, which some wait for a while to open."""

    async def story(program):
        window, images, _ = await opened(program, folder)
        keyed = [one for one in COMMANDS if not window.commands[one].shortcut().isEmpty()]
        assert Command.ALT_TEXT in keyed
        for command in keyed:
            window.activateWindow()
            images.setFocus()
            await until(lambda: window.isActiveWindow() and images.hasFocus())
            await until(window.commands[command].isEnabled)
            pressed = window.commands[command].shortcut()[0]
            for _ in range(3):
                QTest.keyClick(images, pressed.key(), pressed.keyboardModifiers())
            await until(dialogs)
            # Reads are answered in the order in which they were asked for.
            await program.workspace.read(lambda workspace: workspace.ids())
            await asyncio.sleep(0)
            names = [dialog.objectName() for dialog in dialogs()]
            assert len(names) == 1, (command, names)
            for dialog in dialogs():
                dialog.close()
            await until(lambda: not dialogs())

    live(story)


@pytest.mark.skipif(os.name == "nt", reason="links need a right there")
def test_window_that_is_closed_twice_asks_once_about_what_is_not_saved(live, folder):  # noqa: F811
    unwritable(folder, 0)

    async def story(program):
        window, _, editor = await opened(program, folder, "")
        editor.setFocus()
        QTest.keyClicks(editor, "a cow")
        window.close()
        window.close()
        await until(dialogs)
        await program.workspace.read(lambda workspace: workspace.ids())
        await asyncio.sleep(0)
        [dialog] = dialogs()
        dialog.close()

    live(story)


@pytest.mark.parametrize(
    ("command", "kind"),
    [
        (Command.MODELS, ModelsDialog),
        (Command.EXPORT_CAPTIONS, ExportDialog),
        (Command.FIND_DUPLICATES, DuplicatesDialog),
    ],
)
def test_dialog_that_is_opened_again_at_once_is_a_new_one(
    live,
    folder,  # noqa: F811
    tmp_path,
    command,
    kind,
):
    """The first one is not deleted yet then, and says so only later."""

    async def story(program):
        window, _, _ = await opened(program, folder)
        window.commands[command].trigger()
        await until(lambda: shown(kind))
        first = shown(kind)
        assert first is not None
        first.reject()
        window.commands[command].trigger()
        second = shown(kind)
        assert second is not None
        for _ in range(20):
            await asyncio.sleep(0.001)
        assert shown(kind) is second
        await outcome(second, tmp_path / "out.csv")
        second.close()

    live(story)


async def outcome(dialog, output):
    """What the program does reaches this dialog."""
    if isinstance(dialog, ExportDialog):
        box = dialog.form.format_box
        box.setCurrentIndex(box.findData(ExportFormat.CSV))
        dialog.form.output_edit.setText(str(output))
        QTest.keyClick(dialog, Qt.Key.Key_Return)
        await until(dialog.reveal_button.isVisible)
    elif isinstance(dialog, DuplicatesDialog):
        await until(lambda: not dialog.bar.isVisible())
        dialog.kind_box.setCurrentIndex(1)
        await until(lambda: "equal" in dialog.what_label.text())
    else:
        await until(lambda: dialog.model.count)
