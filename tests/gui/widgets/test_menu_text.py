"""Letters that choose the entries of a menu, and names that stand in it."""

from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QMenu

from gui.widgets.menu_text import add_named, give_letters, menu_text


def texts(menu):
    return [action.text() for action in menu.actions()]


def made(qtbot, *names):
    menu = QMenu()
    qtbot.addWidget(menu)
    for name in names:
        menu.addAction(name)
    return menu


def test_each_entry_has_a_letter_of_its_own(qtbot):
    menu = made(qtbot, "Go &to the images", "&Theme", "&Tags && words", "Plain", "&t")
    give_letters(menu)
    assert texts(menu) == ["Go &to the images", "T&heme", "Tags && &words", "Plain", "t"]
    # Again, and after another menu has given the same entries other letters.
    other = made(qtbot, "&Here")
    other.addActions(menu.actions())
    give_letters(other)
    assert texts(other)[:3] == ["&Here", "Go &to the images", "Th&eme"]
    give_letters(menu)
    assert texts(menu)[:2] == ["Go &to the images", "T&heme"]


def test_letter_chooses_the_entry(qtbot):
    menu = made(qtbot, "Go &to the images", "&Theme")
    menu.aboutToShow.connect(lambda: give_letters(menu))
    chosen = []
    menu.triggered.connect(lambda action: chosen.append(action.text()))
    menu.popup(menu.pos())
    QTest.keyClick(menu, Qt.Key.Key_H)
    assert chosen == ["T&heme"]


def test_long_names_are_elided_with_the_whole_as_a_tool_tip(qtbot):
    menu = made(qtbot)
    name = "a & b, " * 40
    action = add_named(menu, name)
    assert action.toolTip() == name
    assert "…" in action.text()
    assert "&&" in action.text()
    assert menu_text(menu, "a & b") == "a && b"
    assert add_named(menu, "short").text() == "short"
