"""Text of labels is selected and copied by a menu of our own."""

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QContextMenuEvent, QGuiApplication
from PySide6.QtWidgets import QApplication, QLabel, QMenu

from gui.widgets.labels import make_selectable, paragraph
from gui.widgets.line_break import breakable


def chosen(label, name: str) -> bool:
    """Chooses an entry of the menu; returns whether that was possible."""
    at = QPoint(3, 3)
    event = QContextMenuEvent(QContextMenuEvent.Reason.Mouse, at, label.mapToGlobal(at))
    QApplication.sendEvent(label, event)
    (menu,) = [menu for menu in label.findChildren(QMenu) if menu.isVisible()]
    assert menu.objectName() == "text_menu"
    action = next(one for one in menu.actions() if one.text().replace("&", "") == name)
    is_enabled = action.isEnabled()
    action.trigger()
    menu.close()
    QApplication.sendPostedEvents()
    return is_enabled


@pytest.mark.parametrize(
    ("text", "form", "plain"),
    [
        ("Two 🎈 balloons", Qt.TextFormat.PlainText, "Two 🎈 balloons"),
        (breakable("/home/a/very/long/path/of_a/picture.png"), Qt.TextFormat.PlainText,
         "/home/a/very/long/path/of_a/picture.png"),
        ("A <b>bold</b> word", Qt.TextFormat.RichText, "A bold word"),
    ],
)  # fmt: skip
def test_all_of_a_label_is_selected_and_copied(qtbot, text, form, plain):
    label = QLabel(text)
    label.setTextFormat(form)
    make_selectable(label)
    qtbot.addWidget(label)
    label.show()
    assert not chosen(label, "Copy")
    assert chosen(label, "Select all")
    assert chosen(label, "Copy")
    assert QGuiApplication.clipboard().text() == plain


def test_paragraphs_have_the_menu(qtbot):
    label = paragraph("Some text.")
    qtbot.addWidget(label)
    label.show()
    assert chosen(label, "Select all")
    assert label.selectedText() == "Some text."
