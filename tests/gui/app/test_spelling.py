"""Misspelled words of captions: marked, suggested for, added to the dictionary."""

import pytest
from PIL import Image
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QContextMenuEvent, QTextCharFormat
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QComboBox, QMenu

from core.locations import writable_locations
from gui.window.commands import Command
from gui.window.settings_dialog import SettingsDialog
from tests.gui.conftest import until

LEFT = Qt.MouseButton.LeftButton
WAVE = QTextCharFormat.UnderlineStyle.WaveUnderline


@pytest.fixture
def folder(tmp_path, home):
    """Two images, and a small dictionary of one's own in place of the system's."""
    folder = tmp_path / "holiday"
    folder.mkdir()
    for number, caption in enumerate(("a yelow cat, xyzzy \N{DOG FACE} dgo", "a cat")):
        Image.new("RGB", (40, 30)).save(folder / f"{number}.png")
        (folder / f"{number}.txt").write_text(caption, encoding="utf-8")
    own = writable_locations().data / "dictionaries"
    own.mkdir(parents=True)
    (own / "en_US.aff").write_text("SET UTF-8\nTRY esianrtolcdugmphbyfvkwz\n")
    (own / "en_US.dic").write_text("4\na\ncat\ndog\nyellow\n")
    return folder


async def opened(program, folder):
    window = program.window
    window.activateWindow()
    window.paths_opened.emit([folder])
    await until(lambda: window.state.workspace.is_known)
    QTest.mouseClick(window.side_tabs.bar, LEFT, pos=window.side_tabs.bar.tabRect(0).center())
    panel = window.caption_panel
    await until(panel.editor.isVisible)
    await until(lambda: panel.spelling.words == ["yelow", "xyzzy", "dgo"])
    return window, panel


def menu_at(editor, word) -> QMenu:
    """The context menu of the editor at a word."""
    cursor = editor.document().find(word)
    cursor.setPosition(cursor.selectionStart() + 1)
    at = editor.cursorRect(cursor).center()
    editor.setFocus()
    viewport = editor.viewport()
    event = QContextMenuEvent(
        QContextMenuEvent.Reason.Mouse, QPoint(at), viewport.mapToGlobal(QPoint(at))
    )
    QApplication.sendEvent(viewport, event)
    menu = QApplication.activePopupWidget()
    assert isinstance(menu, QMenu)
    return menu


def entries(menu):
    return {action.text(): action for action in menu.actions() if action.text()}


def waves(editor):
    marks = editor.extraSelections()
    return [m.cursor.selectedText() for m in marks if m.format.underlineStyle() == WAVE]


def test_wrong_words_are_marked_corrected_and_added(live, folder):
    async def story(program):
        window, panel = await opened(program, folder)
        editor = panel.editor
        assert waves(editor) == ["yelow", "xyzzy", "dgo"]
        menu = menu_at(editor, "yelow")
        await until(lambda: "yellow" in entries(menu))
        menu.setActiveAction(entries(menu)["yellow"])
        QTest.keyClick(menu, Qt.Key.Key_Return)
        assert editor.toPlainText().startswith("a yellow cat, xyzzy")
        await until(lambda: waves(editor) == ["xyzzy", "dgo"])
        menu = menu_at(editor, "xyzzy")
        menu.setActiveAction(entries(menu)["Add to dictionary"])
        QTest.keyClick(menu, Qt.Key.Key_Return)
        await until(lambda: waves(editor) == ["dgo"])
        words = writable_locations().data / "dictionaries" / "words.txt"
        await until(words.is_file)
        assert words.read_text() == "xyzzy\n"
        menu = menu_at(editor, "cat")
        assert "Add to dictionary" not in entries(menu)
        menu.close()
        panel.mode_buttons[panel_mode(panel, "tags")].click()
        await until(panel.tag_editor.isVisible)
        tags = {
            tag: panel.tag_editor.chips.is_wrong(tag) for tag in panel.tag_editor.chips.tags.tags
        }
        assert list(tags.values()) == [False, True]
        window.commands[Command.NEXT_PICTURE].trigger()
        await until(lambda: editor.toPlainText() == "a cat")
        await until(lambda: waves(editor) == [])

    live(story)


def panel_mode(panel, value):
    return next(mode for mode in panel.mode_buttons if mode.value == value)


def test_spelling_is_turned_off_in_the_settings(live, folder):
    async def story(program):
        window, panel = await opened(program, folder)
        window.commands[Command.SETTINGS].trigger()
        dialog = window.findChild(SettingsDialog)
        control = dialog.control("spelling")
        assert isinstance(control, QComboBox)
        assert control.findData("en_US") > 0
        control.setCurrentIndex(control.findData("off"))
        dialog.buttons.button(dialog.buttons.StandardButton.Save).click()
        await until(lambda: waves(panel.editor) == [])
        assert program.settings.spelling == "off"

    live(story)
