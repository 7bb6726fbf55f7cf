"""Texts begin where they are read from: from the right in Hebrew, Arabic and their like."""

import ast
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QPainter
from PySide6.QtWidgets import QAbstractScrollArea, QWidget

from gui.conversation.answer_text import AnswerText
from gui.widgets.labels import paragraph
from gui.widgets.painting import paint_lines
from gui.widgets.text_direction import PlainTextEdit, direction_of
from gui.widgets.theme import Theme
from gui.workspace.answer_bar import AnswerBar
from tests.support.ink import is_at_right

GUI = Path(__file__).parents[3] / "gui"
HEBREW, ENGLISH = "ילדה על החוף", "A girl on a beach"
LEFT, RIGHT = Qt.LayoutDirection.LeftToRight, Qt.LayoutDirection.RightToLeft


class Painted(QWidget):
    """Paints a caption as the lists do."""

    def __init__(self):
        super().__init__()
        self.text = ""

    def paintEvent(self, event):
        with QPainter(self) as painter:
            paint_lines(painter, self.rect().adjusted(8, 8, -8, -8), self.text, QColor("black"))


@pytest.fixture
def theme(qapp):
    return Theme(qapp, "light")


def show_in_answer(widget, text):
    widget.show_complete(text)
    widget.fit(widget.width())


MAKERS = {
    "a field": (lambda _: PlainTextEdit(), PlainTextEdit.setPlainText),
    "a question": (lambda _: paragraph(), lambda w, text: w.setText(text)),
    "an answer": (AnswerText, show_in_answer),
    "what the model wrote": (AnswerBar, lambda w, text: w.show_answer(text, ())),
    "a caption in a list": (lambda _: Painted(), lambda w, text: setattr(w, "text", text)),
}


@pytest.mark.parametrize("what", MAKERS)
def test_text_begins_at_the_side_where_it_is_read_from(qtbot, theme, what):
    make, show = MAKERS[what]
    widget = make(theme)
    qtbot.addWidget(widget)
    widget.resize(420, 90)
    widget.show()
    part = widget.text if isinstance(widget, AnswerBar) else widget
    if isinstance(part, QAbstractScrollArea):
        part = part.viewport()
    for text, is_right in ((ENGLISH, False), (HEBREW, True), (ENGLISH, False)):
        show(widget, text)
        assert is_at_right(part) is is_right, text


@pytest.mark.parametrize(
    ("text", "direction"),
    [
        ("", LEFT),
        ("12, 34.", LEFT),
        ("1. ילדה and a dog", RIGHT),
        ("(A girl) ילדה", LEFT),
        ("🐧 بطريق", RIGHT),
    ],
)
def test_first_letter_decides(text, direction):
    assert direction_of(text) is direction


def test_every_field_of_plain_text_is_one_that_follows_its_text():
    own = GUI / "widgets" / "text_direction.py"
    for path in GUI.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            made = [node.func] if isinstance(node, ast.Call) else getattr(node, "bases", [])
            names = {one.id for one in made if isinstance(one, ast.Name)}
            assert path == own or "QPlainTextEdit" not in names, f"{path}: {names}"
