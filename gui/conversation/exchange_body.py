"""The widgets of one exchange, which exist while it is in view or near it."""

from __future__ import annotations

from functools import partial

from PySide6.QtCore import QEvent, QObject, QPoint, QRect, QRectF, Qt, QTimer, Signal, Slot
from PySide6.QtGui import QImage, QKeyEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import (
    QAbstractButton,
    QApplication,
    QFrame,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from core.picture import PicturePart
from core.transcript import Variants
from gui.conversation.answer_text import AnswerText
from gui.conversation.part_button import PartButton
from gui.conversation.unknown_words import UnknownWords
from gui.conversation.variant_pager import VariantPager
from gui.widgets.buttons import icon_button, key_text
from gui.widgets.focus_ring import paint_focus
from gui.widgets.labels import paragraph
from gui.widgets.line_break import breakable, unbroken
from gui.widgets.text_direction import PlainTextEdit
from gui.widgets.theme import Theme

_COPIED_MS = 1500


class ExchangeBody(QWidget):
    """Shows a question, its answer and the buttons; `ExchangeView` fills it.

    `part_chosen()`: the part of the picture that the question is about was clicked.
    """

    part_chosen = Signal()

    def __init__(self, theme: Theme, prompt: str, parent: QWidget):
        super().__init__(parent)
        self._theme = theme
        self.error_line: ErrorLine | None = None
        self.part_button: PartButton | None = None
        self.question_edit: QuestionEdit | None = None
        self._build(prompt)
        self._copied = QTimer(self, singleShot=True, interval=_COPIED_MS)
        self._copied.timeout.connect(self._on_copied_over)

    @property
    def is_in_use(self) -> bool:
        """Whether deleting it would lose something: focus, a selection, an edit, a chosen word."""
        focused = QApplication.focusWidget()
        return (
            self.question_edit is not None
            or self._copied.isActive()
            or (focused is not None and self.isAncestorOf(focused))
            or bool(self.selected_text)
            or self.answer_text.words.chosen >= 0
        )

    @property
    def selected_text(self) -> str:
        """What is selected in the answer, or in the question."""
        selection = self.answer_text.textCursor().selection()
        return selection.toPlainText() or unbroken(self.question_label.selectedText())

    @property
    def focus_order(self) -> tuple[QWidget, ...]:
        """The widgets that Tab goes through, in order."""
        buttons = (self.inspect_button, self.copy_button, self.again_button)
        pages = self.answer_pager.buttons
        asked = (self.edit_button, *([self.part_button] if self.part_button else []))
        return *self.question_pager.buttons, *asked, self.answer_text, *pages, *buttons

    def button_rects(self) -> list[QRect]:
        """Returns where its buttons are, in screen coordinates."""
        buttons = (one for one in self.findChildren(QAbstractButton) if one.isVisible())
        return [QRect(one.mapToGlobal(QPoint()), one.size()) for one in buttons]

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if self.answer_text.shows_focus:
            with QPainter(self) as painter:
                around = QRectF(self.answer_text.geometry()).adjusted(-5, -3, 5, 3)
                paint_focus(painter, self, around)

    def fit(self, width: int) -> int:
        """Lays out to this width; returns the height that it needs."""
        margins = self.column.contentsMargins()
        self.answer_text.fit(width - margins.left() - margins.right())
        self.column.invalidate()
        return self.column.totalHeightForWidth(width)

    def apply_text_size(self) -> None:
        """Takes the theme's fonts, after their size changed."""
        self.question_label.setFont(self._theme.asking_font)
        self.answer_text.setFont(self._theme.reading_font)

    def show_answer(self, text: str) -> None:
        """Shows the whole answer; hides its widget while there is none."""
        self.answer_text.setVisible(bool(text))
        self.answer_text.show_complete(text)

    def show_error(self, text: str) -> QPushButton:
        """Says why there is no answer; returns the button that tries again."""
        self.error_line = ErrorLine(text)
        self.column.insertWidget(self.column.count() - 1, self.error_line)
        self.error_line.show()
        return self.error_line.try_button

    def hide_error(self) -> None:
        """Takes away what `show_error` showed."""
        line, self.error_line = self.error_line, None
        if line is not None:
            self.column.removeWidget(line)
            line.hide()
            line.deleteLater()

    def show_note(self, text: str, *, warns: bool) -> None:
        """Says something about the answer, below it; `warns` gives it the colour of a warning."""
        self.note_label.setText(text)
        self.note_label.setVisible(bool(text))
        self.note_label.setProperty("warns", warns)
        self.note_label.style().polish(self.note_label)

    def show_actions(self, *, answered: bool, again: bool) -> None:
        """Shows the buttons for an answer that is there, and those that ask `again`."""
        self.copy_button.setVisible(answered)
        self.inspect_button.setVisible(answered)
        self.again_button.setVisible(again and self.error_line is None)
        if self.error_line is not None:
            self.error_line.try_button.setVisible(again)

    def show_variants(self, variants: Variants, *, is_idle: bool) -> bool:
        """Shows which of several questions and answers it is; returns whether buttons were made."""
        answers_made = self.answer_pager.show_position(
            variants.answer, variants.answers, is_idle=is_idle
        )
        questions_made = self.question_pager.show_position(
            variants.question, variants.questions, is_idle=is_idle
        )
        return answers_made or questions_made

    def show_trace_obstacle(self, reason: str) -> None:
        """Says why the trace of the answer cannot be shown, "" if it can."""
        tip = self.tr("Inspect answer ({key})").format(key=key_text("Ctrl+I"))
        self.inspect_button.setEnabled(not reason)
        self.inspect_button.setToolTip(reason or tip)

    def show_copied(self) -> None:
        """Says for a moment that the answer was copied."""
        self._theme.set_icon(self.copy_button, "check", "accent")
        self.copy_button.setToolTip(self.tr("Copied"))
        self._copied.start()

    def show_question(self, prompt: str) -> None:
        """Shows another question; an edit that was begun goes on."""
        self.question_label.setText(breakable(prompt))

    def begin_edit(self, prompt: str) -> QuestionEdit:
        """Replaces the question by a field to edit it, and returns the field."""
        self.question_edit = editor = QuestionEdit(prompt)
        self.question_line.hide()
        self.column.insertWidget(0, editor)
        editor.show()
        return editor

    def show_part(self, part: PicturePart | None, image: QImage | None) -> None:
        """Shows the part of the picture that the question is about; None for all of it."""
        before, self.part_button = self.part_button, None
        if before is not None:
            self.column.removeWidget(before)
            before.hide()
            before.deleteLater()
        if part is not None:
            self.part_button = PartButton(part, image)
            self.part_button.clicked.connect(self.part_chosen)
            self.column.insertWidget(self.column.indexOf(self.question_line) + 1, self.part_button)

    @property
    def edit_height(self) -> int:
        """The height of the field in which the question is edited; 0 if there is none."""
        return self.question_edit.sizeHint().height() if self.question_edit else 0

    def end_edit(self) -> None:
        """Shows the question again."""
        editor, self.question_edit = self.question_edit, None
        if editor is not None:
            self.column.removeWidget(editor)
            editor.hide()
            editor.deleteLater()
        self.question_line.show()

    def show_number(self, number: int) -> None:
        """Tells screen readers which exchange of the conversation the buttons belong to."""
        names = {
            self.edit_button: self.tr("Edit question {number}"),
            self.copy_button: self.tr("Copy answer {number}"),
            self.again_button: self.tr("Regenerate answer {number}"),
            self.inspect_button: self.tr("Inspect answer {number}"),
            self.answer_text: self.tr("Answer {number}"),
        }
        for widget, name in names.items():
            widget.setAccessibleName(name.format(number=number))
        self.question_pager.set_spoken_names(
            self.tr("Previous version of question {number}").format(number=number),
            self.tr("Next version of question {number}").format(number=number),
        )
        self.answer_pager.set_spoken_names(
            self.tr("Previous version of answer {number}").format(number=number),
            self.tr("Next version of answer {number}").format(number=number),
        )

    def _build(self, prompt: str) -> None:
        self.answer_text = AnswerText(self._theme)
        self.answer_text.hide()
        self.note_label = paragraph(style="note")
        self.note_label.hide()
        self.question_line = self._build_question_line(prompt)
        # The menu is the exchange's, not Qt's own for text.
        for label in (self.question_label, self.note_label):
            label.setContextMenuPolicy(Qt.ContextMenuPolicy.NoContextMenu)
        self.column = column = QVBoxLayout(self)
        # On the right there is room for the button that goes to the end.
        column.setContentsMargins(16, 12, 12, 4)
        column.setSpacing(4)
        column.addWidget(self.question_line)
        column.addSpacing(4)
        column.addWidget(self.answer_text)
        column.addWidget(self.note_label)
        column.addLayout(self._build_foot())

    def _build_question_line(self, prompt: str) -> QWidget:
        self.question_label = paragraph(breakable(prompt), "question")
        self.question_label.setFont(self._theme.asking_font)
        self.edit_button = self._action("edit", self.tr("Edit question"))
        self.question_pager = VariantPager(
            self._theme,
            self.tr("Previous question"),
            self.tr("Next question"),
            self.tr("Question {number} of {count}"),
        )
        question_line = QWidget()
        line = QHBoxLayout(question_line)
        line.setContentsMargins(0, 0, 0, 0)
        line.setSpacing(4)
        line.addWidget(self.question_label, 1)
        line.addWidget(self.question_pager, 0, Qt.AlignmentFlag.AlignTop)
        line.addWidget(self.edit_button, 0, Qt.AlignmentFlag.AlignTop)
        return question_line

    def _build_foot(self) -> QHBoxLayout:
        self.answer_pager = VariantPager(
            self._theme,
            self.tr("Previous answer"),
            self.tr("Next answer"),
            self.tr("Answer {number} of {count}"),
        )
        self.foot_label = QLabel()
        self.foot_label.setProperty("class", "foot")
        self.foot_label.setWordWrap(True)
        self.foot_label.setIndent(0)
        self.copy_button = self._action("copy", self.tr("Copy answer"))
        self.again_button = self._action(
            "again", self.tr("Regenerate answer ({key})").format(key=key_text("Ctrl+R"))
        )
        self.inspect_button = self._action(
            "inspect", self.tr("Inspect answer ({key})").format(key=key_text("Ctrl+I"))
        )
        foot = QHBoxLayout()
        foot.setContentsMargins(0, 0, 0, 0)
        foot.setSpacing(0)
        foot.addWidget(self.answer_pager, 0, Qt.AlignmentFlag.AlignTop)
        foot.addWidget(self.foot_label, 1)
        for button in (self.inspect_button, self.copy_button, self.again_button):
            foot.addWidget(button, 0, Qt.AlignmentFlag.AlignTop)
        return foot

    @Slot()
    def _on_copied_over(self) -> None:
        self._theme.set_icon(self.copy_button, "copy", "text_quiet")
        self.copy_button.setToolTip(self.tr("Copy answer"))

    def _action(self, icon: str, name: str) -> QToolButton:
        button = icon_button(self._theme, icon, name)
        policy = button.sizePolicy()
        policy.setRetainSizeWhenHidden(True)
        button.setSizePolicy(policy)
        return button


class ErrorLine(QFrame):
    """Says why there is no answer, and has a button to try again."""

    def __init__(self, text: str):
        super().__init__()
        self.setProperty("class", "error_line")
        self.label = paragraph(breakable(text), "error")
        self.label.setContextMenuPolicy(Qt.ContextMenuPolicy.NoContextMenu)
        self.try_button = QPushButton(self.tr("Try again"))
        self.try_button.setProperty("class", "small")
        row = QHBoxLayout(self)
        row.setContentsMargins(12, 8, 8, 8)
        row.setSpacing(8)
        row.addWidget(self.label, 1)
        row.addWidget(self.try_button, 0, Qt.AlignmentFlag.AlignTop)


class QuestionEdit(QFrame):
    """Edits a question; Enter asks, Esc gives up.

    `done(str)`: the edited question, or "" if the edit was given up. `resized()`: it has another
    height.
    """

    done = Signal(str)
    resized = Signal()

    def __init__(self, prompt: str):
        super().__init__()
        self.setProperty("class", "question_edit")
        self.edit = PlainTextEdit(prompt)
        self.edit.setAccessibleName(self.tr("Question"))
        self.edit.setFrameShape(QFrame.Shape.NoFrame)
        self.edit.setTabChangesFocus(True)
        self.edit.installEventFilter(self)
        self.unknown_words = UnknownWords()
        self.edit.textChanged.connect(self._on_text_changed)
        self.cancel_button = QPushButton(self.tr("Cancel"))
        self.cancel_button.setProperty("class", "small")
        self.ask_button = QPushButton(self.tr("Ask again"))
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
        column.addWidget(self.unknown_words)
        column.addLayout(row)
        lines = min(5, max(2, prompt.count("\n") + 1 + len(prompt) // 40))
        self.edit.setFixedHeight(lines * self.edit.fontMetrics().lineSpacing() + 16)

    def begin(self) -> None:
        """Selects the text and takes the focus."""
        self.edit.setFocus(Qt.FocusReason.OtherFocusReason)
        self.edit.selectAll()

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.LayoutRequest:
            self.resized.emit()
        return super().event(event)

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
    def _on_text_changed(self) -> None:
        self.unknown_words.note_text(self.edit.toPlainText())

    @Slot()
    def _on_asked(self) -> None:
        text = self.edit.toPlainText().strip()
        if text and self.ask_button.isEnabled():
            self.done.emit(text)
