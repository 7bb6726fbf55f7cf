"""The bar for notes and errors: long ones, and what they cost while nothing happens."""

import pytest
from PySide6.QtCore import QEvent, QObject, QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QScrollArea, QVBoxLayout, QWidget

from gui.widgets.notice import NoticeAction, NoticeActionKind
from gui.widgets.notice_bar import NoticeBar
from gui.widgets.theme import Theme

SHORT = "There is no other image of this kind."
LONG = "“a long name of an image.png” cannot be written (disk full). " * 6
ACTION = NoticeAction(NoticeActionKind.EDIT_CAPTION, "Edit caption")


@pytest.fixture
def window(qtbot):
    window = QWidget()
    qtbot.addWidget(window)
    QVBoxLayout(window)
    window.resize(300, 400)
    window.show()
    qtbot.waitExposed(window)
    return window


@pytest.fixture
def bar(qapp, window):
    bar = NoticeBar(Theme(qapp, "light"))
    window.layout().addWidget(bar)
    window.layout().addStretch(1)
    return bar


def is_seen(bar):
    """Whether the last line of the notice is in view."""
    label = bar.text_label
    bottom = label.mapTo(bar, QPoint(0, label.height() - 4)).y()
    return bottom <= area_of(bar).geometry().bottom()


def area_of(bar):
    return bar.findChild(QScrollArea)


def test_long_notice_in_a_low_window_is_read_to_its_end_by_keys(bar, qtbot):
    bar.show_notice(LONG, ACTION)
    qtbot.waitUntil(lambda: area_of(bar).focusPolicy() == Qt.FocusPolicy.StrongFocus)
    assert bar.height() < bar.window().height() / 2
    assert not is_seen(bar)
    area_of(bar).setFocus()
    QTest.keyClick(area_of(bar), Qt.Key.Key_End)
    for _ in range(9):
        QTest.keyClick(area_of(bar), Qt.Key.Key_PageDown)
    qtbot.waitUntil(lambda: is_seen(bar))
    bar.window().resize(900, 700)
    qtbot.waitUntil(lambda: area_of(bar).focusPolicy() == Qt.FocusPolicy.NoFocus)
    assert is_seen(bar)


def test_higher_window_shows_more_of_a_notice(bar, qtbot):
    bar.show_notice(LONG)
    qtbot.waitUntil(lambda: area_of(bar).height() > 40)
    before = area_of(bar).height()
    bar.window().resize(300, 800)
    qtbot.waitUntil(lambda: area_of(bar).height() > before)


@pytest.mark.parametrize("text", [SHORT, LONG])
def test_a_notice_that_is_shown_costs_nothing(bar, qapp, qtbot, text):
    bar.show_notice(text, ACTION)
    qtbot.wait(200)
    assert not is_scrolled_without_need(bar, text)

    class Counter(QObject):
        count = 0

        def eventFilter(self, watched, event):
            self.count += event.type() == QEvent.Type.LayoutRequest
            return False

    counter = Counter()
    qapp.installEventFilter(counter)
    qtbot.wait(200)
    qapp.removeEventFilter(counter)
    assert counter.count == 0


def is_scrolled_without_need(bar, text):
    return text == SHORT and area_of(bar).verticalScrollBar().isVisible()
