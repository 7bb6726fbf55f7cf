"""A rectangle on the image: questions about a part of it."""

import pytest
from PIL import Image
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest

from core.picture import PicturePart
from gui.window.commands import Command
from tests.gui.conftest import focused_widget, until

KEY, LEFT = Qt.Key, Qt.MouseButton.LeftButton
SHIFT, NONE = Qt.KeyboardModifier.ShiftModifier, Qt.KeyboardModifier.NoModifier


@pytest.fixture
def picture_file(tmp_path):
    """White, with a red rectangle from 100, 50 to 200, 150."""
    path = tmp_path / "red.png"
    pixels = Image.new("RGB", (400, 300), "white")
    pixels.paste("red", (100, 50, 200, 150))
    pixels.save(path)
    return path


async def shown(program):
    window, view = program.window, program.window.drop_zone.picture_view
    window.activateWindow()
    await until(lambda: window.state.picture.is_shown and view.pixel_size == (400, 300))
    await until(lambda: program.model.state.__class__.__name__ == "Ready")
    return window, window.drop_zone.part_frame


def at(window, x, y) -> QPoint:
    """Where a point of the picture is on the screen."""
    view = window.drop_zone.picture_view
    return (view.picture_rect().topLeft() + QPointF(x, y) * view.scale).toPoint()


def drag(window, begin, end, modifiers=NONE):
    frame = window.drop_zone.part_frame
    QTest.mousePress(frame, LEFT, modifiers, at(window, *begin))
    for share in (0.3, 0.7, 1.0):
        here = (one + (other - one) * share for one, other in zip(begin, end, strict=True))
        QTest.mouseMove(frame, at(window, *here))
    QTest.mouseRelease(frame, LEFT, modifiers, at(window, *end))


async def ask(program, prompt):
    window = program.window
    count = window.state.conversation.answers
    window.prompt_box.set_text(prompt)
    QTest.keyClick(window.prompt_box.prompt_edit, KEY.Key_Return)
    await until(lambda: window.state.conversation.answers == count + 1)


def is_near(part, box):
    """Whether a part is where the mouse went, give or take the pixels of the screen."""
    return all(
        abs(one - other) <= 2
        for one, other in zip((part.left, part.top, part.width, part.height), box, strict=True)
    )


def test_question_is_about_the_part_that_is_marked(live, picture_file, checkpoint):
    async def story(program):
        window, frame = await shown(program)
        await ask(program, "say 2 words")
        drag(window, (100, 50), (200, 150), SHIFT)
        assert is_near(window.drop_zone.part, (100, 50, 100, 100))
        await ask(program, "What is here?")
        whole, about_part = checkpoint.engines[-1].requests
        assert whole.picture.pixels.size == (400, 300)
        assert about_part.picture.pixels.getpixel((50, 50)) == (255, 0, 0)
        assert max(about_part.picture.pixels.size) <= 103
        # What was asked about the whole image is not about the part.
        assert [turn.prompt for turn in about_part.turns] == ["What is here?"]
        QTest.keyClick(window.prompt_box.prompt_edit, KEY.Key_Escape)
        assert frame.box is None
        await ask(program, "say 1 words")
        last = checkpoint.engines[-1].requests[-1]
        assert last.picture.pixels.size == (400, 300)
        assert [turn.prompt for turn in last.turns] == ["say 2 words", "say 1 words"]
        for command in (Command.COPY_QUESTION, Command.COPY_ALL):
            copies_part = command is Command.COPY_ALL
            window.commands[command].trigger()
            assert ("[Part" in QGuiApplication.clipboard().text()) == copies_part
        part = program.session.transcript.exchanges[1].part
        place = f"[Part {part.width} × {part.height} at {part.left}, {part.top}]"
        lines = QGuiApplication.clipboard().text().splitlines()
        menu = window.context_menus.menu_of(window.transcript_view.exchange_views[1])
        [copy] = [one for one in menu.actions() if one.text().replace("&", "") == "Copy question"]
        copy.trigger()
        menu.deleteLater()
        assert QGuiApplication.clipboard().text() == f"What is here?\n{place}"
        assert lines[lines.index("What is here?") + 1] == place
        assert sum("[Part" in line for line in lines) == 1

    live(story, [picture_file])


def test_part_stands_with_its_question_after_a_restart_and_is_marked_by_a_click(
    live, picture_file, checkpoint
):
    async def before(program):
        window, _ = await shown(program)
        drag(window, (100, 50), (200, 150), SHIFT)
        await ask(program, "What is here?")
        parts.append(window.drop_zone.part)

    async def after(program):
        window, frame = await shown(program)
        await until(lambda: window.state.conversation.answers == 1)
        assert frame.box is None
        button = window.transcript_view.exchange_views[0].body.part_button
        assert button.icon().pixmap(56, 56).toImage().pixelColor(20, 20).red() > 200
        assert f"{parts[0].width} × {parts[0].height}" in button.text()
        QTest.mouseClick(button, LEFT)
        assert window.drop_zone.part == parts[0]
        # Asked again, it is still about the part.
        window.drop_zone.part_frame.remove()
        window.commands[Command.REGENERATE].trigger()
        await until(lambda: checkpoint.engines[-1].requests)
        await until(lambda: not window.state.conversation.is_answering)
        assert max(checkpoint.engines[-1].requests[-1].picture.pixels.size) <= 103

    parts: list[PicturePart] = []
    live(before, [picture_file])
    live(after, [picture_file])


def test_part_is_marked_moved_resized_and_removed_by_keys(live, picture_file):
    async def story(program):
        window, frame = await shown(program)
        QTest.keyClick(window.prompt_box.prompt_edit, KEY.Key_F3)
        assert window.drop_zone.part == PicturePart(100, 75, 200, 150)
        assert window.commands[Command.MARK_PART].isChecked()
        view = focused_widget()
        assert view is window.drop_zone.picture_view
        QTest.keyClick(view, KEY.Key_Left)
        QTest.keyClick(view, KEY.Key_Down)
        QTest.keyClick(view, KEY.Key_Right, SHIFT)
        QTest.keyClick(view, KEY.Key_Up, SHIFT)
        assert window.drop_zone.part == PicturePart(92, 83, 208, 142)
        for _ in range(40):
            QTest.keyClick(view, KEY.Key_Left)
            QTest.keyClick(view, KEY.Key_Left, SHIFT)
        assert window.drop_zone.part == PicturePart(0, 83, 16, 142)
        QTest.keyClick(view, KEY.Key_Escape)
        assert frame.box is None
        assert not window.drop_zone.part_button.isChecked()

    live(story, [picture_file])


def test_part_is_dragged_by_its_handles_and_goes_with_its_image(live, picture_file, tmp_path):
    async def story(program):
        window, frame = await shown(program)
        QTest.mouseClick(window.drop_zone.part_button, LEFT)
        drag(window, (300, 225), (340, 245))
        assert is_near(window.drop_zone.part, (100, 75, 240, 170))
        drag(window, (200, 150), (190, 100))
        assert is_near(window.drop_zone.part, (90, 25, 240, 170))
        drag(window, (90, 110), (150, 110))
        assert is_near(window.drop_zone.part, (150, 25, 180, 170))
        before = window.drop_zone.part
        drag(window, (20, 20), (28, 60), SHIFT)
        assert "16 × 16" in window.state.notices[0].text
        assert window.drop_zone.part == before
        other = tmp_path / "other.png"
        Image.new("RGB", (12, 12)).save(other)
        window.paths_opened.emit([other])
        await until(lambda: window.drop_zone.picture_view.pixel_size == (12, 12))
        assert frame.box is None
        assert not window.state.has_part
        QTest.mouseClick(window.drop_zone.part_button, LEFT)
        assert frame.box is None
        assert not window.drop_zone.part_button.isChecked()

    live(story, [picture_file])
