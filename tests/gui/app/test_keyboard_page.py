"""Commands get other keys in the settings, which names conflicts and keeps the keys."""

import sys

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QKeySequence
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QVBoxLayout

from core.locations import locations
from core.settings import Settings, load, save
from gui.window.command import Command
from gui.window.command_table import command_table
from gui.window.key_bindings import keys_of_menus, rows_of
from gui.window.keyboard_page import KeyboardPage
from gui.window.settings_dialog import SettingsDialog
from tests.gui.conftest import focused_widget, until

CTRL, SHIFT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier
ALT = Qt.KeyboardModifier.AltModifier
KEY = Qt.Key


@pytest.fixture
def page(qtbot):
    page = KeyboardPage(rows_of(command_table()), keys_of_menus(command_table()))
    qtbot.addWidget(page)
    page.show()
    return page


def choose(page, name):
    [item] = page.list.findItems(name, Qt.MatchFlag.MatchExactly)
    page.list.setCurrentItem(item)
    return item


def press(page, key, modifiers):
    QTest.keyClick(page.key_edit, key, modifiers)


def click(button):
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)


def test_free_keys_are_assigned(page):
    item = choose(page, "Regenerate answer")
    assert item.text(1) == "Ctrl+R"
    press(page, KEY.Key_K, CTRL)
    assert "is free" in page.note_label.text()
    click(page.assign_button)
    assert page.keys == {"regenerate": ["Ctrl+K"]}
    assert item.text(1) == "Ctrl+K"


def test_taken_keys_say_whose_they_are_and_can_be_taken_over(page):
    models = choose(page, "Models")
    item = choose(page, "Caption folder")
    press(page, KEY.Key_M, CTRL)
    assert page.note_label.text() == "Ctrl+M belongs to “Models”."
    assert page.assign_button.text() == "Use here instead"
    click(page.assign_button)
    assert page.keys == {"caption_folder": ["Ctrl+M"], "models": []}
    assert (item.text(1), models.text(1)) == ("Ctrl+M", "")
    choose(page, "Models")
    click(page.reset_button)
    assert page.keys == {"caption_folder": []}


@pytest.mark.parametrize(("key", "modifiers"), [(KEY.Key_A, SHIFT), (KEY.Key_Z, CTRL)])
def test_keys_for_typing_cannot_be_assigned(page, key, modifiers):
    choose(page, "Caption folder")
    press(page, key, modifiers)
    assert "needed for typing" in page.note_label.text()
    assert not page.assign_button.isEnabled()


@pytest.mark.skipif(sys.platform == "darwin", reason="no keys open the menus of the bar there")
def test_keys_that_open_a_menu_cannot_be_assigned(page):
    choose(page, "Regenerate answer")
    press(page, KEY.Key_F, ALT)
    assert page.note_label.text() == "Alt+F opens the menu “File”."
    assert not page.assign_button.isEnabled()
    press(page, KEY.Key_F, ALT | SHIFT)
    assert "is free" in page.note_label.text()


@pytest.mark.skipif(sys.platform == "darwin", reason="no keys open the menus of the bar there")
def test_settings_know_the_keys_of_all_menus(live):
    async def story(program):
        window = program.window
        window.commands[Command.SETTINGS].trigger()
        dialog = window.findChild(SettingsDialog)
        dialog.show_keyboard()
        page = dialog.keyboard
        choose(page, "Regenerate answer")
        opening = [action.text() for action in window.menuBar().actions()]
        assert len(opening) > 5
        for text in opening:
            page.key_edit.setKeySequence(QKeySequence.mnemonic(text))
            assert text.replace("&", "") in page.note_label.text()
            assert not page.assign_button.isEnabled()
        dialog.reject()

    live(story)


def test_esc_takes_pressed_keys_back_and_then_leaves_the_dialog(qtbot):
    dialog = QDialog()
    qtbot.addWidget(dialog)
    page = KeyboardPage(rows_of(command_table()))
    QVBoxLayout(dialog).addWidget(page)
    dialog.show()
    choose(page, "Caption folder")
    page.key_edit.setFocus()
    press(page, KEY.Key_K, CTRL)
    QTest.keyClick(page.key_edit, KEY.Key_Escape)
    assert page.key_edit.keySequence().isEmpty()
    assert dialog.isVisible()
    QTest.keyClick(page.key_edit, KEY.Key_Escape)
    assert not dialog.isVisible()
    assert page.keys == {}


def test_keys_are_removed_and_come_back(page):
    item = choose(page, "Zoom in")
    assert item.text(1) == "Ctrl++, Ctrl+="
    click(page.remove_button)
    assert (item.text(1), page.keys) == ("", {"zoom_in": []})
    click(page.reset_button)
    assert (item.text(1), page.keys) == ("Ctrl++, Ctrl+=", {})


def test_commands_are_found_by_name_and_key(page):
    QTest.keyClicks(page.find_edit, "ctrl+shift+u")
    items = [page.list.topLevelItem(row) for row in range(page.list.topLevelItemCount())]
    assert [item.text(0) for item in items if not item.isHidden()] == ["Undo run"]


def test_every_command_is_listed_once_under_a_name_of_its_own(page):
    names = [page.list.topLevelItem(row).text(0) for row in range(page.list.topLevelItemCount())]
    assert sorted(names) == sorted(set(names))


def test_names_that_this_version_does_not_know_are_kept(page):
    page.show_keys({"gone": ["Ctrl+K"]})
    choose(page, "Regenerate answer")
    press(page, KEY.Key_K, CTRL)
    click(page.assign_button)
    assert page.keys == {"gone": ["Ctrl+K"], "regenerate": ["Ctrl+K"]}


def tab_to(widget):
    for _ in range(20):
        if focused_widget() is widget:
            return
        QTest.keyClick(focused_widget(), KEY.Key_Tab)
    pytest.fail(f"Tab does not come to {widget}")


async def rebind(program, name, steps):
    """Opens the settings, chooses a command and saves what `steps` do, all by keys."""
    window = program.window
    QTest.keyClick(window, KEY.Key_Comma, CTRL)
    await until(lambda: window.findChildren(SettingsDialog))
    [dialog] = [one for one in window.findChildren(SettingsDialog) if one.isVisible()]
    dialog.show_keyboard()
    page = dialog.keyboard
    dialog.activateWindow()
    await until(page.find_edit.hasFocus)
    QTest.keyClicks(focused_widget(), name)
    tab_to(page.list)
    QTest.keyClick(focused_widget(), KEY.Key_Down)
    QTest.keyClick(focused_widget(), KEY.Key_Up)
    assert page.list.currentItem().text(0) == name
    tab_to(page.key_edit)
    steps(page)
    save = dialog.buttons.button(QDialogButtonBox.StandardButton.Save)
    tab_to(save)
    QTest.keyClick(focused_widget(), KEY.Key_Space)
    await until(lambda: not dialog.isVisible())


async def opened_by_ctrl_m(program):
    """The name of the dialog that the keys open."""
    window = program.window
    window.activateWindow()
    window.prompt_box.focus_prompt()
    await until(window.prompt_box.prompt_edit.hasFocus)
    QTest.keyClick(focused_widget(), KEY.Key_M, CTRL)

    def open_dialogs():
        return [one for one in window.findChildren(QDialog) if one.isVisible()]

    await until(open_dialogs)
    [dialog] = open_dialogs()
    dialog.reject()
    await until(lambda: not open_dialogs())
    return dialog.objectName()


def test_keys_are_taken_over_kept_over_a_restart_and_given_back_by_the_keyboard_alone(live, home):
    def take_over(page):
        QTest.keyClick(focused_widget(), KEY.Key_M, CTRL)
        assert page.note_label.text() == "Ctrl+M belongs to “Models”."
        tab_to(page.assign_button)
        QTest.keyClick(focused_widget(), KEY.Key_Space)

    def give_back(page):
        tab_to(page.reset_button)
        QTest.keyClick(focused_widget(), KEY.Key_Space)

    async def change(program):
        assert await opened_by_ctrl_m(program) == "models_dialog"
        await rebind(program, "Keyboard shortcuts", take_over)
        assert await opened_by_ctrl_m(program) == "keys_dialog"

    async def restore(program):
        assert await opened_by_ctrl_m(program) == "keys_dialog"
        assert program.window.commands[Command.MODELS].shortcut().isEmpty()
        await rebind(program, "Models", give_back)
        assert await opened_by_ctrl_m(program) == "models_dialog"
        await rebind(program, "Keyboard shortcuts", give_back)
        assert program.window.commands[Command.KEYS].shortcut().toString() == "F1"

    live(change)
    assert load(locations().folder).keys == {"keys": ["Ctrl+M"], "models": []}
    live(restore)
    assert load(locations().folder).keys == {}


def test_all_keys_can_be_restored_at_once(live, home):
    async def restore(program):
        window = program.window
        assert window.commands[Command.REGENERATE].shortcut().toString() == "Ctrl+K"
        window.commands[Command.SETTINGS].trigger()
        [dialog] = window.findChildren(SettingsDialog)
        dialog.buttons.button(QDialogButtonBox.StandardButton.RestoreDefaults).click()
        dialog.buttons.button(QDialogButtonBox.StandardButton.Save).click()
        assert window.commands[Command.REGENERATE].shortcut().toString() == "Ctrl+R"

    home.mkdir(exist_ok=True)
    save(Settings(keys={"regenerate": ["Ctrl+K"]}), home)
    live(restore)
    assert load(locations().folder).keys == {}


@pytest.mark.parametrize("wrong", ['"x"', '{"a": 3}', '{"a": [1, "Ctrl+K"]}', "null"])
def test_settings_with_odd_keys_still_open(home, wrong):
    home.mkdir()
    (home / "settings.json").write_text(f'{{"theme": "dark", "keys": {wrong}}}')
    settings = load(home)
    assert settings.theme == "dark"
    assert set(settings.keys) <= {"a"}
