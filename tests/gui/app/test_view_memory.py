"""What was in view is there again: going away and back, and after a restart."""

import json

import pytest
from PIL import Image
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from core.locations import locations
from core.workspace import Sort, SortKey
from gui.window.commands import Command
from tests.gui.conftest import until


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "holiday"
    folder.mkdir()
    for number in range(12):
        Image.new("RGB", (400 + number, 300), (20 * number, 80, 90)).save(folder / f"{number}.png")
    return folder


async def shows(program, name):
    view = program.window.drop_zone.picture_view
    await until(lambda: program.window.state.picture.name == name)
    await until(lambda: program.window.drop_zone.has_picture and view.has_picture)


def test_zoom_and_place_of_an_image_are_there_again(live, folder):
    async def story(program):
        window, view = program.window, program.window.drop_zone.picture_view
        window.paths_opened.emit([folder])
        await shows(program, "0.png")
        await until(lambda: view.zoom is None and not view.picture_rect().isEmpty())
        await until(lambda: len(program.pictures.paths) == 12)
        await until(window.commands[Command.NEXT_PICTURE].isEnabled)
        await until(lambda: window.workspace_pane.list.currentIndex().row() == 0)
        view.setFocus()
        for _ in range(8):
            QTest.keyClick(view, Qt.Key.Key_Plus)
        seen = view.zoom
        assert seen is not None
        QTest.keyClick(window, Qt.Key.Key_PageDown)
        await shows(program, "1.png")
        assert view.zoom is None
        QTest.keyClick(window, Qt.Key.Key_PageUp)
        await shows(program, "0.png")
        assert view.zoom == pytest.approx(seen)
        await until(lambda: not view.is_fitted)
        assert view.zoom == pytest.approx(seen)

    live(story)


def test_zoom_follows_an_image_that_is_renamed_and_is_no_other_ones(live, folder):
    """The two swap their names while the program is away."""
    seen = []

    async def before(program):
        view = program.window.drop_zone.picture_view
        program.window.paths_opened.emit([folder / "0.png"])
        await shows(program, "0.png")
        await until(lambda: not view.picture_rect().isEmpty())
        for _ in range(8):
            QTest.keyClick(view, Qt.Key.Key_Plus)
        seen.append(view.zoom)

    async def after(program):
        view = program.window.drop_zone.picture_view
        for name, zoom in (("0.png", None), ("1.png", pytest.approx(seen[0]))):
            program.window.paths_opened.emit([folder / name])
            await shows(program, name)
            assert view.zoom == zoom

    live(before)
    (folder / "0.png").rename(folder / "away.png")
    (folder / "1.png").rename(folder / "0.png")
    (folder / "away.png").rename(folder / "1.png")
    live(after)


def test_prompt_that_was_not_asked_is_there_again_after_a_restart(live):
    written = "What is on the left?\nAnd 🐈 on the right"

    async def before(program):
        program.window.prompt_box.focus_prompt()
        program.window.prompt_box.prompt_edit.insertPlainText(written)
        program.window.close()

    async def killed(program):
        """What a program that is killed now would leave."""
        assert program.window.prompt_box.text == written
        QTest.keyClicks(program.window.prompt_box.prompt_edit, "?")
        file = locations().settings
        await until(lambda: f"{written}?" in json.loads(file.read_text())["prompt_draft"])
        program.window.prompt_box.prompt_edit.clear()

    async def after(program):
        assert not program.window.prompt_box.text

    for story in (before, killed, after):
        live(story)


def test_what_is_opened_while_the_program_starts_stays_open(live, folder, tmp_path):
    """Rather than the folder of the day before, which is still being looked for."""
    other = tmp_path / "other"
    other.mkdir()
    Image.new("RGB", (40, 30), "teal").save(other / "teal.png")

    async def before(program):
        program.window.paths_opened.emit([folder])
        await shows(program, "0.png")

    async def after(program):
        program.window.paths_opened.emit([other])
        await program.pictures.wait_until_opened()
        await until(lambda: program.window.state.workspace.total == 1)
        await shows(program, "teal.png")

    live(before)
    live(after)
    live(after)


def test_restart_finds_folder_image_filter_order_and_selection(live, folder):
    async def before(program):
        window, images = program.window, program.window.workspace_pane.list
        window.paths_opened.emit([folder])
        await shows(program, "0.png")
        await until(lambda: images.rows.rowCount() == 12)
        window.workspace_pane.query_line.edit.setText("name:1*")
        await until(lambda: images.rows.rowCount() == 3)
        box = window.workspace_pane.query_line.sort_box
        for _ in range(box.findData(SortKey.SIZE)):
            QTest.keyClick(box, Qt.Key.Key_Down)
        await until(lambda: program.workspace.listing.sort == Sort(SortKey.SIZE))
        box.activated.emit(box.currentIndex())  # The same once more is the other way round.
        order = Sort(SortKey.SIZE, is_descending=True)
        await until(lambda: program.workspace.listing.sort == order)
        assert window.state.workspace.sort is SortKey.SIZE
        images.setFocus()
        QTest.keyClick(images, Qt.Key.Key_A, Qt.KeyboardModifier.ControlModifier)
        window.command_actions.by_command["next_picture"].trigger()
        await until(lambda: window.state.picture.name != "0.png")
        name.append(window.state.picture.name)
        assert images.selected_count == 3

    async def after(program):
        window, images = program.window, program.window.workspace_pane.list
        await shows(program, name[0])
        await until(lambda: images.selected_count == 3)
        assert images.rows.rowCount() == 3
        assert window.workspace_pane.query_line.edit.text() == "name:1*"
        assert program.workspace.listing.sort == Sort(SortKey.SIZE, is_descending=True)

    name = []
    live(before)
    live(after)


def test_start_without_what_was_open_begins_empty(live, folder):
    async def before(program):
        program.window.paths_opened.emit([folder / "3.png"])
        await shows(program, "3.png")

    async def after(program):
        await shows(program, "3.png")
        for path in folder.iterdir():
            path.unlink()

    async def last(program):
        await until(program.window.drop_zone.empty_page.isVisible)

    live(before)
    live(after)
    live(last)


@pytest.mark.parametrize("content", ["", "[]", '{"open": 3}', '{"open": [], "zooms": {"a": 1}}'])
def test_damaged_memory_costs_nothing_else(live, home, content):
    async def story(program):
        assert program.window.drop_zone.empty_page.isVisible()

    places = locations()
    places.data.mkdir(parents=True, exist_ok=True)
    (places.data / "views.json").write_text(content)
    live(story)
