"""Visits the menus of the window, its context menus, the lists that boxes open, and suggestions."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QContextMenuEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QApplication,
    QComboBox,
    QMenu,
    QToolButton,
    QWidget,
)

from core.engine import Ready
from core.workspace import SortKey
from gui.app.program import Program
from gui.window.commands import Command
from gui.workspace.compare_dialog import CompareDialog
from gui.workspace.export_dialog import ExportDialog
from gui.workspace.presets_dialog import PresetsDialog
from tests.gui.conftest import until
from tests.support.screens import LONG_NAME, Screen, answered
from tests.support.workspace_screens import do, make_captions, open_folder, opened, shown

KEY, LEFT, SHIFT = Qt.Key, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.ShiftModifier
MOUSE, KEYBOARD = QContextMenuEvent.Reason.Mouse, QContextMenuEvent.Reason.Keyboard


async def menu_screens(program: Program, folder: Path) -> AsyncIterator[Screen]:
    """Yields each menu and each list that opens; `folder` takes the files that are needed."""
    await until(lambda: isinstance(program.model.state, Ready))
    pictures = folder / "pictures"
    make_captions(pictures)
    await open_folder(program, pictures)
    walks = _keep_preset, _about_images, _about_captions, _about_answers, _about_runs, _lists
    for walk in (*walks, _menu_bar):
        async for screen in walk(program):
            yield screen


async def _keep_preset(program: Program) -> AsyncIterator[Screen]:
    """A preset with a long name, which menus show."""
    window = program.window
    window.prompt_box.prompt_save_asked.emit("Which colour is it?")
    dialog = await shown(PresetsDialog)
    dialog.form.name_edit.setText(LONG_NAME)
    yield Screen("presets with a long name", dialog)
    dialog.accept()


async def _about_images(program: Program) -> AsyncIterator[Screen]:
    window = program.window
    pane = window.workspace_pane
    if window.state.workspace.has_room:
        pane.query_line.filter_button.click()
        async for screen in _open_menu("filters"):
            yield screen
        window.activateWindow()
        pane.query_line.edit.setFocus()
        QTest.keyClicks(pane.query_line.edit, "ta")
        await until(pane.query_line.suggestions.isVisible)
        yield Screen("suggestions for a query", window)
        QTest.keyClick(pane.query_line.edit, KEY.Key_Escape)
        pane.query_line.search_for("")
        for box in (pane.query_line.sort_box, pane.statistics.kind_box):
            async for screen in _list_of(box):
                yield screen
        pane.query_line.sort_chosen.emit(SortKey.NAME)
        images = pane.list
        at = images.visualRect(images.model().index(2, 0)).center()
        _ask_menu(images.viewport(), at)
        async for screen in _open_menu("images"):
            yield screen
    view = window.drop_zone.picture_view
    _ask_menu(view, view.rect().center())
    async for screen in _open_menu("image"):
        yield screen


async def _about_captions(program: Program) -> AsyncIterator[Screen]:
    window, panel = program.window, program.window.caption_panel
    await do(window, Command.EDIT_CAPTION)
    await until(lambda: window.state.workspace.has_tags and panel.isVisible())
    tags = panel.tag_editor
    panel.source_button.click()
    async for screen in _open_menu("where captions are"):
        yield screen
    if tags.isVisible() and tags.vocabulary_button.isVisible():
        tags.vocabulary_button.click()
        async for screen in _open_menu("vocabulary"):
            yield screen
        chips = tags.chips
        _ask_menu(chips.viewport(), chips.visualRect(chips.model().index(0, 0)).center())
        async for screen in _open_menu("tag"):
            yield screen
    next(iter(panel.mode_buttons.values())).click()
    await until(lambda: not window.state.workspace.has_tags and panel.spelling.words == ["cirle"])
    window.activateWindow()
    panel.focus_editor()
    cursor = panel.editor.textCursor()
    cursor.setPosition(len("red ci"))
    panel.editor.setTextCursor(cursor)
    _ask_menu(panel.editor, panel.editor.cursorRect().center(), KEYBOARD)
    async for screen in _open_menu("misspelt word"):
        yield screen
    list(panel.mode_buttons.values())[-1].click()
    await until(lambda: window.state.workspace.has_tags)


async def _about_answers(program: Program) -> AsyncIterator[Screen]:
    window = program.window
    # The name of the image stands in the menu of earlier conversations.
    await program.pictures.open_path(program.workspace.roots[0] / LONG_NAME)
    await until(lambda: program.session.picture and program.session.picture.name == LONG_NAME)
    window.show_conversation()
    edit = window.prompt_box.prompt_edit
    window.prompt_box.focus_prompt()
    QTest.keyClicks(edit, "say 12 words")
    QTest.keyClick(edit, KEY.Key_Return)
    await answered(program, 1)
    view = window.transcript_view.exchange_views[-1]
    text = view.answer_text
    _ask_menu(text.viewport(), text.rect().center())
    async for screen in _open_menu("answer or word"):
        yield screen
    _ask_menu(window.transcript_view, QPoint(2, 2))
    async for screen in _open_menu("conversation"):
        yield screen
    window.prompt_box.focus_prompt()
    _ask_menu(edit, edit.cursorRect().center(), KEYBOARD)
    async for screen in _open_menu("prompt"):
        yield screen
    async for screen in _menu_below(window.prompt_box.presets_button):
        yield screen
    window.activateWindow()
    window.prompt_box.focus_prompt()
    await until(edit.hasFocus)
    QTest.keyClicks(edit, "{")
    await until(lambda: _shown_list("word_popup_list"))
    yield Screen("variables of a prompt", _shown_list("word_popup_list")[0])
    QTest.keyClick(edit, KEY.Key_Escape)
    edit.clear()


async def _about_runs(program: Program) -> AsyncIterator[Screen]:
    window, panel = program.window, program.window.batch_panel
    await do(window, Command.GENERATE)
    await until(lambda: panel.isVisible() and panel.model.items)
    async for screen in _menu_below(panel.controls.presets_button):
        yield screen
    async for screen in _list_of(panel.form.existing_box):
        yield screen
    panel.controls.more_button.click()
    panel.form.more.then_row.add_button.click()
    async for screen in _open_menu("further models and presets"):
        yield screen
    panel.controls.more_button.click()
    panel.head.rows_button.click()
    await until(lambda: panel.list.isVisible() and panel.list.model().rowCount())
    _ask_menu(panel.list.viewport(), panel.list.visualRect(panel.list.model().index(0, 0)).center())
    async for screen in _open_menu("row"):
        yield screen
    panel.head.rows_button.click()
    panel.head.close_button.click()


async def _lists(program: Program) -> AsyncIterator[Screen]:
    """The lists of boxes in dialogs."""
    compare = await opened(program, Command.COMPARE_ANSWERS, CompareDialog)
    await until(lambda: compare.name_label.text())
    async for screen in _list_of(compare.columns[0].box):
        yield screen
    compare.reject()
    export = await opened(program, Command.EXPORT_CAPTIONS, ExportDialog)
    for box in (export.form.format_box, export.form.scope_box):
        async for screen in _list_of(box):
            yield screen
    export.reject()


async def _menu_bar(program: Program) -> AsyncIterator[Screen]:
    bar = program.window.menuBar()
    for action in bar.actions():
        menu = action.menu()
        assert isinstance(menu, QMenu)
        async for screen in _with_submenus(menu, action.text(), bar.mapToGlobal(QPoint(0, 20))):
            yield screen


async def _with_submenus(menu: QMenu, name: str, at: QPoint) -> AsyncIterator[Screen]:
    menu.popup(at)
    async for screen in _open_menu(name):
        yield screen
    for action in menu.actions():
        if isinstance(submenu := action.menu(), QMenu):
            submenu.popup(at)
            async for screen in _open_menu(f"{name}, {action.text()}"):
                yield screen


# Inside


def _shown_list(name: str) -> list[QWidget]:
    tops = QApplication.topLevelWidgets()
    return [top for top in tops if top.objectName() == name and top.isVisible()]


def _ask_menu(widget: QWidget, at: QPoint, reason: QContextMenuEvent.Reason = MOUSE) -> None:
    QApplication.sendEvent(widget, QContextMenuEvent(reason, at, widget.mapToGlobal(at)))


async def _open_menu(name: str) -> AsyncIterator[Screen]:
    """The menu that was just opened; it is closed afterwards."""
    await until(lambda: isinstance(QApplication.activePopupWidget(), QMenu))
    menu = QApplication.activePopupWidget()
    assert isinstance(menu, QMenu)
    yield Screen(f"menu of {name}", menu)
    menu.close()


async def _menu_below(button: QAbstractButton) -> AsyncIterator[Screen]:
    assert isinstance(button, QToolButton)
    button.menu().popup(button.mapToGlobal(button.rect().bottomLeft()))
    async for screen in _open_menu(button.text()):
        yield screen


async def _list_of(box: QComboBox) -> AsyncIterator[Screen]:
    box.showPopup()
    view: QAbstractItemView = box.view()
    await until(view.isVisible)
    yield Screen(f"choices of {box.accessibleName()}", view.window())
    box.hidePopup()
