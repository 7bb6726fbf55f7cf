"""The words of a complete answer: where each is, which is pointed at, and how doubt is drawn."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QPainter, QPen, QTextDocument
from PySide6.QtWidgets import QTextEdit

from core.words import split_words
from gui.conversation.spoken_words import spoken_doubt
from gui.widgets.doubt_pen import doubt_pen
from gui.widgets.text_index import TextIndex
from gui.widgets.theme import Theme

if TYPE_CHECKING:
    from core.transcript import Span
    from core.words import Word
# At most this many words in a row, of an address or of markup, are expected not to be shown.
_FARTHEST = 60


class AnswerWords:
    """Knows an answer's words in the document that Markdown made of its text.

    It draws and measures; `AnswerText` handles the pointer and the keys. Words are known by their
    index in what `show` was given; -1 is none. Positions in the document are Qt's.
    """

    def __init__(self, edit: QTextEdit, theme: Theme):
        self._edit, self._theme = edit, theme
        self._words: Sequence[Word] = ()
        self._struck: tuple[Span, ...] = ()
        self._struck_positions: list[tuple[int, int]] = []
        # The words that were found: index, begin and end in the document.
        self._positions: list[tuple[int, int, int]] = []
        self._starts: list[int] = []
        self._spans: dict[int, tuple[int, int]] = {}
        self.hovered = -1
        self.chosen = -1
        self.shows_doubt = True

    @property
    def words(self) -> Sequence[Word]:
        """The words that `show` was given."""
        return self._words

    @property
    def is_known(self) -> bool:
        """Whether the words are known and found in the document."""
        return bool(self._positions)

    @property
    def draws(self) -> bool:
        """Whether there is anything to draw."""
        return bool(self._positions or self._struck)

    def show(self, words: Sequence[Word]) -> None:
        """Finds the words, which are of the text that the document was made of."""
        self._words = words
        self._edit.setAccessibleDescription(spoken_doubt(words))
        texts = [word.text for word in words]
        self._positions = list(_positions_of(self._edit.document(), texts))
        self._starts = [begin for _, begin, _ in self._positions]
        self._spans = {index: (begin, end) for index, begin, end in self._positions}
        self.hovered = self.hovered if self.hovered in self._spans else -1
        self.chosen = self.chosen if self.chosen in self._spans else -1
        self._edit.viewport().update()

    def strike(self, text: str, struck: Sequence[Span]) -> None:
        """Strikes out these parts of the answer's `text`, whether its words are known or not."""
        self._struck = tuple(struck)
        self._struck_positions = []
        if struck:
            spans = list(split_words(text))
            texts = [text[begin:end] for begin, end in spans]
            self._struck_positions = [
                (begin, end)
                for index, begin, end in _positions_of(self._edit.document(), texts)
                if any(b <= spans[index][0] and spans[index][1] <= e for b, e in self._struck)
            ]
        self._edit.viewport().update()

    def is_struck(self, index: int) -> bool:
        """Whether a word is in a struck-out part."""
        word = self._words[index]
        return any(begin <= word.begin and word.end <= end for begin, end in self._struck)

    def clear(self) -> None:
        """Forgets the words and what is struck out."""
        self._struck, self._struck_positions = (), []
        self.show(())

    # Which word

    def at(self, point: QPointF) -> int:
        """Returns the word at a point of the viewport."""
        if not self._positions:
            return -1
        layout = self._edit.document().documentLayout()
        position = layout.hitTest(point, Qt.HitTestAccuracy.ExactHit)
        if position < 0:
            return -1
        number = bisect_right(self._starts, position) - 1
        for near in (number, number - 1):
            if near >= 0:
                index, begin, end = self._positions[near]
                if begin <= position <= end and self._is_over(index, point):
                    return index
        return -1

    def first(self) -> int:
        """Returns the word to start with: the first doubtful one, else the first."""
        order = [index for index, _, _ in self._positions]
        doubtful = (index for index in order if self._words[index].doubt_step)
        content = (index for index in order if self._words[index].is_content)
        return next(doubtful, next(content, order[0] if order else -1))

    def neighbour(self, index: int, step: int) -> int:
        """Returns the next word, `step` 1, or the previous one, -1; at the ends the same word."""
        order = [known for known, _, _ in self._positions]
        if index not in order:
            return self.first()
        return order[min(max(order.index(index) + step, 0), len(order) - 1)]

    def end(self, step: int) -> int:
        """Returns the first word for `step` -1, the last for 1."""
        if not self._positions:
            return -1
        return self._positions[0 if step < 0 else -1][0]

    def across(self, index: int, step: int) -> int:
        """Returns the nearest word one line below, `step` 1, or above, -1."""
        here = self.rect(index)
        if here.isNull():
            return self.first()
        rects = {other: self.rect(other) for other, _, _ in self._positions}
        tops = sorted({rect.top() for rect in rects.values()})
        line = tops.index(here.top()) + step
        if not 0 <= line < len(tops):
            return index
        there = [other for other, rect in rects.items() if rect.top() == tops[line]]
        return min(there, key=lambda other: abs(rects[other].center().x() - here.center().x()))

    def rect(self, index: int) -> QRectF:
        """Returns where a word is in the viewport; its first part if it is broken over lines."""
        return next(self.rects(index), QRectF())

    def rects(self, index: int) -> Iterator[QRectF]:
        """Yields where the parts of a word are in the viewport, one for each line."""
        if index in self._spans:
            yield from self._lines(*self._spans[index])

    # Drawing

    def paint_below(self, painter: QPainter) -> None:
        """Paints what is behind the text: frames of the hovered and the chosen word."""
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        for index, token in ((self.hovered, "raised"), (self.chosen, "accent_soft")):
            painter.setBrush(self._theme.colour(token))
            self._paint_frames(painter, index)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(self._theme.colour("accent"), 1.5))
        self._paint_frames(painter, self.chosen)

    def paint_above(self, painter: QPainter, seen: QRectF) -> None:
        """Paints what is over the text in the part `seen`: lines under doubt, struck-out parts."""
        for index in self.around(seen) if self.shows_doubt else ():
            step = self._words[index].doubt_step
            if step and not self.is_struck(index):
                self._paint_doubt(painter, index, step, seen)
        for begin, end in self._struck_positions:
            self._paint_struck(painter, begin, end)

    def around(self, seen: QRectF) -> list[int]:
        """Returns the words in a part of the viewport, and some more.

        Measuring all words of a long answer would take too long for a paint event.
        """
        layout = self._edit.document().documentLayout()
        slack, fuzzy = 2 * self._edit.fontMetrics().height(), Qt.HitTestAccuracy.FuzzyHit
        first = layout.hitTest(QPointF(0, seen.top() - slack), fuzzy)
        right = QPointF(self._edit.viewport().width(), seen.bottom() + slack)
        last = layout.hitTest(right, fuzzy)
        begin = max(0, bisect_right(self._starts, first) - 1)
        end = len(self._starts) if last < 0 else bisect_right(self._starts, last)
        return [index for index, _, _ in self._positions[begin:end]]

    def _paint_frames(self, painter: QPainter, index: int) -> None:
        # At the beginning and the end of a line there is no space beyond the letters.
        right = self._edit.viewport().width() - 1.0
        for rect in self.rects(index):
            rect.adjust(-2, 0, 2, 2)
            rect.setLeft(max(rect.left(), 1.0))
            rect.setRight(min(rect.right(), right))
            painter.drawRoundedRect(rect, 4, 4)

    def _paint_doubt(self, painter: QPainter, index: int, step: int, seen: QRectF) -> None:
        painter.setPen(doubt_pen(self._theme, step))
        for rect in self.rects(index):
            if rect.adjusted(0, 0, 0, 4).intersects(seen):
                y = round(rect.bottom()) + 1.0
                painter.drawLine(QPointF(rect.left(), y), QPointF(rect.right(), y))

    def _paint_struck(self, painter: QPainter, begin: int, end: int) -> None:
        veil = self._theme.colour("window")
        veil.setAlphaF(0.6)
        for rect in self._lines(begin, end):
            painter.fillRect(rect.adjusted(-1, 0, 1, 0), veil)
            painter.setPen(QPen(self._theme.colour("text_quiet"), 1.5))
            y = round(rect.center().y()) + 1.5
            painter.drawLine(QPointF(rect.left() - 1, y), QPointF(rect.right() + 1, y))

    def _is_over(self, index: int, point: QPointF) -> bool:
        return any(rect.adjusted(-2, -2, 2, 4).contains(point) for rect in self.rects(index))

    def _lines(self, begin: int, end: int) -> Iterator[QRectF]:
        document = self._edit.document()
        block = document.findBlock(begin)
        layout, top = block.layout(), document.documentLayout().blockBoundingRect(block)
        position = begin - block.position()
        stop = min(end - block.position(), block.length() - 1)
        while position < stop:
            line = layout.lineForTextPosition(position)
            if not line.isValid():
                return
            last = min(stop, line.textStart() + line.textLength())
            left, right = _x(line, position), _x(line, last)
            # The line is higher than its letters, which stand on its baseline.
            y = top.top() + line.y()
            height = self._edit.fontMetrics().height()
            base = y + line.ascent()
            yield QRectF(
                top.left() + min(left, right),
                base - height * 0.8,
                abs(right - left),
                height,
            )
            if last <= position:
                return
            position = last


def _x(line: Any, position: int) -> float:
    at = line.cursorToX(position)
    return at[0] if isinstance(at, tuple) else at


def _positions_of(document: QTextDocument, words: Sequence[str]) -> Iterator[tuple[int, int, int]]:
    """Finds the words in the document, which has their text without Markdown's markup.

    Yields index, begin and end in the document. Words that are not shown, such as the numbers of a
    list and parts of an address, are left out.
    """
    text = document.toPlainText()
    to_qt = TextIndex(text).to_qt
    spans = list(split_words(text))
    shown = [text[begin:end] for begin, end in spans]
    spans.append((len(text), len(text)))
    number, there, at = 0, 0, 0
    while number < len(words):
        left_out, ahead = _step(words, number, shown, there)
        # Words that contain markup, or that only markup separated.
        for cut in range(number, number + left_out):
            found = text.find(words[cut], at, spans[there + ahead][0])
            if found >= 0:
                at = found + len(words[cut])
                yield cut, to_qt(found), to_qt(at)
        number, there = number + left_out, there + ahead
        if number < len(words):
            begin, at = spans[there]
            yield number, to_qt(begin), to_qt(at)
            number, there = number + 1, there + 1


def _step(words: Sequence[str], number: int, shown: Sequence[str], there: int) -> tuple[int, int]:
    """Returns how many words of each sequence to skip until both agree again.

    They agree if the next two words are equal, or the last one. If they never do, all that are
    left are skipped.
    """
    left, right = len(words) - number, len(shown) - there
    for passed in range(min(left + right, _FARTHEST)):
        for ahead in range(max(0, passed - left + 1), min(passed, right - 1) + 1):
            here, other = number + passed - ahead, there + ahead
            if words[here : here + 2] == shown[other : other + 2]:
                return passed - ahead, ahead
            is_last = here + 1 == len(words) or other + 1 == len(shown)
            if is_last and words[here] == shown[other]:
                return passed - ahead, ahead
    return left, right
