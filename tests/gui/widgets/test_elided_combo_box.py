import pytest
from PySide6.QtCore import QEvent
from PySide6.QtWidgets import QApplication, QLineEdit, QVBoxLayout, QWidget

from gui.widgets.elided_combo_box import ElidedComboBox
from gui.widgets.theme import Theme


@pytest.fixture
def box(qapp, qtbot):
    """A box in a window, and beside it a field that can have the focus in its place."""
    Theme(qapp, "light")
    window = QWidget()
    qtbot.addWidget(window)
    box = ElidedComboBox()
    column = QVBoxLayout(window)
    column.addWidget(box)
    column.addWidget(QLineEdit())
    window.show()
    qtbot.waitActive(window)
    yield box
    box.hidePopup()


@pytest.mark.parametrize("count", [1, 4, 9])
@pytest.mark.parametrize("has_focus", [True, False])
def test_all_rows_of_its_list_are_seen_whole(box, qtbot, count, has_focus):
    # Another number first: the list is not to keep the height that it had.
    for number in (count + 1, count):
        box.clear()
        box.addItems([f"Choice {index}" for index in range(number)])
        (box if has_focus else box.window().findChild(QLineEdit)).setFocus()
        QApplication.sendPostedEvents(None, QEvent.Type.LayoutRequest)
        box.showPopup()
        view = box.view()
        qtbot.waitUntil(view.isVisible)
        rows = [view.visualRect(box.model().index(row, 0)) for row in range(number)]
        assert rows[0].top() >= 0
        assert rows[-1].bottom() <= view.viewport().rect().bottom()
        assert view.window().height() < (number + 1) * rows[0].height()
        box.hidePopup()
