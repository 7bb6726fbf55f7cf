"""A popup next to a word of an answer: how sure the model was, and what it considered instead."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import QCoreApplication, QEvent, QPoint, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import (
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from gui.conversation.spoken_words import spoken_word
from gui.widgets.labels import paragraph
from gui.widgets.theme import Theme

if TYPE_CHECKING:
    from core.words import Candidate, Presence, Word

translate = QCoreApplication.translate

_WIDTH = 288
_GAP = 6
_MARGIN = 8
_INDENT = 12
_RUNNERS_UP = 4
_KEYS = (QEvent.Type.ShortcutOverride, QEvent.Type.KeyPress)
# A candidate that is less likely was not seriously considered.
_NEAR = 0.005
# Natural logarithms of how many times as likely.
_ADDS_LITTLE = 0.4
_MANY_TIMES = math.log(1000)


def _is_escape(event: QEvent) -> bool:
    return isinstance(event, QKeyEvent) and event.key() == Qt.Key.Key_Escape


class WordPopup(QFrame):
    """Floats in the window next to the word; takes clicks and keys only while the word is chosen.

    Tab goes through its buttons. `left()`: Tab went beyond them, or Esc was pressed.
    """

    left = Signal()

    def __init__(self, theme: Theme, parent: QWidget):
        super().__init__(parent)
        self.setObjectName("word_popup")
        self._theme, self._window = theme, parent
        self.word: Word | None = None
        self._build()
        self.hide()

    def show_word(
        self,
        word: Word,
        *,
        is_struck: bool = False,
        is_chosen: bool = False,
        can_look: bool = False,
        why_no_map: str = "",
    ) -> None:
        """Shows the evidence for `word`; `show_at` follows. For a chosen word it offers actions.

        `why_no_map` is why nothing is shown on the image.
        """
        self.word = word
        self.word_label.setText(word.text)
        struck, doubt = self.tr("struck out"), _doubt_text(word.doubt_step)
        self.doubt_label.setText(struck if is_struck else doubt)
        self._show_candidates(word)
        self.gain_label.setVisible(word.gain is not None)
        if word.gain is not None:
            self.gain_label.setText(gain_text(word.gain))
        self.presence_label.setVisible(word.presence is not None)
        if word.presence is not None:
            self.presence_label.setText(presence_text(word.presence))
        self.map_label.setText(why_no_map)
        self.map_label.setVisible(bool(why_no_map))
        undo, strike = self.tr("Undo strike-out"), self.tr("Strike out")
        self.strike_button.setText(undo if is_struck else strike)
        self.action_row.setVisible(is_chosen and word.is_content)
        can_look = can_look and word.presence is None
        if self.look_button.hasFocus() and not can_look:
            self.strike_button.setFocus(Qt.FocusReason.OtherFocusReason)
        self.look_button.setVisible(can_look)
        self.look_button.setEnabled(True)
        self.look_button.setText(self.tr("Look again"))
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents, not is_chosen)
        self.setAccessibleName(f"{spoken_word(word)}: {probability_text(word.probability)}")

    @property
    def has_focus(self) -> bool:
        """Whether one of its buttons has the focus."""
        return any(button.hasFocus() for button in (self.look_button, self.strike_button))

    def enter(self, forward: bool = True) -> bool:
        """Moves the focus to the first button, or to the last one; False if there is none."""
        buttons = self._reachable()
        if buttons:
            reason = Qt.FocusReason.TabFocusReason
            buttons[0 if forward else -1].setFocus(reason)
        return bool(buttons)

    def focusNextPrevChild(self, forward: bool) -> bool:
        buttons = self._reachable()
        focused = next((at for at, one in enumerate(buttons) if one.hasFocus()), None)
        if focused is None:
            return super().focusNextPrevChild(forward)
        at = focused + (1 if forward else -1)
        if 0 <= at < len(buttons):
            buttons[at].setFocus(Qt.FocusReason.TabFocusReason)
        else:
            self.left.emit()
        return True

    def event(self, event: QEvent) -> bool:
        """Takes Esc while a button has the focus, which goes back to the words."""
        kind = event.type()
        if not self.has_focus or kind not in _KEYS or not _is_escape(event):
            return super().event(event)
        event.accept()
        if kind == QEvent.Type.KeyPress:
            self.left.emit()
        return True

    def show_looking(self) -> None:
        """Says that the model is being asked whether the thing is there."""
        if self.look_button.hasFocus():
            self.strike_button.setFocus(Qt.FocusReason.OtherFocusReason)
        self.look_button.setEnabled(False)
        self.look_button.setText(self.tr("Looking…"))

    def show_at(self, word: Sequence[QRect], kept_free: Sequence[QRect] = ()) -> None:
        """Appears near a word without covering it or what is to be `kept_free`.

        The parts of the word and these are in screen coordinates.
        """
        parent, column = self._window, self._column
        inside = parent.rect().adjusted(_MARGIN, _MARGIN, -_MARGIN, -_MARGIN)
        self.setFixedWidth(min(_WIDTH, inside.width()))
        column.invalidate()
        column.activate()
        size = QSize(self.width(), column.totalHeightForWidth(self.width()))
        near, free = ([self._in_window(rect) for rect in rects] for rects in (word, kept_free))
        self.setGeometry(place_beside(near, free, size, inside))
        self.show()
        self.raise_()

    def _in_window(self, rect: QRect) -> QRect:
        return QRect(self._window.mapFromGlobal(rect.topLeft()), rect.size())

    def _reachable(self) -> list[QPushButton]:
        buttons = (self.look_button, self.strike_button)
        return [one for one in buttons if one.isVisible() and one.isEnabled()]

    def _build(self) -> None:
        self.word_label = QLabel()
        self.word_label.setProperty("class", "section")
        self.word_label.setTextFormat(Qt.TextFormat.PlainText)
        self.doubt_label = QLabel()
        self.doubt_label.setObjectName("doubt_label")
        head = QHBoxLayout()
        head.addWidget(self.word_label, 1)
        head.addWidget(self.doubt_label)
        self._rows = [
            (_cell(number == 0), _Share(self._theme, number == 0), _cell(number == 0))
            for number in range(1 + _RUNNERS_UP)
        ]
        candidates = QGridLayout()
        candidates.setHorizontalSpacing(8)
        candidates.setVerticalSpacing(2)
        candidates.setColumnStretch(1, 1)
        for number, (name, bar, share) in enumerate(self._rows):
            name.setMaximumWidth(120)
            candidates.addWidget(name, number, 0)
            candidates.addWidget(bar, number, 1)
            candidates.addWidget(share, number, 2, Qt.AlignmentFlag.AlignRight)
        self.alone_label = _line()
        self.alone_label.setText(self.tr("No other word was likely."))
        self.gain_label = _line()
        self.presence_label = _line()
        self.map_label = _line()
        self.look_button = _button(self.tr("Look again"))
        self.look_button.setToolTip(self.tr("Ask the model whether it is there"))
        self.strike_button = _button(self.tr("Strike out"))
        self.action_row = QWidget()
        row = QHBoxLayout(self.action_row)
        row.setContentsMargins(0, 6, 0, 0)
        row.setSpacing(8)
        row.addWidget(self.look_button)
        row.addWidget(self.strike_button)
        row.addStretch(1)
        self._column = column = QVBoxLayout(self)
        column.setContentsMargins(12, 8, 12, 10)
        column.setSpacing(6)
        column.addLayout(head)
        column.addLayout(candidates)
        column.addWidget(self.alone_label)
        column.addWidget(self.gain_label)
        column.addWidget(self.presence_label)
        column.addWidget(self.map_label)
        column.addWidget(self.action_row)

    def _show_candidates(self, word: Word) -> None:
        rows = [(word.text, word.probability)]
        rows += [(one.text.strip() or "…", one.probability) for one in runners_up(word)]
        self.alone_label.setVisible(len(rows) == 1)
        for number, widgets in enumerate(self._rows):
            for widget in widgets:
                widget.setVisible(number < len(rows))
            if number < len(rows):
                (text, probability), (name, bar, share) = rows[number], widgets
                name.setText(text)
                bar.show_share(probability)
                share.setText(probability_text(probability))


def place_beside(
    word: Sequence[QRect], kept_free: Sequence[QRect], size: QSize, inside: QRect
) -> QRect:
    """Returns a place of this size for the popup of a word, whose parts these are.

    Right below the word is best, then what is near that. Where nothing is free, it covers as little
    as can be, and rather anything else than the word.
    """
    avoided = [*word, *kept_free]
    tops = [max(one.bottom() for one in word) + _GAP]
    tops.append(min(one.top() for one in word) - _GAP - size.height())
    lefts = [word[0].left() - _INDENT]
    for one in avoided:
        lefts += [one.right() + _GAP, one.left() - _GAP - size.width()]
        tops += [one.bottom() + _GAP, one.top() - _GAP - size.height()]

    def cost(place: QRect) -> tuple[int, int, int]:
        covered = [_area(place & one) for one in avoided]
        away = abs(place.left() - lefts[0]) + 2 * abs(place.top() - tops[0])
        return sum(covered[: len(word)]), sum(covered), away

    places = [_moved_inside(QRect(QPoint(x, y), size), inside) for y in tops for x in lefts]
    return min(places, key=cost)


def _moved_inside(place: QRect, inside: QRect) -> QRect:
    left = max(inside.left(), min(place.left(), inside.right() - place.width() + 1))
    top = max(inside.top(), min(place.top(), inside.bottom() - place.height() + 1))
    return QRect(QPoint(left, top), place.size())


def _area(rect: QRect) -> int:
    return max(0, rect.width()) * max(0, rect.height())


class _Share(QWidget):
    """A bar as long as a probability."""

    def __init__(self, theme: Theme, is_said: bool):
        super().__init__()
        self._theme, self._probability, self._is_said = theme, 0.0, is_said
        self.setMinimumWidth(48)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)

    def show_share(self, probability: float) -> None:
        """Sets the probability."""
        self._probability = probability
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        with QPainter(self) as painter:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(Qt.PenStyle.NoPen)
            middle = self.height() / 2
            painter.setBrush(self._theme.colour("border"))
            painter.drawRoundedRect(QRectF(0, middle - 2, self.width(), 4), 2, 2)
            painter.setBrush(self._theme.colour("accent" if self._is_said else "border_strong"))
            width = max(3.0, self.width() * min(1.0, self._probability))
            painter.drawRoundedRect(QRectF(0, middle - 2, width, 4), 2, 2)


def runners_up(word: Word) -> list[Candidate]:
    """Returns the likely candidates, without the word itself and its own first token."""
    said = word.text.strip().casefold()
    others = [one for one in word.candidates if not _begins(said, one.text.strip().casefold())]
    return [one for one in others if one.probability >= _NEAR][:_RUNNERS_UP]


def _begins(said: str, part: str) -> bool:
    return bool(part) and said.startswith(part)


def probability_text(probability: float) -> str:
    """Says a probability in percent."""
    if probability > 0.99:
        return translate("WordPopup", "over 99%")
    if probability < 0.01:
        return translate("WordPopup", "under 1%")
    return f"{probability:.0%}"


def gain_text(gain: float) -> str:
    """Says how much the picture adds to the word's likelihood; `gain` in nats."""
    if abs(gain) < _ADDS_LITTLE:
        return translate("WordPopup", "The text alone makes it just as likely.")
    if gain < 0:
        less = translate("WordPopup", "The image makes it {count} times less likely.")
        return less.format(count=_times_text(-gain))
    more = translate("WordPopup", "The image makes it {count} times more likely.")
    return more.format(count=_times_text(gain))


def _times_text(nats: float) -> str:
    """Says how many times as likely `nats` are."""
    if nats >= _MANY_TIMES:
        return translate("WordPopup", "over 1,000")
    times = math.exp(nats)
    return f"{times:.0f}" if times >= 9.5 else f"{times:.1f}"


def presence_text(presence: Presence) -> str:
    """Says what the model answers when asked whether the thing is there."""
    if presence.is_affirmed:
        said = translate("WordPopup", "Asked “{question}”, it answered yes.")
    elif presence.log_odds > 0:
        said = translate(
            "WordPopup",
            "Asked “{question}”, it answered yes, as it does for things that are not there.",
        )
    else:
        said = translate("WordPopup", "Asked “{question}”, it answered no.")
    return said.format(question=presence.question)


def _doubt_text(step: int) -> str:
    texts = ("", translate("WordPopup", "doubtful"), translate("WordPopup", "very doubtful"))
    return texts[step]


def _line() -> QLabel:
    return paragraph(style="explanation", is_selectable=False)


def _cell(is_said: bool) -> QLabel:
    label = QLabel()
    label.setProperty("class", "said" if is_said else "explanation")
    label.setTextFormat(Qt.TextFormat.PlainText)
    return label


def _button(text: str) -> QPushButton:
    button = QPushButton(text)
    button.setProperty("class", "small")
    button.setAutoDefault(False)
    button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    return button
