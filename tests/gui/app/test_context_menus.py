"""Context menus of images and thumbnails, by the right button and the menu key, on real files."""

from typing import Any

import pytest
from PIL import Image
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QContextMenuEvent, QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QApplication,
    QDialog,
    QFileDialog,
    QLineEdit,
    QMenu,
    QSpinBox,
    QTabWidget,
    QWidget,
)

from core.picture import open_picture
from gui.window.commands import Command
from tests.gui.conftest import until

MOUSE, KEYBOARD = QContextMenuEvent.Reason.Mouse, QContextMenuEvent.Reason.Keyboard


@pytest.fixture
def three(live, tmp_path):
    """Run a story in a program with three images open."""
    folder = tmp_path / "holiday"
    folder.mkdir()
    for number, colour in enumerate(("red", "green", "blue")):
        Image.new("RGB", (40, 30), colour).save(folder / f"{number}.png")

    def three(story):
        async def whole(program):
            await program.pictures.open_paths([folder])
            await until(lambda: program.window.drop_zone.picture_view.has_picture)
            images = program.window.workspace_pane.list
            await until(lambda: images.model().rowCount() == 3 and images.currentIndex().row() == 0)
            await story(program, program.window)

        live(whole)

    return three


def menu_at(widget, at, reason, name) -> QMenu:
    QApplication.sendEvent(widget, QContextMenuEvent(reason, at, widget.mapToGlobal(at)))
    menus = [w for w in QApplication.topLevelWidgets() if w.objectName() == name and w.isVisible()]
    [menu] = menus
    assert isinstance(menu, QMenu)
    return menu


def choose(menu, text):
    [action] = [one for one in menu.actions() if one.text().replace("&", "") == text]
    assert action.isEnabled()
    action.trigger()
    menu.close()


@pytest.mark.parametrize("reason", [MOUSE, KEYBOARD])
def test_image_has_a_menu(three, reason):
    async def story(program, window):
        view = window.drop_zone.picture_view
        menu = menu_at(view, QPoint(20, 20), reason, "image_menu")
        texts = [action.text().replace("&", "") for action in menu.actions()]
        wanted = ("Save image as…", "Show in folder", "Close image", "Copy image", "Zoom in")
        assert set(wanted) <= set(texts)
        clipboard = QGuiApplication.clipboard()
        clipboard.setText("")
        choose(menu, "Copy image")
        await until(lambda: not clipboard.image().isNull())
        assert clipboard.image().size().toTuple() == (40, 30)

    three(story)


@pytest.mark.parametrize("name", ["copy.png", "copy.jpg"])
def test_image_is_saved_as_it_is_or_in_another_format(three, tmp_path, name):
    async def story(program, window):
        window.commands[Command.SAVE_PICTURE].trigger()
        dialog = next(one for one in window.findChildren(QFileDialog) if one.isVisible())
        dialog.fileSelected.emit(str(tmp_path / name))
        dialog.close()
        await until((tmp_path / name).exists)
        path = program.session.picture.path
        assert open_picture(tmp_path / name).pixels.size == (40, 30)
        is_same = (tmp_path / name).read_bytes() == path.read_bytes()
        assert is_same == name.endswith("png")

    three(story)


def test_image_that_cannot_be_saved_says_why(three, tmp_path):
    async def story(program, window):
        window.dialogs.picture_path_chosen.emit(tmp_path / "copy.xyz")
        await until(window.notice_bar.isVisible)
        await until(lambda: "copy.xyz" in window.notice_bar.text_label.text().replace("\u200b", ""))

    three(story)


def test_images_are_closed_one_after_the_other_until_none_is_left(three):
    async def story(program, window):
        close = window.commands[Command.CLOSE_PICTURE]
        for name in ("1.png", "2.png"):
            close.trigger()
            await until(lambda name=name: window.windowTitle() == f"{name} — Onlooker")
        close.trigger()
        await until(lambda: window.windowTitle() == "Onlooker")
        assert window.drop_zone.empty_page.isVisible()
        assert not close.isEnabled()
        assert program.session.picture is None
        assert not window.prompt_box.ask_button.isEnabled()

    three(story)


@pytest.mark.parametrize("reason", [MOUSE, KEYBOARD])
def test_images_in_the_list_have_a_menu(three, reason):
    async def story(program, window):
        images = window.workspace_pane.list
        at = images.visualRect(images.model().index(2, 0)).center()
        menu = menu_at(images.viewport() if reason is MOUSE else images, at, reason, "list_menu")
        choose(menu, "Close image")
        left = 2 if reason is MOUSE else 0
        await until(lambda: images.model().rowCount() == 2)
        assert [path.stem for path in program.pictures.paths] == [
            str(number) for number in range(3) if number != left
        ]
        await until(lambda: program.session.picture.path == program.pictures.paths[0])

    three(story)


@pytest.mark.parametrize("reason", [MOUSE, KEYBOARD])
def test_thumbnails_of_the_strip_have_a_menu(three, reason):
    async def story(program, window):
        window.commands[Command.IMAGE_LIST].trigger()
        strip = window.drop_zone.picture_strip
        assert strip.isVisible()
        at = strip.visualRect(strip.model().index(2, 0)).center()
        menu = menu_at(strip.viewport() if reason is MOUSE else strip, at, reason, "thumbnail_menu")
        choose(menu, "Close image")
        left = 2 if reason is MOUSE else 0
        await until(lambda: strip.count == 2)
        assert [path.stem for path in program.pictures.paths] == [
            str(number) for number in range(3) if number != left
        ]
        await until(lambda: program.session.picture.path == program.pictures.paths[0])

    three(story)


def test_image_that_is_pasted_has_no_folder(live, tmp_path):
    async def story(program):
        Image.new("RGB", (9, 9), "red").save(tmp_path / "x.png")
        await program.pictures.open_image_data((tmp_path / "x.png").read_bytes(), "pasted.png")
        reveal = program.window.commands[Command.REVEAL_PICTURE]
        assert not reveal.isEnabled()
        assert reveal.toolTip() == "This image has no file"

    live(story)


def test_no_tool_tip_of_a_command_shows_a_mnemonic_or_repeats_the_command(live):
    async def story(program):
        for action in program.window.commands.values():
            assert "&" not in action.toolTip().replace("&&", "")
            assert action.toolTip() != action.text().replace("&", "")

    live(story)


# Text fields


def field_in_settings(window, kind, name="") -> QWidget:
    """A field of the settings dialog, on whichever of its pages."""
    window.commands[Command.SETTINGS].trigger()
    dialog = next(one for one in window.findChildren(QDialog) if one.isVisible())
    tabs = dialog.findChild(QTabWidget)
    for number in range(tabs.count()):
        tabs.setCurrentIndex(number)
        for field in dialog.findChildren(kind):
            if field.isVisible() and field.isEnabled() and name in field.objectName():
                return field
    raise AssertionError("there is none")


@pytest.mark.parametrize("where", ["prompt", "dialog", "number"])
def test_text_fields_have_the_edit_menu(three, where):
    async def story(program, window):
        field: Any = window.prompt_box.prompt_edit
        if where == "dialog":
            field = field_in_settings(window, QLineEdit, "find_command_edit")
        elif where == "number":
            field = field_in_settings(window, QSpinBox)
        field.setFocus()
        await until(field.hasFocus)
        for reason in (MOUSE, KEYBOARD):
            check_edit_menu(field, where, reason)

    three(story)


def check_edit_menu(field, where, reason):
    text: Any = field.lineEdit() if where == "number" else field
    text.selectAll()
    QTest.keyClicks(field, "12")
    text.selectAll()
    widget = field.viewport() if where == "prompt" and reason is MOUSE else text
    menu = menu_at(widget, QPoint(3, 3), reason, "text_menu")
    texts = [action.text().replace("&", "") for action in menu.actions()]
    assert texts == ["Undo", "Redo", "", "Cut", "Copy", "Paste", "Select all"]
    choose(menu, "Cut")
    assert QGuiApplication.clipboard().text().startswith("12")
    if where == "number":
        return  # A number is not undone.
    menu = menu_at(widget, QPoint(3, 3), reason, "text_menu")
    choose(menu, "Undo")
    now = field.toPlainText() if where == "prompt" else text.text()
    assert now.startswith("12")


def test_every_entry_of_a_context_menu_is_in_the_table_of_commands(three):
    async def story(program, window):
        QTest.keyClicks(window.prompt_box.prompt_edit, "say 3 words")
        QTest.keyClick(window.prompt_box.prompt_edit, Qt.Key.Key_Return)
        await until(lambda: program.session.transcript.exchanges)
        window.commands[Command.WORDS].trigger()
        await until(lambda: window.evidence_view.has_chosen)
        view = window.transcript_view.exchange_views[0]
        window.prompt_box.focus_prompt()
        strip = window.drop_zone.picture_strip
        window.commands[Command.IMAGE_LIST].trigger()
        assert strip.isVisible()
        menus = [
            menu_at(window.drop_zone.picture_view, QPoint(9, 9), MOUSE, "image_menu"),
            menu_at(strip, QPoint(9, 9), KEYBOARD, "thumbnail_menu"),
            menu_at(window.prompt_box.prompt_edit, QPoint(9, 9), MOUSE, "text_menu"),
            window.context_menus.menu_of(view),
            window.context_menus.menu_of(view, 1),
        ]
        for menu in menus:
            actions = [action for action in menu.actions() if not action.isSeparator()]
            assert actions
            assert {action.objectName() for action in actions} <= set(map(str, Command))
            menu.close()

    three(story)
