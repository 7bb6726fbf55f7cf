"""The images of a folder beside the one in view, in the whole program."""

import pytest
from PIL import Image
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from gui.window.commands import Command
from tests.gui.conftest import focused_widget, until

KEY, LEFT = Qt.Key, Qt.MouseButton.LeftButton
CTRL, SHIFT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "holiday"
    folder.mkdir()
    for number in range(12):
        Image.new("RGB", (40 + number, 30), (20 * number, 80, 90)).save(folder / f"{number}.png")
    return folder


async def opened(program, folder):
    window = program.window
    window.paths_opened.emit([folder])
    await until(lambda: window.workspace_pane.isVisible() and window.drop_zone.has_picture)
    images = window.workspace_pane.list
    await until(lambda: images.rows.rowCount() == 12 and images.currentIndex().isValid())
    return window, images


def at(images, row):
    images.scrollTo(images.rows.index(row, 0))
    return images.visualRect(images.rows.index(row, 0)).center()


def name_of_current(images):
    row = images.rows.image(images.currentIndex()) if images.currentIndex().isValid() else None
    return row.path.name if row else ""


async def shows(program, name):
    await until(lambda: program.window.state.picture.name == name)
    images = program.window.workspace_pane.list
    await until(lambda: name_of_current(images) == name)


def test_current_image_leads_and_follows(live, folder):
    async def story(program):
        window, images = await opened(program, folder)
        assert not window.drop_zone.picture_strip.isVisible()
        await shows(program, "0.png")
        QTest.mouseClick(images.viewport(), LEFT, pos=at(images, 3))
        await shows(program, "3.png")
        images.setFocus()
        QTest.keyClick(focused_widget(), KEY.Key_Right)
        await shows(program, "4.png")
        QTest.keyClick(focused_widget(), KEY.Key_End)
        await shows(program, "11.png")
        # From anywhere, also while one writes.
        window.prompt_box.focus_prompt()
        QTest.keyClick(window.prompt_box.prompt_edit, KEY.Key_PageUp)
        await shows(program, "10.png")
        QTest.keyClick(window.prompt_box.prompt_edit, KEY.Key_PageDown)
        await shows(program, "11.png")

    live(story)


def test_next_image_of_a_kind_follows_the_one_that_was_just_gone_to(live, folder):
    for number in {*range(12)} - {2, 9}:
        (folder / f"{number}.txt").write_text("a caption\n")

    async def story(program):
        window, images = await opened(program, folder)
        await shows(program, "0.png")
        await until(lambda: window.state.workspace.is_known)
        await until(lambda: program.workspace.counts.with_caption == 10)
        QTest.mouseClick(images.viewport(), LEFT, pos=at(images, 5))
        window.commands[Command.NEXT_UNCAPTIONED].trigger()
        await shows(program, "9.png")

    live(story)


def test_typing_in_the_list_lands_in_the_prompt(live, folder):
    async def story(program):
        window, images = await opened(program, folder)
        images.setFocus()
        for character in "What?":
            QTest.keyClicks(focused_widget(), character)
        assert window.prompt_box.text == "What?"

    live(story)


def test_single_key_that_can_do_nothing_now_is_no_text(live, folder):
    async def story(program):
        window, images = await opened(program, folder)
        images.setFocus()
        # There is no edit to repeat, and no ninth preset.
        QTest.keyClicks(images, ".9")
        assert (window.prompt_box.text, focused_widget()) == ("", images)
        window.workspace_pane.query_line.search_for("name:nothing")
        await until(lambda: images.rows.rowCount() == 0 and window.state.workspace.listed == 0)
        images.setFocus()
        keys = [key for row in window.command_actions.rows.values() for key in row.keys]
        singles = [key for key in keys if len(key) == 1]
        assert {"A", "R", "N", "U", "C", "D", ".", "1", "9"} <= set(singles)
        for key in singles:
            QTest.keyClicks(images, key.lower())
        assert (window.prompt_box.text, focused_widget()) == ("", images)
        QTest.keyClicks(images, "w")
        assert window.prompt_box.text == "w"

    live(story)


def test_one_image_has_no_list(live, folder):
    async def story(program):
        window = program.window
        window.paths_opened.emit([folder / "3.png"])
        await until(lambda: window.drop_zone.has_picture)
        assert not window.workspace_page.pane.isVisible()
        assert not window.workspace_page.fold_bar.isVisible()
        assert not window.commands[Command.IMAGE_LIST].isEnabled()

    live(story)


def test_list_is_folded_away_and_stays_so(live, folder):
    async def story(program):
        window, _images = await opened(program, folder)
        QTest.mouseClick(window.workspace_pane.fold_button, LEFT)
        assert not window.workspace_pane.isVisible()
        assert window.drop_zone.picture_strip.isVisible()
        assert not window.commands[Command.IMAGE_LIST].isChecked()
        QTest.keyClick(window, KEY.Key_PageDown)
        await shows(program, "1.png")
        window.paths_opened.emit([folder / "3.png", folder / "4.png"])
        await shows(program, "3.png")
        assert not window.workspace_pane.isVisible()
        QTest.mouseClick(window.workspace_page.unfold_button, LEFT)
        assert window.workspace_pane.isVisible()
        assert not window.drop_zone.picture_strip.isVisible()

    live(story)


def test_narrow_window_has_the_strip_instead(live, folder):
    async def story(program):
        window, _images = await opened(program, folder)
        window.resize(800, 500)
        assert window.workspace_pane.isVisible()
        window.resize(700, 500)
        await until(lambda: not window.workspace_pane.isVisible())
        assert window.drop_zone.picture_strip.isVisible()
        window.resize(1000, 500)
        await until(window.workspace_pane.isVisible)

    live(story)


def test_grid_or_list_and_the_size_of_thumbnails_are_kept(live, folder):
    async def story(program):
        window, images = await opened(program, folder)
        window.workspace_pane.side_chosen.emit(64)
        before = images.columns
        at_middle = QPointF(images.viewport().rect().center())
        for _ in range(3):
            event = QWheelEvent(
                at_middle, images.mapToGlobal(at_middle), QPoint(), QPoint(0, 120),
                Qt.MouseButton.NoButton, CTRL, Qt.ScrollPhase.NoScrollPhase, False,
            )  # fmt: skip
            QApplication.sendEvent(images.viewport(), event)
        assert images.columns < before
        assert window.workspace_pane.side_slider.value() == images.side > 64
        QTest.mouseClick(window.workspace_pane.layout_button, LEFT)
        assert images.columns == 1
        assert not images.is_grid
        settings = program.settings
        assert (settings.shows_grid, settings.thumbnail_side) == (False, images.side)
        window.commands[Command.IMAGE_GRID].trigger()
        assert images.is_grid

    live(story)


def test_several_images_are_selected_and_stay_so_while_one_goes_on(live, folder):
    async def story(program):
        window, images = await opened(program, folder)
        images.setFocus()
        QTest.mouseClick(images.viewport(), LEFT, pos=at(images, 1))
        QTest.mouseClick(images.viewport(), LEFT, SHIFT, at(images, 3))
        assert images.selected_ids == [1, 2, 3]
        await shows(program, "3.png")
        QTest.mouseClick(images.viewport(), LEFT, CTRL, at(images, 2))
        assert images.selected_ids == [1, 3]
        window.commands[Command.NEXT_PICTURE].trigger()
        await shows(program, "3.png")
        assert images.selected_ids == [1, 3]
        assert "2" in window.workspace_pane.selected_label.text()
        QTest.keyClick(focused_widget(), KEY.Key_A, CTRL)
        assert images.selected_count == 12
        images.selection.invert()
        assert images.selected_ids == []

    live(story)


def test_misclick_loses_no_selection(live, folder):
    async def story(program):
        window, images = await opened(program, folder)
        images.setFocus()
        QTest.mouseClick(images.viewport(), LEFT, pos=at(images, 1))
        QTest.keyClick(focused_widget(), KEY.Key_End, SHIFT)
        assert images.selected_count == 11
        QTest.mouseClick(images.viewport(), LEFT, pos=at(images, 11))
        assert images.selected_ids == [11]
        undo = window.commands[Command.UNDO]
        assert "selection" in undo.text()
        QTest.keyClick(focused_widget(), KEY.Key_Z, CTRL)
        assert images.selected_ids == list(range(1, 12))
        assert not window.commands[Command.RESTORE_SELECTION].isEnabled()
        # Also one that a filter has taken away, and after another one.
        window.workspace_pane.query_line.edit.setText("name:3*")
        await until(lambda: images.selected_ids == [3])
        window.workspace_pane.query_line.edit.clear()
        await until(lambda: images.rows.rowCount() == 12)
        window.commands[Command.RESTORE_SELECTION].trigger()
        assert images.selected_ids == list(range(1, 12))
        # An edit is taken back before a selection that was lost earlier.
        QTest.mouseClick(images.viewport(), LEFT, pos=at(images, 0))
        window.commands[Command.REJECT].trigger()
        await until(lambda: window.state.workspace.undo)
        images.setFocus()
        assert "selection" not in undo.text()
        window.commands[Command.RESTORE_SELECTION].trigger()
        assert images.selected_count == 11

    live(story)


def test_rubber_band_selects_what_it_touches(live, folder):
    async def story(program):
        _window, images = await opened(program, folder)
        program.window.workspace_pane.side_chosen.emit(64)
        assert images.columns == 2
        begin, end = at(images, 0), at(images, 3)
        QTest.mousePress(images.viewport(), LEFT, pos=begin)
        QTest.mouseMove(images.viewport(), (begin + end) / 2)
        QTest.mouseMove(images.viewport(), end)
        QTest.mouseRelease(images.viewport(), LEFT, pos=end)
        assert images.selected_ids == [0, 1, 2, 3]

    live(story)


@pytest.mark.parametrize("is_grid", [True, False])
def test_shift_selects_all_images_between_two(live, folder, is_grid):
    async def story(program):
        window, images = await opened(program, folder)
        window.workspace_pane.side_chosen.emit(64)
        if not is_grid:
            window.commands[Command.IMAGE_GRID].trigger()
        assert images.columns == (2 if is_grid else 1)
        viewport = images.viewport()
        # Both stand in the same column of the grid.
        QTest.mouseClick(viewport, LEFT, pos=at(images, 2))
        QTest.mouseClick(viewport, LEFT, SHIFT, at(images, 6))
        assert images.selected_ids == [2, 3, 4, 5, 6]
        QTest.mouseClick(viewport, LEFT, SHIFT, at(images, 0))
        assert images.selected_ids == [0, 1, 2]
        # A click ends the range, also where the image is the current one.
        QTest.mouseClick(viewport, LEFT, pos=at(images, 0))
        QTest.mouseClick(viewport, LEFT, SHIFT, at(images, 3))
        assert images.selected_ids == [0, 1, 2, 3]
        QTest.mouseClick(viewport, LEFT, CTRL, at(images, 5))
        QTest.mouseClick(viewport, LEFT, SHIFT, at(images, 8))
        assert images.selected_ids == [0, 1, 2, 3, 5, 6, 7, 8]

    live(story)


def test_shift_and_arrows_select_from_where_other_keys_led(live, folder):
    async def story(program):
        window, images = await opened(program, folder)
        window.workspace_pane.side_chosen.emit(64)
        assert images.columns == 2
        QTest.mouseClick(images.viewport(), LEFT, pos=at(images, 0))
        images.setFocus()
        for _ in range(3):
            QTest.keyClick(images, KEY.Key_J)
        await shows(program, "3.png")
        QTest.keyClick(images, KEY.Key_Down, SHIFT)
        assert images.selected_ids == [3, 4, 5]
        QTest.keyClick(images, KEY.Key_Right, SHIFT)
        assert images.selected_ids == [3, 4, 5, 6]
        for key in (KEY.Key_Up, KEY.Key_Up, KEY.Key_Up):
            QTest.keyClick(images, key, SHIFT)
        assert images.selected_ids == [0, 1, 2, 3]
        QTest.keyClick(images, KEY.Key_Right)
        assert images.selected_ids == [1]
        QTest.keyClick(images, KEY.Key_End, SHIFT)
        assert images.selected_ids == list(range(1, 12))
        QTest.keyClick(images, KEY.Key_Home)
        window.commands[Command.NEXT_PICTURE].trigger()
        QTest.keyClick(images, KEY.Key_Down, SHIFT)
        assert images.selected_ids == [1, 2, 3]

    live(story)


@pytest.mark.parametrize("is_grid", [True, False])
def test_what_is_scrolled_to_stays_there_in_another_theme_and_after_another_width(
    live, folder, is_grid
):
    async def story(program):
        window, images = await opened(program, folder)
        window.resize(790, 420)  # No larger than the screen, which it would be made to fit.
        if not is_grid:
            window.commands[Command.IMAGE_GRID].trigger()
        bar = images.verticalScrollBar()
        await until(lambda: bar.maximum() > 0 and images.is_grid == is_grid)
        # The current image, the first one, is out of view.
        bar.setValue(bar.maximum() - 7)
        before, width = bar.value(), images.width()
        assert not images.visualRect(images.currentIndex()).intersects(images.viewport().rect())
        for theme in ("dark", "light"):
            window.theme.choose(theme)
            await until(lambda: not window.theme.is_restyling)
            # The window's parts are placed anew after that.
            await until(lambda: images.width() == width and bar.value() == before)
        for other in (-90, 130):
            images.resize(width + other, images.height())
            images.resize(width, images.height())
        assert bar.value() == before

    live(story)
