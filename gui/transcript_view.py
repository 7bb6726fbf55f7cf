"""Shows a conversation, its last answer growing piece by piece."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

from PySide6.QtCore import QEvent, QObject, Qt, QTimer, Signal, Slot
from PySide6.QtGui import QGuiApplication, QKeyEvent, QResizeEvent, QWheelEvent
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QPlainTextEdit,
    QPushButton,
    QScrollArea,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from core.transcript import Answer, Ending, Exchange, Transcript
from gui.answer_text import AnswerText
from gui.theme import Theme

LOOKING = "Looking at the picture…"
_ANSWERING = "Answering…"
WAITING = "The model is still loading; your question waits."
_ONLY_DRAWINGS = (
    "The built-in model knows drawn pictures, not photographs. "
    '<a href="model" style="text-decoration: none; font-weight: 600">Load&nbsp;LLaVA-1.5…</a>'
)
_ENDINGS = {
    Ending.COMPLETE: "complete",
    Ending.LENGTH: "length reached",
    Ending.STOPPED: "stopped",
}
_SLICE_SECONDS = 0.012
_NEAR_END = 8
_BOTTOM = 12
_COPIED_MS = 1500


class TranscriptView(QFrame):
    """One widget an exchange, under each other; each keeps its text as the model said it.

    `regenerate_asked()`: answer the last question anew. `edited(int, str)`: ask the question at
    this index in other words. `model_requested()`: the way to the real model. `changed()`: an
    answer began or ended, or the conversation is another.
    Conversations of any length are laid out in slices, the part in sight first.
    """

    regenerate_asked = Signal()
    edited = Signal(int, str)
    model_requested = Signal()
    changed = Signal()

    def __init__(self, theme: Theme, parent: QWidget | None = None):
        super().__init__(parent)
        self.setObjectName("transcript_view")
        self._theme = theme
        self._waiting_text = LOOKING
        self._exchanges: list[ExchangeView] = []
        self._earlier: list[Exchange] = []
        self._build()
        self.scroll_area.end_left.connect(self.end_button.setVisible)
        self.end_button.clicked.connect(self.scroll_area.go_to_end)
        self.drawings_label.linkActivated.connect(self._on_link_activated)

    @property
    def exchange_views(self) -> list[ExchangeView]:
        """Those laid out so far, oldest first."""
        return list(self._exchanges)

    @property
    def has_exchanges(self) -> bool:
        return bool(self._exchanges)

    @property
    def is_answering(self) -> bool:
        return bool(self._exchanges) and self._exchanges[-1].is_open

    def begin_answer(self, prompt: str) -> None:
        """A question was asked; its answer is to come."""
        if self._exchanges:
            self._exchanges[-1].set_last(False)
        view = self._make_view(prompt)
        self._exchanges.append(view)
        view.begin(self._waiting_text)
        view.set_last(True)
        self._set_idle(False)
        self.scroll_area.add(view)
        self.scroll_area.go_to_end()
        self._show_emptiness()

    def append(self, piece: str) -> None:
        """Add to the answer under way."""
        if self.is_answering:
            self._exchanges[-1].append(piece)

    def finish(self, answer: Answer) -> None:
        """The answer under way is complete: its whole text and what it took."""
        if self.is_answering:
            self._exchanges[-1].finish(answer)
            self._set_idle(True)

    def fail(self, text: str) -> None:
        """There is no answer; `text` says why. What was said so far stays."""
        if self.is_answering:
            self._exchanges[-1].fail(text)
            self._set_idle(True)

    def clear(self) -> None:
        self._keep(0)

    def cut(self, count: int) -> None:
        """Keep the first `count` exchanges: what follows was asked anew."""
        if len(self._earlier) + len(self._exchanges) > count:
            self._finish_laying_out()
            self._keep(count)

    def show_transcript(self, transcript: Transcript) -> None:
        """Show a conversation from its end; the earlier part follows in slices."""
        self._keep(0)
        self._earlier = list(transcript.exchanges)
        self._add_earlier()
        if self._exchanges:
            self._exchanges[-1].set_last(True)
            self._set_idle(True)
        self.scroll_area.go_to_end()
        self._show_emptiness()

    def show_only_drawings(self, only_drawings: bool) -> None:
        """Whether to say that the model that answers knows drawn pictures only."""
        self.drawings_label.setVisible(only_drawings)

    def set_loading(self, is_loading: bool) -> None:
        """Whether a question waits for the model rather than for its first word."""
        self._waiting_text = WAITING if is_loading else LOOKING
        if self.is_answering:
            self._exchanges[-1].wait(self._waiting_text)

    def text(self) -> str:
        """The whole conversation as plain text."""
        earlier = [_as_text(e.prompt, e.answer.text if e.answer else "") for e in self._earlier]
        shown = [_as_text(view.prompt, view.answer) for view in self._exchanges]
        return "\n\n".join(earlier + shown)

    def copy_all(self) -> None:
        if text := self.text():
            QGuiApplication.clipboard().setText(text)

    def copy_last(self) -> None:
        if self._exchanges:
            self._exchanges[-1].copy()

    # Parts

    def _build(self) -> None:
        self.drawings_label = QLabel(_ONLY_DRAWINGS)
        self.drawings_label.setObjectName("drawings_label")
        self.drawings_label.setWordWrap(True)
        self.drawings_label.setIndent(0)
        self.drawings_label.setTextInteractionFlags(
            Qt.TextInteractionFlag.LinksAccessibleByMouse
            | Qt.TextInteractionFlag.LinksAccessibleByKeyboard
        )
        self.drawings_label.hide()
        self.scroll_area = _Scroll()
        self.scroll_area.setObjectName("transcript_scroll")
        self.empty_label = QLabel("What the model sees will appear here, word by word.")
        self.empty_label.setObjectName("transcript_empty")
        self.empty_label.setWordWrap(True)
        self.empty_label.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.end_button = QToolButton(self.scroll_area)
        self.end_button.setObjectName("end_button")
        self.end_button.setToolTip("Jump to the end (End)")
        self.end_button.setAccessibleName("Jump to the end")
        self._theme.set_icon(self.end_button, "down", "text")
        self.end_button.hide()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.drawings_label)
        column.addWidget(self.empty_label, 1)
        column.addWidget(self.scroll_area, 1)
        self.scroll_area.hide()
        self._rest = QTimer(self, singleShot=True, interval=0)
        self._rest.timeout.connect(self._add_earlier)
        self.scroll_area.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if watched is self.scroll_area and event.type() == QEvent.Type.Resize:
            side = self.end_button.sizeHint()
            x = (self.scroll_area.viewport().width() - side.width()) // 2
            self.end_button.move(x, self.scroll_area.height() - side.height() - 12)
        return super().eventFilter(watched, event)

    def _make_view(self, prompt: str) -> ExchangeView:
        view = ExchangeView(self._theme, prompt, self.scroll_area.column)
        view.regenerate_asked.connect(self.regenerate_asked)
        view.edited.connect(self._on_edited)
        self._theme.text_size_changed.connect(view.take_text_size)
        return view

    @Slot()
    def _add_earlier(self) -> None:
        """Lay out exchanges not shown yet, the latest first, for one slice of time."""
        until = time.perf_counter() + _SLICE_SECONDS
        while self._earlier and time.perf_counter() < until:
            exchange = self._earlier.pop()
            view = self._make_view(exchange.prompt)
            if exchange.answer:
                view.begin("")
                view.finish(exchange.answer)
            else:
                view.fail("This question was not answered.")
            view.set_idle(True)
            self._exchanges.insert(0, view)
            self.scroll_area.add(view, at=0)
        if self._earlier:
            self._rest.start()

    def _finish_laying_out(self) -> None:
        while self._earlier:
            self._add_earlier()

    def _keep(self, count: int) -> None:
        self._earlier = []
        self._rest.stop()
        self.scroll_area.keep(count)
        del self._exchanges[count:]
        if self._exchanges:
            self._exchanges[-1].set_last(True)
        self._set_idle(True)
        self._show_emptiness()

    def _set_idle(self, is_idle: bool) -> None:
        for view in self._exchanges:
            view.set_idle(is_idle)
        self.changed.emit()

    def _show_emptiness(self) -> None:
        self.scroll_area.setVisible(bool(self._exchanges))
        self.empty_label.setVisible(not self._exchanges)
        self.changed.emit()

    @Slot()
    def _on_link_activated(self) -> None:
        self.model_requested.emit()

    @Slot(str)
    def _on_edited(self, text: str) -> None:
        view = self.sender()
        if isinstance(view, ExchangeView) and view in self._exchanges:
            index = len(self._earlier) + self._exchanges.index(view)
            self.edited.emit(index, text)


class ExchangeView(QFrame):
    """A question and its answer, with what can be done to them."""

    regenerate_asked = Signal()
    edited = Signal(str)
    height_changed = Signal()

    def __init__(self, theme: Theme, prompt: str, parent: QWidget):
        super().__init__(parent)
        self.setProperty("class", "exchange")
        self.prompt = prompt
        self.answer = ""
        self.is_open = False
        self._theme = theme
        self._is_last = False
        self._is_idle = True
        self._width = 0
        self._question_edit: _QuestionEdit | None = None
        self.error_line: _ErrorLine | None = None
        self._build()

    def begin(self, waiting_text: str) -> None:
        self.is_open = True
        self.answer = ""
        self.wait(waiting_text)

    def wait(self, text: str) -> None:
        """Say what is waited for, while nothing is said."""
        if not self.answer:
            self.foot_label.setText(text)

    def append(self, piece: str) -> None:
        if not self.answer:
            self.answer_text.show()
            self.foot_label.setText(_ANSWERING)
        self.answer += piece
        self.answer_text.append_piece(piece)

    def finish(self, answer: Answer) -> None:
        self.is_open = False
        self.answer = answer.text
        self.answer_text.setVisible(bool(answer.text))
        self.answer_text.show_complete(answer.text)
        self.foot_label.setText(foot_line(answer))
        self._show_actions()
        self.height_changed.emit()

    def fail(self, text: str) -> None:
        self.is_open = False
        self.foot_label.setText("")
        self.error_line = _ErrorLine(text)
        self.error_line.try_button.clicked.connect(self.regenerate_asked)
        self._column.insertWidget(self._column.count() - 1, self.error_line)
        self.error_line.show()
        self._show_actions()
        self.height_changed.emit()

    def copy(self) -> None:
        """The answer exactly as the model said it."""
        QGuiApplication.clipboard().setText(self.answer)
        self._theme.set_icon(self.copy_button, "check", "accent")
        self.copy_button.setToolTip("Copied")
        self._copied.start()

    def set_last(self, is_last: bool) -> None:
        self._is_last = is_last
        self._show_actions()

    def set_idle(self, is_idle: bool) -> None:
        """While an answer is written nothing can be asked again; an edit can be prepared."""
        self._is_idle = is_idle
        if self._question_edit is not None:
            self._question_edit.ask_button.setEnabled(is_idle)
        if self._is_last:
            self._show_actions()

    def fit(self, width: int) -> int:
        """Take this width; the height it then needs."""
        self._width = width
        margins = self._column.contentsMargins()
        self.answer_text.fit(width - margins.left() - margins.right())
        self._column.invalidate()
        return self._column.totalHeightForWidth(width)

    @Slot()
    def take_text_size(self) -> None:
        self.question_label.setFont(self._theme.asking_font)
        self.answer_text.setFont(self._theme.reading_font)
        self.height_changed.emit()

    def edit(self) -> None:
        """Write the question anew, in its place."""
        if self._question_edit is not None:
            return
        editor = _QuestionEdit(self.prompt)
        editor.ask_button.setEnabled(self._is_idle)
        editor.done.connect(self._on_edit_done)
        self._question_edit = editor
        self.question_line.hide()
        self._column.insertWidget(0, editor)
        editor.show()
        self.height_changed.emit()
        editor.begin()

    # Parts

    def _build(self) -> None:
        self.question_label = QLabel(self.prompt)
        self.question_label.setProperty("class", "question")
        self.question_label.setFont(self._theme.asking_font)
        self.question_label.setTextFormat(Qt.TextFormat.PlainText)
        self.question_label.setWordWrap(True)
        self.question_label.setIndent(0)
        self.question_label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.edit_button = self._action("edit", "Edit this question and ask again", self.edit)
        self.question_line = QWidget()
        line = QHBoxLayout(self.question_line)
        line.setContentsMargins(0, 0, 0, 0)
        line.setSpacing(4)
        line.addWidget(self.question_label, 1)
        line.addWidget(self.edit_button, 0, Qt.AlignmentFlag.AlignTop)
        self.answer_text = AnswerText(self._theme)
        self.answer_text.height_changed.connect(self.height_changed)
        self.answer_text.hide()
        self.foot_label = QLabel()
        self.foot_label.setProperty("class", "foot")
        self.foot_label.setWordWrap(True)
        self.foot_label.setIndent(0)
        self.copy_button = self._action("copy", "Copy this answer", self.copy)
        self.again_button = self._action(
            "again", "Answer once more (Ctrl+R)", self.regenerate_asked.emit
        )
        foot = QHBoxLayout()
        foot.setContentsMargins(0, 0, 0, 0)
        foot.setSpacing(0)
        foot.addWidget(self.foot_label, 1)
        foot.addWidget(self.copy_button, 0, Qt.AlignmentFlag.AlignTop)
        foot.addWidget(self.again_button, 0, Qt.AlignmentFlag.AlignTop)
        self._column = column = QVBoxLayout(self)
        column.setContentsMargins(16, 12, 8, 4)
        column.setSpacing(4)
        column.addWidget(self.question_line)
        column.addSpacing(4)
        column.addWidget(self.answer_text)
        column.addLayout(foot)
        self._copied = QTimer(self, singleShot=True, interval=_COPIED_MS)
        self._copied.timeout.connect(self._on_copied_over)
        self._show_actions()

    def _action(self, icon: str, name: str, act: Callable[[], None]) -> QToolButton:
        button = QToolButton()
        button.setProperty("class", "action")
        button.setToolTip(name)
        button.setAccessibleName(name)
        button.clicked.connect(act)
        policy = button.sizePolicy()
        policy.setRetainSizeWhenHidden(True)
        button.setSizePolicy(policy)
        self._theme.set_icon(button, icon, "text_quiet")
        return button

    def _show_actions(self) -> None:
        done = not self.is_open
        again = done and self._is_last and self._is_idle
        self.copy_button.setVisible(done and bool(self.answer))
        self.again_button.setVisible(again and self.error_line is None)
        if self.error_line is not None:
            self.error_line.try_button.setVisible(again)

    @Slot()
    def _on_copied_over(self) -> None:
        self._theme.set_icon(self.copy_button, "copy", "text_quiet")
        self.copy_button.setToolTip("Copy this answer")

    @Slot(str)
    def _on_edit_done(self, text: str) -> None:
        """ "" when the edit was given up."""
        editor, self._question_edit = self._question_edit, None
        if editor is not None:
            self._column.removeWidget(editor)
            editor.hide()
            editor.deleteLater()
        self.question_line.show()
        self.height_changed.emit()
        if text:
            self.edited.emit(text)


def foot_line(answer: Answer) -> str:
    """What the answer took, in one line."""
    count = "1 token" if answer.tokens == 1 else f"{answer.tokens} tokens"
    facts = [count]
    if answer.tokens and answer.seconds_to_first_token:
        facts.append(f"{answer.seconds_to_first_token:.2f} s to the first")
    if answer.tokens_per_second:
        speed = answer.tokens_per_second
        facts.append(f"{speed:.0f} tokens/s" if speed >= 10 else f"{speed:.1f} tokens/s")
    facts.append(_ENDINGS[answer.ending])
    if answer.left_out:
        pairs = "question" if answer.left_out == 1 else "questions"
        facts.append(f"without {answer.left_out} earlier {pairs}")
    return " · ".join(facts)


def _as_text(prompt: str, answer: str) -> str:
    return f"{prompt}\n{answer}" if answer else prompt


class _Scroll(QScrollArea):
    """Follows the end until the reader scrolls up. What moves is only what must.

    `end_left(bool)`: whether the reader is away from the end.
    """

    end_left = Signal(bool)

    def __init__(self) -> None:
        super().__init__()
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOn)
        self.column = QWidget()
        self.column.setObjectName("transcript_column")
        self.setWidget(self.column)
        self._views: list[ExchangeView] = []
        self._stale: list[ExchangeView] = []
        self._follows = True
        self._read: ExchangeView | None = None
        self._read_offset = 0
        self._places = False
        self._fits = False
        self._rest = QTimer(self, singleShot=True, interval=0)
        self._rest.timeout.connect(self._settle)
        bar = self.verticalScrollBar()
        bar.valueChanged.connect(self._on_scrolled)
        # Always there, so that the text's width stays; seen only when there is more.
        bar.rangeChanged.connect(self._on_range_changed)

    @property
    def follows_end(self) -> bool:
        return self._follows

    def add(self, view: ExchangeView, at: int | None = None) -> None:
        index = len(self._views) if at is None else at
        self._views.insert(index, view)
        view.height_changed.connect(self._on_height_changed)
        view.show()
        self._fit(view)
        self._place(index)

    def keep(self, count: int) -> None:
        """Remove all but the first `count`."""
        for view in self._views[count:]:
            view.hide()
            view.deleteLater()
        del self._views[count:]
        self._stale = [view for view in self._stale if view in self._views]
        self._place(count)

    @Slot()
    def go_to_end(self) -> None:
        self._follow(True)
        bar = self.verticalScrollBar()
        bar.setValue(bar.maximum())

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if self.viewport().width() != self.column.width():
            self._stale = list(self._views)
            self._settle()
        else:
            self._place(len(self._views))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        bar = self.verticalScrollBar()
        match event.key():
            case Qt.Key.Key_Home:
                bar.setValue(0)
            case Qt.Key.Key_End:
                self.go_to_end()
            case _:
                super().keyPressEvent(event)

    def wheelEvent(self, event: QWheelEvent) -> None:
        super().wheelEvent(event)
        event.accept()

    def _fit(self, view: ExchangeView) -> None:
        width = self.viewport().width()
        self._fits = True
        view.resize(width, view.fit(width))
        self._fits = False

    @Slot()
    def _settle(self) -> None:
        """Fit what has another width, the part in sight first, for one slice of time."""
        until = time.perf_counter() + _SLICE_SECONDS
        seen = self.viewport().rect().translated(0, self.verticalScrollBar().value())
        self._stale.sort(key=lambda view: view.geometry().intersects(seen))
        first = None
        while self._stale and time.perf_counter() < until:
            view = self._stale.pop()
            self._fit(view)
            first = view
        if first is not None:
            self._place(0)
        if self._stale:
            self._rest.start()

    def _place(self, start: int) -> None:
        """Put the exchanges from `start` on under each other; what is being read stays put."""
        bar = self.verticalScrollBar()
        self._places = True
        y = self._views[start - 1].geometry().bottom() + 1 if start > 0 and self._views else 0
        for view in self._views[start:]:
            if view.y() != y:
                view.move(0, y)
            y += view.height()
        height = max(y + _BOTTOM, self.viewport().height())
        self.column.resize(self.viewport().width(), height)
        if self._follows:
            bar.setValue(bar.maximum())
        elif self._read is not None and self._read in self._views:
            bar.setValue(self._read.y() + self._read_offset)
        self._places = False

    def _follow(self, follows: bool) -> None:
        if follows != self._follows:
            self._follows = follows
            self.end_left.emit(not follows)

    @Slot(int, int)
    def _on_range_changed(self, smallest: int, largest: int) -> None:
        self.verticalScrollBar().setEnabled(largest > smallest)

    @Slot()
    def _on_scrolled(self) -> None:
        if not self._places:
            bar = self.verticalScrollBar()
            self._follow(bar.value() >= bar.maximum() - _NEAR_END)
            # The topmost exchange in sight, and how far it is scrolled.
            seen = (view for view in self._views if view.geometry().bottom() >= bar.value())
            self._read = next(seen, None)
            self._read_offset = bar.value() - self._read.y() if self._read else 0

    @Slot()
    def _on_height_changed(self) -> None:
        view = self.sender()
        if not isinstance(view, ExchangeView) or view not in self._views or self._fits:
            return
        if view is self._views[-1]:
            self._fit(view)
            self._place(len(self._views) - 1)
        elif view not in self._stale:
            # All of them at once, when the type changes: in slices.
            self._stale.append(view)
            self._rest.start()


class _ErrorLine(QFrame):
    """Why there is no answer, and the way to try again."""

    def __init__(self, text: str):
        super().__init__()
        self.setProperty("class", "error_line")
        self.label = QLabel(text)
        self.label.setProperty("class", "error")
        self.label.setTextFormat(Qt.TextFormat.PlainText)
        self.label.setWordWrap(True)
        self.label.setIndent(0)
        self.label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.try_button = QPushButton("Try again")
        self.try_button.setProperty("class", "small")
        row = QHBoxLayout(self)
        row.setContentsMargins(12, 8, 8, 8)
        row.setSpacing(8)
        row.addWidget(self.label, 1)
        row.addWidget(self.try_button, 0, Qt.AlignmentFlag.AlignTop)


class _QuestionEdit(QFrame):
    """The question, to be written anew; Enter asks, Esc gives up."""

    done = Signal(str)

    def __init__(self, prompt: str):
        super().__init__()
        self.setProperty("class", "question_edit")
        self.edit = QPlainTextEdit(prompt)
        self.edit.setAccessibleName("The question, to edit")
        self.edit.setFrameShape(QFrame.Shape.NoFrame)
        self.edit.setTabChangesFocus(True)
        self.edit.installEventFilter(self)
        self.cancel_button = QPushButton("Cancel")
        self.cancel_button.setProperty("class", "small")
        self.ask_button = QPushButton("Ask again")
        self.ask_button.setProperty("class", "small")
        self.cancel_button.clicked.connect(partial(self.done.emit, ""))
        self.ask_button.clicked.connect(self._on_asked)
        row = QHBoxLayout()
        row.setSpacing(8)
        row.addStretch(1)
        row.addWidget(self.cancel_button)
        row.addWidget(self.ask_button)
        column = QVBoxLayout(self)
        column.setContentsMargins(8, 8, 8, 8)
        column.setSpacing(8)
        column.addWidget(self.edit)
        column.addLayout(row)
        lines = min(5, max(2, prompt.count("\n") + 1 + len(prompt) // 40))
        self.edit.setFixedHeight(lines * self.edit.fontMetrics().lineSpacing() + 16)

    def begin(self) -> None:
        self.edit.setFocus(Qt.FocusReason.OtherFocusReason)
        self.edit.selectAll()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if watched is self.edit and isinstance(event, QKeyEvent):
            pressed = event.type() == QEvent.Type.KeyPress
            shift = event.modifiers() & Qt.KeyboardModifier.ShiftModifier
            if event.key() == Qt.Key.Key_Escape:
                event.accept()  # also the ShortcutOverride: Esc ends the edit and nothing else
                if pressed:
                    self.done.emit("")
                return True
            if pressed and event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and not shift:
                self._on_asked()
                return True
        return super().eventFilter(watched, event)

    @Slot()
    def _on_asked(self) -> None:
        text = self.edit.toPlainText().strip()
        if text and self.ask_button.isEnabled():
            self.done.emit(text)
