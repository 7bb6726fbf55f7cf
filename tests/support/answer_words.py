"""An answer whose words are known, and a pointer over them."""

from PySide6.QtCore import QEvent, QPointF, Qt
from PySide6.QtGui import QMouseEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from core.words import Candidate, Evidence, Word, split_words

TEXT = "A red ball and a **blue cube** lie on the table."
DOUBTS = {"red": 0.6, "cube": 0.95}


def word(text: str, begin: int, end: int) -> Word:
    said = text[begin:end]
    is_content = said not in ("A", "and", "a", "on", "the")
    return Word(
        begin=begin,
        end=end,
        text=said,
        first_token=0,
        end_token=1,
        probability=0.62,
        candidates=(Candidate(said, 0.62), Candidate("round", 0.3), Candidate("odd", 0.001)),
        gain=2.0,
        doubt=DOUBTS.get(said, 0.1) if is_content else None,
        is_content=is_content,
    )


def evidence_of(text: str) -> Evidence:
    return Evidence(tuple(word(text, begin, end) for begin, end in split_words(text)), 0.1)


def index_of(text, said: str) -> int:
    return next(i for i, one in enumerate(text.words.words) if one.text == said)


def point_at(text, said: str | None) -> None:
    at = text.words.rect(index_of(text, said)).center() if said else QPointF(2, text.height() - 2)
    event = QMouseEvent(
        QEvent.Type.MouseMove,
        at,
        QPointF(text.viewport().mapToGlobal(at.toPoint())),
        Qt.MouseButton.NoButton,
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
    )
    QApplication.sendEvent(text.viewport(), event)


def click(text, said: str) -> None:
    at = text.words.rect(index_of(text, said)).center().toPoint()
    QTest.mouseClick(text.viewport(), Qt.MouseButton.LeftButton, pos=at)
