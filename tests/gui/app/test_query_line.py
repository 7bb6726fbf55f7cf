"""The query line of the folder that is open: suggestions while typing, and what is wrong in it."""

import pytest
from PIL import Image
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest

from tests.gui.conftest import focused_widget, until

KEY, LEFT = Qt.Key, Qt.MouseButton.LeftButton
CTRL = Qt.KeyboardModifier.ControlModifier
CAPTIONS = ("a cat, red sky", "a dog, blue sky", "a cat, ocean", "two 🐈 cats, sun", "house, sun")


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "tagged"
    folder.mkdir()
    for number, caption in enumerate(CAPTIONS):
        Image.new("RGB", (40, 30 + number), (40 * number, 80, 90)).save(folder / f"{number}.png")
        (folder / f"{number}.txt").write_text(f"{caption}\n", encoding="utf-8")
    return folder


async def opened(program, folder):
    window = program.window
    window.activateWindow()
    window.paths_opened.emit([folder])
    await until(lambda: window.state.workspace.total == len(CAPTIONS))
    await until(lambda: program.workspace.counts.unread == 0)
    await until(lambda: program.workspace.mode == "tags")
    QTest.keyClick(window, KEY.Key_F, CTRL)
    line = window.workspace_pane.query_line
    await until(line.edit.hasFocus)
    return window, line


def has_colour(widget, colour):
    """Whether anything inside the frame of a widget has this colour."""
    image = widget.grab(widget.rect().adjusted(6, 4, -6, -4)).toImage()
    places = ((x, y) for x in range(image.width()) for y in range(image.height()))
    return any(image.pixelColor(*place).rgb() == colour.rgb() for place in places)


def offered(line):
    return [one.text for one in line.suggestions.offered] if line.suggestions.isVisible() else []


def test_suggestions_are_chosen_by_keyboard_and_by_mouse(live, folder):
    async def story(program):
        window, line = await opened(program, folder)
        QTest.keyClicks(line.edit, "ta")
        await until(lambda: "tag:" in offered(line))
        QTest.keyClick(line.edit, KEY.Key_Down)
        QTest.keyClick(line.edit, KEY.Key_Tab)
        assert line.edit.text() == "tag:"
        await until(lambda: 'tag:"a cat"' in offered(line))
        place = offered(line).index('tag:"a cat"')
        assert line.suggestions.offered[place].detail == "2"
        index = line.suggestions.model().index(place, 0)
        at = line.suggestions.visualRect(index).center()
        QTest.mouseClick(line.suggestions.viewport(), LEFT, pos=at)
        assert line.edit.text() == 'tag:"a cat"'
        assert line.edit.hasFocus()
        await until(lambda: window.state.workspace.listed == 2)
        # A term behind an emoji, whose two code units are one code point.
        line.edit.setText("🐈 oc")
        QTest.keyClicks(line.edit, "e")
        await until(lambda: offered(line) == ["tag:ocean"])
        QTest.keyClick(line.edit, KEY.Key_Down)
        QTest.keyClick(line.edit, KEY.Key_Return)
        assert line.edit.text() == "🐈 tag:ocean"

    live(story)


def test_suggestions_never_take_the_keys_of_who_does_not_want_them(live, folder):
    async def story(program):
        window, line = await opened(program, folder)
        QTest.keyClicks(line.edit, "sta")
        await until(lambda: offered(line) == ["state:"])
        QTest.keyClick(line.edit, KEY.Key_Return)
        assert line.edit.text() == "sta"
        assert not offered(line)
        assert focused_widget() is window.workspace_pane.list  # On to what was found.
        line.edit.setFocus()
        QTest.keyClicks(line.edit, "t")
        await until(lambda: bool(offered(line)))
        QTest.keyClick(line.edit, KEY.Key_Escape)
        assert not offered(line)
        line.edit.clear()
        QTest.keyClick(line.edit, KEY.Key_Down)
        await until(lambda: "doubt:" in offered(line))
        QTest.keyClick(line.edit, KEY.Key_Tab)
        assert not offered(line)
        assert focused_widget() is not line.edit

    live(story)


def test_word_that_is_being_completed_is_no_error_until_one_searches(live, folder):
    async def story(program):
        window, line = await opened(program, folder)
        QTest.keyClicks(line.edit, "cat has:cap")
        await until(lambda: offered(line) == ["has:caption"])
        await until(lambda: bool(window.state.workspace.query_error))
        assert not line.error_label.isVisible()
        assert line.edit.fault is None
        QTest.keyClick(line.edit, KEY.Key_Return)
        await until(line.error_label.isVisible)
        assert line.edit.fault == (8, 11)
        assert focused_widget() is line.edit

    live(story)


def test_error_goes_once_it_is_known_how_its_word_may_go_on(live, folder):
    """As after a search for suggestions that took long."""

    async def story(program):
        _, line = await opened(program, folder)
        QTest.keyClicks(line.edit, "cat has:cap")
        await until(lambda: offered(line) == ["has:caption"])
        QTest.keyClick(line.edit, KEY.Key_Escape)
        await until(line.error_label.isVisible)
        QTest.keyClick(line.edit, KEY.Key_Down)
        await until(lambda: offered(line) == ["has:caption"])
        assert not line.error_label.isVisible()
        assert line.edit.fault is None

    live(story)


def test_place_of_the_error_is_marked_until_the_query_is_corrected(live, folder):
    async def story(program):
        window, line = await opened(program, folder)
        QTest.keyClicks(line.edit, "cat state:good sun")
        await until(line.error_label.isVisible)
        assert line.edit.fault == (10, 14)
        assert "good" in line.error_label.text()
        assert line.edit.accessibleDescription() == line.error_label.text()
        assert has_colour(line.edit, window.theme.colour("danger"))
        line.edit.setCursorPosition(14)
        for _ in "good":
            QTest.keyClick(line.edit, KEY.Key_Backspace)
        QTest.keyClicks(line.edit, "accepted")
        await until(lambda: not line.error_label.isVisible())
        assert line.edit.fault is None
        assert not has_colour(line.edit, window.theme.colour("danger"))

    live(story)


def test_list_of_suggestions_stays_inside_a_low_window(live, folder):
    async def story(program):
        window, line = await opened(program, folder)
        window.resize(800, 360)
        QTest.keyClick(line.edit, KEY.Key_Down)
        await until(lambda: len(offered(line)) > 8)
        corner = line.suggestions.geometry().bottomRight()
        assert window.rect().contains(corner + QPoint(-1, -1))

    live(story)
