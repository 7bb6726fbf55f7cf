"""What a screen reader reads of the image and of a doubtful answer, and what an eye sees of arrows
at a bound."""

import pytest
from PySide6.QtGui import QAccessible
from PySide6.QtWidgets import QSpinBox, QStyle, QStyleOptionSpinBox

from core.engine import Ready
from gui.widgets.theme import Theme
from tests.gui.conftest import until


def test_image_is_a_graphic_with_its_name(live, picture_file):
    async def story(program):
        await program.pictures.open_paths([picture_file])
        view = program.window.drop_zone.picture_view
        await until(lambda: view.has_picture)
        accessible = QAccessible.queryAccessibleInterface(view)
        assert accessible.role() is QAccessible.Role.Graphic
        assert accessible.text(QAccessible.Text.Name) == "Image red.png"

    live(story)


def test_doubt_is_read_with_the_answer(live, picture_file):
    async def story(program):
        await until(lambda: isinstance(program.model.state, Ready))
        await program.pictures.open_paths([picture_file])
        await until(lambda: program.window.drop_zone.picture_view.has_picture)
        await program.session.ask("What is it?")
        [view] = program.window.transcript_view.exchange_views
        accessible = QAccessible.queryAccessibleInterface(view.answer_text)
        wanted = "Doubtful words: red, doubtful 60%"
        await until(lambda: wanted in accessible.text(QAccessible.Text.Description))

    live(story)


@pytest.mark.parametrize("mode", ["light", "dark"])
@pytest.mark.parametrize("value", [0, 5, 9])
def test_both_arrows_of_a_number_are_seen_at_its_bounds(qapp, qtbot, mode, value):
    theme = Theme(qapp, mode)
    box = QSpinBox()
    qtbot.addWidget(box)
    box.setRange(0, 9)
    box.setValue(value)
    box.resize(120, 36)
    box.show()
    option = QStyleOptionSpinBox()
    box.initStyleOption(option)
    style, kind = box.style(), QStyle.ComplexControl.CC_SpinBox
    image = box.grab().toImage()
    for arrow in (QStyle.SubControl.SC_SpinBoxUp, QStyle.SubControl.SC_SpinBoxDown):
        rect = style.subControlRect(kind, option, arrow, box).adjusted(2, 2, -2, -2)
        colours = {
            image.pixelColor(x, y).name()
            for x in range(rect.left(), rect.right())
            for y in range(rect.top(), rect.bottom())
        }
        assert len(colours) > 2, (mode, value, arrow)
    del theme
