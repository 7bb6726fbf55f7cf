"""Pages scroll where they do not fit, and only there."""

import pytest
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from gui.widgets.page_stack import PageStack
from gui.widgets.scrolled_page import ScrolledPage
from gui.widgets.theme import Theme

SENTENCE = "Some words that take one line where the page is wide enough."


def lines(count):
    """A page of lines that are never lower than what they hold."""
    page = QWidget()
    column = QVBoxLayout(page)
    for _ in range(count):
        label = QLabel(wordWrap=True)
        label.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Minimum)
        label.setText(SENTENCE)
        column.addWidget(label)
    return page


@pytest.mark.parametrize("is_stacked", [False, True])
def test_wide_page_of_short_texts_does_not_scroll_and_a_narrow_one_does(qtbot, is_stacked):
    content = lines(3)
    if is_stacked:
        stack = PageStack()
        stack.addWidget(content)
        content = stack
    window = QWidget()
    scrolled = ScrolledPage(content)
    column = QVBoxLayout(window)
    column.addWidget(scrolled)
    qtbot.addWidget(window)
    window.resize(1000, 112)
    window.show()
    qtbot.waitUntil(lambda: scrolled.verticalScrollBar().maximum() == 0)
    window.resize(300, 112)
    qtbot.waitUntil(lambda: scrolled.verticalScrollBar().maximum() > 0)
    window.resize(1000, 112)
    qtbot.waitUntil(lambda: scrolled.verticalScrollBar().maximum() == 0)


def test_page_of_its_least_size_does_not_scroll(qtbot, qapp):
    """The stylesheet gives it a frame."""
    theme = Theme(qapp, "light")
    content = QWidget()
    row = QHBoxLayout(content)
    row.addWidget(QPushButton("A button that is as wide as what it says"))
    window = QWidget()
    scrolled = ScrolledPage(content)
    column = QVBoxLayout(window)
    column.addWidget(scrolled)
    qtbot.addWidget(window)
    window.resize(1000, 112)
    window.show()
    window.resize(window.minimumSizeHint())
    qtbot.waitUntil(lambda: window.size() == window.minimumSizeHint())
    qtbot.waitUntil(lambda: scrolled.horizontalScrollBar().maximum() == 0)
    assert scrolled.verticalScrollBar().maximum() == 0
    assert not theme.is_dark
