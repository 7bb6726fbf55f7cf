"""Texts begin where they are read from: from the right in Hebrew, Arabic and their like."""

import ast
import re
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QMimeData, QPoint, QPointF, QRect, Qt
from PySide6.QtGui import QColor, QDragEnterEvent, QDropEvent, QGuiApplication, QImage, QPainter
from PySide6.QtWidgets import QAbstractScrollArea, QApplication, QLabel, QWidget

from core.message import translatable
from gui.batch.run_progress import rate_text
from gui.conversation.answer_text import AnswerText
from gui.widgets.elided_label import ElidedLabel
from gui.widgets.labels import paragraph
from gui.widgets.measures import bytes_rate_text, bytes_text, sides_text
from gui.widgets.painting import paint_lines
from gui.widgets.text_direction import PlainTextEdit, direction_of
from gui.widgets.theme import Theme
from gui.widgets.translated import translated
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


def made(make, theme, qtbot):
    """A widget of these, and the part of it that paints the text."""
    widget = make(theme)
    qtbot.addWidget(widget)
    widget.resize(420, 90)
    widget.show()
    part = widget.text if isinstance(widget, AnswerBar) else widget
    return widget, part.viewport() if isinstance(part, QAbstractScrollArea) else part


@pytest.mark.parametrize("what", MAKERS)
def test_text_begins_at_the_side_where_it_is_read_from(qtbot, theme, what):
    make, show = MAKERS[what]
    widget, part = made(make, theme, qtbot)
    for text, is_right in ((ENGLISH, False), (HEBREW, True), (ENGLISH, False)):
        show(widget, text)
        assert is_at_right(part) is is_right, text


@pytest.mark.parametrize("window", [LEFT, RIGHT])
@pytest.mark.parametrize("what", MAKERS)
def test_what_ends_a_sentence_is_where_its_reading_ends(qtbot, qapp, theme, what, window):
    """In a window that is laid out from either side."""
    make, show = MAKERS[what]
    qapp.setLayoutDirection(window)
    try:
        widget, part = made(make, theme, qtbot)
        for text in (HEBREW, ENGLISH):
            begins = []
            for ending in ("", " .:!.:!"):
                show(widget, text + ending)
                image = part.grab().toImage()
                side = image.width() - 60 if text == HEBREW else 0
                begins.append(image.copy(QRect(side, 0, 60, image.height())))
            assert begins[0] == begins[1], text
    finally:
        qapp.setLayoutDirection(LEFT)


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


NAMES = ["00-cat.png", "(3) a b.png", "a very long name that is elided in the middle 17.png"]


def profile(widget, direction):
    """How much is painted in each column of a widget that is laid out from a side, from the first
    to the last one."""
    widget.setLayoutDirection(direction)
    image = widget.grab().toImage().convertToFormat(QImage.Format.Format_Grayscale8)
    bits = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), -1)
    columns = (255 - bits[:, : image.width()].astype(float)).sum(axis=0)
    (painted,) = np.flatnonzero(columns > 60)[[0, -1]].reshape(1, 2)
    return columns[painted[0] : painted[1] + 1]


def likeness(one, other):
    """How alike two profiles are, which may be some pixels apart; 1.0 for equal ones."""
    length = min(one.size, other.size) - 4
    pairs = [(one[a : a + length], other[b : b + length]) for a in range(5) for b in range(5)]
    return max(np.corrcoef(*pair)[0, 1] for pair in pairs if pair[0].size == pair[1].size)


@pytest.fixture
def right_to_left(qapp):
    qapp.setLayoutDirection(RIGHT)
    yield
    qapp.setLayoutDirection(LEFT)


@pytest.mark.parametrize("mode", [Qt.TextElideMode.ElideMiddle, Qt.TextElideMode.ElideRight])
@pytest.mark.parametrize("name", NAMES)
def test_names_are_in_order_in_a_window_laid_out_from_the_right(
    qtbot, theme, right_to_left, name, mode
):
    label = ElidedLabel(name, mode)
    qtbot.addWidget(label)
    label.resize(180, 24)
    label.setStyleSheet("color: black; background: white")
    QGuiApplication.setLayoutDirection(LEFT)
    expected = profile(label, LEFT)
    QGuiApplication.setLayoutDirection(RIGHT)
    assert likeness(profile(label, RIGHT), expected) > 0.75


MEASURES = {
    "640 × 480": lambda: sides_text(640, 480),
    "3 MB": lambda: bytes_text(3_000_000),
    "12.5 MB/s": lambda: bytes_rate_text(12.5e6),
    "12.0 images/s": lambda: rate_text(12.0),
}


@pytest.mark.parametrize("text", MEASURES)
def test_numbers_and_units_are_in_order_in_a_window_laid_out_from_the_right(
    qtbot, theme, right_to_left, text
):
    label = QLabel(text)
    qtbot.addWidget(label)
    label.resize(180, 24)
    label.setStyleSheet("color: black; background: white")
    expected = profile(label, LEFT)
    label.setText(MEASURES[text]())
    assert likeness(profile(label, RIGHT), expected) > 0.75


def test_sizes_and_names_in_sentences_of_core_are_in_their_own_order(right_to_left):
    template = translatable("core", "{name} needs {size}.")
    text = translated(template.format(name="00-cat.png", size="3.2 MB"))
    assert text == "\u206600-cat.png\u2069 needs \u20663.2 MB\u2069."
    QGuiApplication.setLayoutDirection(LEFT)
    assert (
        translated(template.format(name="00-cat.png", size="3.2 MB")) == "00-cat.png needs 3.2 MB."
    )


def test_every_size_on_screen_is_one_of_these():
    own = GUI / "widgets" / "measures.py"
    for path in GUI.rglob("*.py"):
        source = path.read_text(encoding="utf-8")
        assert path == own or not re.search(r"\} × \{(?!translated)", source), path
        assert path == own or "format_bytes" not in source, path
        assert path == own or "format_rate" not in source, path


def test_whatever_is_elided_is_shown_in_its_own_direction():
    """These lay it out on its own: in a layout of its direction, or at once."""
    own = {"widgets/text_direction.py", "widgets/painting.py", "batch/cells.py"}
    users = {
        str(path.relative_to(GUI))
        for path in GUI.rglob("*.py")
        if ".elidedText(" in path.read_text(encoding="utf-8")
    }
    assert users == own


def test_text_dragged_from_another_program_stays_there(qtbot):
    field = PlainTextEdit("a cat")
    qtbot.addWidget(field)
    field.show()
    mime = QMimeData()
    mime.setText("on a mat")
    both = Qt.DropAction.MoveAction | Qt.DropAction.CopyAction
    # With Shift a move is proposed, as many programs do by themselves.
    left, shift = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.ShiftModifier
    enter = QDragEnterEvent(QPoint(5, 5), both, mime, left, shift)
    QApplication.sendEvent(field.viewport(), enter)
    drop = QDropEvent(QPointF(5, 5), both, mime, left, shift)
    assert drop.proposedAction() is Qt.DropAction.MoveAction
    QApplication.sendEvent(field.viewport(), drop)
    assert "on a mat" in field.toPlainText()
    assert drop.isAccepted()
    assert drop.dropAction() is Qt.DropAction.CopyAction
