"""One question and its answer, with what can be done to them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, QObject, Qt, QTimer, Signal, Slot
from PySide6.QtGui import QGuiApplication, QKeyEvent
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QPlainTextEdit,
    QPushButton,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from core.question import question_about
from core.transcript import Answer, Ending, Span, without
from gui.answer_text import AnswerText
from gui.line_break import breakable
from gui.theme import Theme

if TYPE_CHECKING:
    from core.words import Evidence

_ANSWERING = "Answering…"
_ENDINGS = {
    Ending.COMPLETE: "complete",
    Ending.LENGTH: "length reached",
    Ending.STOPPED: "stopped",
}
_INSPECT = "See what went through the model (Ctrl+I)"
_COPIED_MS = 1500


class ExchangeView(QFrame):
    """A question and its answer, with what can be done to them."""

    regenerate_asked = Signal()
    edited = Signal(str)
    inspect_asked = Signal()
    answer_entered = Signal()
    height_changed = Signal()

    def __init__(self, theme: Theme, prompt: str, parent: QWidget):
        super().__init__(parent)
        self.setProperty("class", "exchange")
        self.prompt = prompt
        self.answer = ""
        self.evidence: Evidence | None = None
        self.struck: tuple[Span, ...] = ()
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

    @property
    def text(self) -> str:
        """The answer without what was struck out; `answer` is what the model said."""
        return without(self.answer, self.struck)

    def show_evidence(self, evidence: Evidence) -> bool:
        """Let the words be pointed at. False when they are not this answer's."""
        words = evidence.words
        if any(self.answer[word.begin : word.end] != word.text for word in words):
            return False
        self.evidence = evidence
        self.answer_text.words.show(words)
        return True

    def set_trace_obstacle(self, reason: str) -> None:
        """Why what went through the model cannot be seen, "" when it can."""
        self.inspect_button.setEnabled(not reason)
        self.inspect_button.setToolTip(reason or _INSPECT)

    def show_struck(self, struck: Sequence[Span]) -> None:
        """These parts of the answer are struck out; they can still be read."""
        self.struck = tuple(struck)
        self.answer_text.words.strike(self.answer, self.struck)

    def can_look_again(self, index: int) -> bool:
        """Whether the model can be asked for the thing that this word names."""
        return question_about(self.answer, self.answer_text.words.words[index]) is not None

    def copy(self) -> None:
        """The answer as the model said it, less what was struck out."""
        QGuiApplication.clipboard().setText(self.text)
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
        self.question_label = QLabel(breakable(self.prompt))
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
        self.answer_text.entered.connect(self._on_answer_entered)
        self.answer_text.hide()
        self.foot_label = QLabel()
        self.foot_label.setProperty("class", "foot")
        self.foot_label.setWordWrap(True)
        self.foot_label.setIndent(0)
        self.copy_button = self._action("copy", "Copy this answer", self.copy)
        self.again_button = self._action(
            "again", "Answer once more, in other words (Ctrl+R)", self.regenerate_asked.emit
        )
        self.inspect_button = self._action("inspect", _INSPECT, self.inspect_asked.emit)
        foot = QHBoxLayout()
        foot.setContentsMargins(0, 0, 0, 0)
        foot.setSpacing(0)
        foot.addWidget(self.foot_label, 1)
        foot.addWidget(self.inspect_button, 0, Qt.AlignmentFlag.AlignTop)
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
        self.inspect_button.setVisible(done and bool(self.answer))
        self.again_button.setVisible(again and self.error_line is None)
        if self.error_line is not None:
            self.error_line.try_button.setVisible(again)

    @Slot()
    def _on_answer_entered(self) -> None:
        if not self.is_open and self.evidence is None:
            self.answer_entered.emit()

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


class _ErrorLine(QFrame):
    """Why there is no answer, and the way to try again."""

    def __init__(self, text: str):
        super().__init__()
        self.setProperty("class", "error_line")
        self.label = QLabel(breakable(text))
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
