"""What can be done with one row of a folder run, by its menu, the menu bar and keys."""

import pytest
from PIL import Image
from PySide6.QtCore import Qt
from PySide6.QtGui import QContextMenuEvent, QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QMenu

from core.batch import ItemState
from gui.batch.cells import CaptionEdit
from gui.batch.rows import Column
from gui.window.commands import Command
from tests.gui.batch.folder_page import over, shown, texts
from tests.gui.conftest import until

MOUSE, KEYBOARD = QContextMenuEvent.Reason.Mouse, QContextMenuEvent.Reason.Keyboard


def choose_row(panel, row):
    panel.list.setCurrentIndex(panel.model.index(row, Column.CAPTION))


def open_menu(panel, row, reason=MOUSE) -> QMenu:
    at = panel.list.visualRect(panel.model.index(row, Column.CAPTION)).center()
    if reason is KEYBOARD:
        choose_row(panel, row)
    widget = panel.list.viewport() if reason is MOUSE else panel.list
    QApplication.sendEvent(widget, QContextMenuEvent(reason, at, widget.mapToGlobal(at)))
    menus = [w for w in QApplication.topLevelWidgets() if w.objectName() == "row_menu"]
    [menu] = [one for one in menus if one.isVisible()]
    assert isinstance(menu, QMenu)
    return menu


def entry(menu, command):
    return next(one for one in menu.actions() if one.objectName() == command.value)


@pytest.mark.parametrize("reason", [MOUSE, KEYBOARD])
def test_menu_is_about_the_row_that_is_clicked(live, folder, reason):
    async def story(program, panel):
        await over(program, panel, folder)
        menu = open_menu(panel, 2, reason)
        keys = {
            action.text().replace("&", ""): action.shortcut().toString()
            for action in menu.actions()
        }
        assert keys == {
            "Show image": "Return",
            "Edit caption": "F2",
            "Caption again": "Ctrl+R",
            "Copy caption": "Ctrl+C",
            "Show in folder": "Ctrl+Shift+F",
            "Most doubtful first": "",
        }
        assert not entry(menu, Command.ROW_SORT).isEnabled()  # None are known.
        entry(menu, Command.ROW_COPY).trigger()
        assert QGuiApplication.clipboard().text() == "word0 word1"
        entry(menu, Command.ROW_EDIT).trigger()
        menu.close()
        editor = panel.list.findChild(CaptionEdit)
        editor.setPlainText("Edited")
        QTest.keyClick(editor, Qt.Key.Key_Return)
        await until(lambda: texts(folder)["3.txt"] == "Edited\n")

    live(story)


def test_keys_of_a_row_mean_the_text_while_a_caption_is_edited(live, folder):
    async def story(program, panel):
        await over(program, panel, folder)
        choose_row(panel, 0)
        QTest.keyClick(panel.list, Qt.Key.Key_F2)
        editor = panel.list.findChild(CaptionEdit)
        editor.selectAll()
        editor.cut()
        QTest.keyClicks(editor, "x")
        editor.selectAll()
        QTest.keyClick(editor, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
        assert QGuiApplication.clipboard().text() == "x"
        QTest.keyClick(editor, Qt.Key.Key_Return)
        await until(lambda: texts(folder)["1.txt"] == "x\n")
        assert not program.window.state.is_conversation

    live(story)


def test_caption_again_writes_another_caption_that_can_be_undone(live, folder):
    async def story(program, panel):
        await over(program, panel, folder, "new every 4")
        before = texts(folder)
        choose_row(panel, 1)
        QTest.keyClick(panel.list, Qt.Key.Key_R, Qt.KeyboardModifier.ControlModifier)
        await until(lambda: texts(folder)["2.txt"] != before["2.txt"])
        await until(lambda: not program.folder_run.again.is_running)
        # It is the model's, not a person's.
        assert shown(panel)[1] == ("2.png", "Done", "Answer 1.")
        assert program.folder_run.items.edited == 0
        await until(lambda: program.window.commands[Command.UNDO].isEnabled())
        program.window.commands[Command.UNDO].trigger()
        await until(lambda: texts(folder) == before)
        await until(lambda: program.window.commands[Command.REDO].isEnabled())
        program.window.commands[Command.REDO].trigger()
        await until(lambda: texts(folder)["2.txt"] == "Answer 1.\n")
        await until(lambda: shown(panel)[1] == ("2.png", "Done", "Answer 1."))

    live(story)


def test_caption_again_that_is_stopped_leaves_the_caption(live, tmp_path):
    one = tmp_path / "one"
    one.mkdir()
    Image.new("RGB", (40, 30), "red").save(one / "1.png")

    async def story(program, panel):
        await over(program, panel, one, "then hold")
        choose_row(panel, 0)
        command = program.window.commands[Command.ROW_CAPTION]
        command.trigger()
        await until(lambda: shown(panel)[0][2].startswith("Half an"))
        assert command.text().replace("&", "") == "Stop captioning"
        command.trigger()
        await until(lambda: shown(panel)[0] == ("1.png", "Done", "First."))
        assert texts(one) == {"1.txt": "First.\n"}
        await until(lambda: command.text().replace("&", "") == "Caption again")

    live(story)


def test_caption_that_stays_the_same_is_said(live, folder):
    async def story(program, panel):
        await over(program, panel, folder)
        choose_row(panel, 0)
        program.window.commands[Command.ROW_CAPTION].trigger()
        await until(panel.notice_bar.isVisible)
        said = "The model has no other caption for this image."
        assert panel.notice_bar.text_label.text() == said
        assert program.folder_run.items[0].state is ItemState.DONE

    live(story)


def test_row_without_a_model_says_what_is_missing(live, folder):
    async def story(program, panel):
        await over(program, panel, folder)
        choose_row(panel, 0)
        program.window.commands[Command.UNLOAD].trigger()
        command = program.window.commands[Command.ROW_CAPTION]
        await until(lambda: not command.isEnabled())
        assert command.toolTip() == "Load a model first"

    live(story)
