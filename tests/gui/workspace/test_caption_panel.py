"""Where the cursor stands when the caption of an image is shown."""

import pytest
from PySide6.QtTest import QTest

from gui.widgets.theme import Theme
from gui.workspace.caption_panel import CaptionPanel


@pytest.fixture
def panel(qapp, qtbot):
    theme = Theme(qapp, "light")
    panel = CaptionPanel(theme)
    qtbot.addWidget(panel)
    panel.set_known(True)
    yield panel
    theme.deleteLater()


def test_cursor_begins_at_the_end_also_of_a_caption_that_was_not_read_at_once(panel):
    panel.leave_image()
    panel.show_text("")
    panel.show_text("a cat")
    QTest.keyClicks(panel.editor, "!")
    assert panel.editor.toPlainText() == "a cat!"


def test_cursor_stays_where_one_has_written_when_the_caption_is_read_again(panel):
    panel.leave_image()
    panel.show_text("")
    QTest.keyClicks(panel.editor, "cat")
    panel.editor.moveCursor(panel.editor.textCursor().MoveOperation.Start)
    panel.show_text("cat, dog")
    QTest.keyClicks(panel.editor, "a ")
    assert panel.editor.toPlainText() == "a cat, dog"
