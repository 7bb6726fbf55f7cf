"""What a screen reader is given of widgets in an area that scrolls."""

import pytest
from PySide6.QtGui import QAccessible
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QGroupBox,
    QLabel,
    QLineEdit,
    QListWidget,
    QPlainTextEdit,
    QPushButton,
    QScrollArea,
    QSlider,
    QSpinBox,
    QTextBrowser,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from gui.widgets.accessible import install_accessible

KINDS = [
    *(QPushButton, QToolButton, QCheckBox, QComboBox, QLabel, QLineEdit, QSpinBox, QSlider),
    *(QPlainTextEdit, QTextBrowser, QListWidget, QGroupBox, QWidget),
]


@pytest.fixture(scope="module")
def factory(qapp):
    install_accessible({})


@pytest.fixture
def scrolled(factory, qtbot):
    def put(widget: QWidget) -> QScrollArea:
        area, content = QScrollArea(), QWidget()
        qtbot.addWidget(area)
        column = QVBoxLayout(content)
        space = QLabel("above")
        space.setFixedHeight(600)
        column.addWidget(space)
        widget.setFixedHeight(60)
        column.addWidget(widget)
        area.setWidget(content)
        area.resize(300, 200)
        area.show()
        return area

    return put


def is_showing(widget: QWidget) -> bool:
    state = QAccessible.queryAccessibleInterface(widget).state()
    return not state.invisible and not state.offscreen


@pytest.mark.parametrize("kind", KINDS)
def test_widget_is_showing_only_while_it_is_scrolled_into_view(scrolled, kind):
    widget = kind()
    area = scrolled(widget)
    assert not is_showing(widget)
    area.ensureWidgetVisible(widget)
    assert is_showing(widget)
    assert is_showing(area.viewport())


def test_widget_in_a_part_that_is_scrolled_out_of_view_is_not_showing(scrolled):
    outer, button = QGroupBox(), QPushButton("Inside")
    QVBoxLayout(outer).addWidget(button)
    area = scrolled(outer)
    assert not is_showing(button)
    area.ensureWidgetVisible(outer)
    assert is_showing(button)


def test_screen_reader_still_presses_reads_and_writes(scrolled):
    group, box, line, number = QGroupBox(), QCheckBox("Check"), QLineEdit("words"), QSpinBox()
    column = QVBoxLayout(group)
    for widget in (box, line, number):
        column.addWidget(widget)
    area = scrolled(group)
    interface = QAccessible.queryAccessibleInterface
    interface(box).actionInterface().doAction("Toggle")
    assert box.isChecked()
    assert interface(box).role() is QAccessible.Role.CheckBox
    assert interface(line).textInterface().text(0, 5) == "words"
    interface(line).editableTextInterface().insertText(5, " more")
    assert line.text() == "words more"
    interface(number).valueInterface().setCurrentValue(7)
    assert number.value() == 7
    assert interface(box).textInterface() is None
    assert interface(box).parent().object() is group
    assert interface(area).childCount()


def test_what_has_the_focus_is_found_from_every_part_around_it(scrolled, qtbot):
    line = QLineEdit()
    area = scrolled(line)
    with qtbot.waitActive(area):
        area.activateWindow()
    line.setFocus()
    for around in (area, area.widget(), line):
        found = QAccessible.queryAccessibleInterface(around).focusChild()
        assert found.object() is line
