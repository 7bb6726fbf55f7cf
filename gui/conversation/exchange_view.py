"""One question and its answer, with what can be done to them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import QPoint, QRect, Qt, Signal, Slot
from PySide6.QtGui import QContextMenuEvent, QGuiApplication, QImage
from PySide6.QtWidgets import QFrame, QWidget

from core.picture import PicturePart
from core.transcript import Answer, Exchange, Span, Variants, without
from core.vocabulary import Vocabulary
from core.words import question_about
from gui.conversation.answer_text import AnswerText
from gui.conversation.exchange_body import ExchangeBody
from gui.conversation.exchange_foot import Foot, foot_line
from gui.widgets.theme import Theme

if TYPE_CHECKING:
    from core.words import Evidence


class ExchangeView(QFrame):
    """Holds the data of an exchange, and the widgets that show it while they are needed.

    The widgets, its `body`, are made on first use and deleted by `sleep`, which keeps its place:
    Qt styles all widgets again when the colours change, and there would be thousands.

    `regenerate_asked()`: answer again. `edited(str)`: ask this instead. `edit_begun()`: its
    question is being edited. `edit_ended()`: asked or given up. `draft_changed()`: another text is
    being written over it. `answer_stepped(int)` and `question_stepped(int)`: show the next one of
    several, or the one before. `inspect_asked()`: show the trace. `answer_entered()`: the pointer
    entered an answer without evidence. `word_hovered`, `word_chosen` and `word_menu_asked` are
    those of `AnswerText`. `menu_asked(QPoint)`: its context menu is to open there, on the screen.
    `height_changed()`: lay it out again. `woken()`: its widgets were made.
    `part_chosen(PicturePart)`: the part that it is about is to be marked on the picture.
    """

    regenerate_asked = Signal()
    edited = Signal(str)
    answer_stepped = Signal(int)
    question_stepped = Signal(int)
    edit_ended = Signal()
    draft_changed = Signal()
    menu_asked = Signal(QPoint)
    inspect_asked = Signal()
    answer_entered = Signal()
    word_hovered = Signal(int)
    word_chosen = Signal(int)
    word_menu_asked = Signal(int, QPoint)
    height_changed = Signal()
    edit_begun = Signal()
    woken = Signal()
    part_chosen = Signal(object)

    def __init__(self, theme: Theme, prompt: str, parent: QWidget):
        super().__init__(parent)
        self.prompt = prompt
        self.part: PicturePart | None = None
        self._part_image: QImage | None = None
        self.answer = ""
        self.evidence: Evidence | None = None
        self.struck: tuple[Span, ...] = ()
        self.is_open = False
        self.vocabulary: Vocabulary | None = None
        self._theme = theme
        self._foot = Foot()
        self._variants = Variants()
        self._trace_obstacle = ""
        self._shows_doubt = True
        self._is_last = False
        self._number = 1
        self._is_idle = True
        self._width = 0
        self._body: ExchangeBody | None = None

    @property
    def body(self) -> ExchangeBody:
        """Its widgets; makes them if there are none."""
        if self._body is None:
            self._wake()
            if self._width:
                self.fit(self._width)
        assert self._body is not None
        return self._body

    @property
    def answer_text(self) -> AnswerText:
        """The widget of the answer's text."""
        return self.body.answer_text

    @property
    def is_awake(self) -> bool:
        """Whether it has widgets now."""
        return self._body is not None

    def sleep(self) -> None:
        """Deletes the widgets, unless they hold something that could not be shown again."""
        body = self._body
        if body is None or self.is_open or body.is_in_use:
            return
        self._body = None
        body.hide()
        body.deleteLater()
        # Screen readers still find the text.
        self.setAccessibleName("\n".join(filter(None, (self.prompt, self.text, self._foot.error))))

    def begin(self, waiting_text: str) -> None:
        """Starts an answer, which waits for what `waiting_text` says."""
        self.is_open = True
        self.answer = ""
        self.wait(waiting_text)

    def wait(self, text: str) -> None:
        """Says what the answer is waiting for, until its first piece arrives."""
        if not self.answer:
            self._set_foot(text)

    def append(self, piece: str) -> None:
        """Adds a piece to the answer under way."""
        if not self.answer:
            self.answer_text.show()
            self._set_foot(self.tr("Answering…"))
        self.answer += piece
        self.answer_text.append_piece(piece)

    def finish(self, answer: Answer) -> None:
        """Shows the complete answer and what it took."""
        self.is_open = False
        self.answer = answer.text
        self._set_foot(foot_line(answer))
        if self._body:
            self._body.show_answer(self.answer)
            self._show_actions()
        self.height_changed.emit()

    def fail(self, text: str) -> None:
        """Says why there is no answer; what was generated so far stays."""
        self.is_open = False
        self._foot.error = text
        self._set_foot("")
        if self._body:
            self._show_error(self._body)
            self._show_actions()
        self.height_changed.emit()

    @property
    def text(self) -> str:
        """The answer without its struck-out parts; `answer` is what the model generated."""
        return without(self.answer, self.struck)

    def show_evidence(self, evidence: Evidence) -> bool:
        """Makes the words respond to the pointer. Returns False if they are not of this answer."""
        words = evidence.words
        if any(self.answer[word.begin : word.end] != word.text for word in words):
            return False
        self.evidence = evidence
        if self._body:
            self._body.answer_text.words.show(words)
        return True

    def set_shows_doubt(self, shows_doubt: bool) -> None:
        """Turns the lines under doubtful words on or off."""
        self._shows_doubt = shows_doubt
        if self._body:
            self._body.answer_text.words.shows_doubt = shows_doubt
            self._body.answer_text.viewport().update()

    def set_trace_obstacle(self, reason: str) -> None:
        """Sets why the trace of the answer cannot be shown, "" if it can."""
        self._trace_obstacle = reason
        if self._body:
            self._body.show_trace_obstacle(reason)

    def show_struck(self, struck: Sequence[Span]) -> None:
        """Strikes these parts of the answer out, as (begin, end); they stay readable."""
        self.struck = tuple(struck)
        if self._body:
            self._body.answer_text.words.strike(self.answer, self.struck)

    def can_look_again(self, index: int) -> bool:
        """Whether the model can be asked if the thing that this word names is there."""
        return question_about(self.answer, self.answer_text.words.words[index]) is not None

    @Slot()
    def copy(self) -> None:
        """Copies the answer as generated, without its struck-out parts."""
        QGuiApplication.clipboard().setText(self.text)
        if self._body:
            self._body.show_copied()

    @property
    def variants(self) -> Variants:
        """What else there is in its place."""
        return self._variants

    def show_variants(self, variants: Variants) -> None:
        """Offers to page through the questions and answers in its place."""
        self._variants = variants
        self._show_actions()
        if self._body:  # Beside the buttons the question may need more lines.
            self.height_changed.emit()

    def add_note(self, text: str) -> None:
        """Says something about the answer, below it."""
        self._foot.add(text)
        self._show_note()

    def show_misread(self, unknown: Sequence[str]) -> None:
        """Says that the model does not know these parts of the question."""
        self._foot.add_misread(unknown)
        self._show_note()

    def show_exchange(self, exchange: Exchange) -> None:
        """Shows a complete exchange in place of what was shown; an edit goes on."""
        self.is_open = False
        self.evidence, self.struck = None, exchange.struck
        self.prompt, self.answer = exchange.prompt, exchange.answer.text if exchange.answer else ""
        self._foot = Foot.of(exchange)
        if self._body:
            self._body.show_question(self.prompt)
            self._body.foot_label.setText(self._foot.line)
            self._body.hide_error()
            self._fill(self._body)
        self.height_changed.emit()

    def retry(self, waiting_text: str) -> None:
        """Removes what came of the answer under way: it begins again."""
        self.answer = ""
        if self._body:
            self._body.answer_text.clear()
            self._body.answer_text.hide()
        self._set_foot(waiting_text)

    def show_part(self, part: PicturePart | None, image: QImage | None) -> None:
        """Sets the part of the picture that it is about, None for all of it, and its image."""
        if part != self.part:
            self.part, self._part_image = part, image
            if self._body:
                self._body.show_part(part, image)
                self.height_changed.emit()

    @property
    def has_selection(self) -> bool:
        """Whether a part of the question or the answer is selected."""
        return bool(self._body and self._body.selected_text)

    def copy_selection(self) -> None:
        """Copies what is selected in the question or the answer."""
        QGuiApplication.clipboard().setText(self.body.selected_text)

    def select_answer(self) -> None:
        """Selects the whole answer."""
        self.answer_text.setFocus(Qt.FocusReason.OtherFocusReason)
        self.answer_text.selectAll()

    def button_rects(self) -> list[QRect]:
        """Returns where its buttons are, in screen coordinates."""
        return self._body.button_rects() if self._body else []

    def set_number(self, number: int) -> None:
        """Sets which exchange of the conversation it is, from 1."""
        self._number = number
        if self._body:
            self._body.show_number(number)

    def set_last(self, is_last: bool) -> None:
        """Marks it as the last exchange, whose answer can be regenerated."""
        self._is_last = is_last
        self._show_actions()

    def set_idle(self, is_idle: bool) -> None:
        """Allows asking again only while no answer is being generated; edits can be prepared."""
        self._is_idle = is_idle
        if self._body and self._body.question_edit is not None:
            self._body.question_edit.ask_button.setEnabled(is_idle)
        self._show_actions()

    def fit(self, width: int) -> int:
        """Lays out to this width; returns the height that it needs."""
        self._width = width
        body = self._body or self._wake()
        height = body.fit(width)
        # Not in a resize event: before the first show, Qt delivers that too late.
        body.resize(width, height)
        body.show()
        return height

    @Slot()
    def apply_text_size(self) -> None:
        """Takes the theme's fonts, after their size changed."""
        if self._body:
            self._body.apply_text_size()
        self.height_changed.emit()

    @Slot()
    def edit(self, draft: str = "") -> None:
        """Replaces the question by a field to edit it, beginning with the draft if there is one."""
        if self.body.question_edit is not None:
            return
        editor = self.body.begin_edit(draft or self.prompt)
        editor.ask_button.setEnabled(self._is_idle)
        editor.unknown_words.set_vocabulary(self.vocabulary)
        editor.done.connect(self._on_edit_done)
        editor.resized.connect(self.height_changed)
        editor.edit.textChanged.connect(self.draft_changed)
        self.height_changed.emit()
        editor.begin()
        self.edit_begun.emit()

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        """Asks for the menu, except where text is edited."""
        editor = self._body.question_edit if self._body else None
        if editor is None or not editor.geometry().contains(event.pos()):
            self.menu_asked.emit(event.globalPos())

    # Inside

    def _wake(self) -> ExchangeBody:
        """Makes the widgets and fills them."""
        self._body = body = ExchangeBody(self._theme, self.prompt, self)
        body.foot_label.setText(self._foot.line)
        body.show_part(self.part, self._part_image)
        body.part_chosen.connect(self._on_part_chosen)
        body.edit_button.clicked.connect(self.edit)
        body.copy_button.clicked.connect(self.copy)
        body.again_button.clicked.connect(self.regenerate_asked)
        body.inspect_button.clicked.connect(self.inspect_asked)
        body.answer_pager.stepped.connect(self.answer_stepped)
        body.question_pager.stepped.connect(self.question_stepped)
        self.set_trace_obstacle(self._trace_obstacle)
        text = body.answer_text
        text.words.shows_doubt = self._shows_doubt
        self._fill(body)
        text.height_changed.connect(self.height_changed)
        text.entered.connect(self._on_answer_entered)
        text.word_hovered.connect(self.word_hovered)
        text.word_chosen.connect(self.word_chosen)
        text.word_menu_asked.connect(self.word_menu_asked)
        body.show_number(self._number)
        self.setAccessibleName("")
        self.woken.emit()
        return body

    def _fill(self, body: ExchangeBody) -> None:
        """Shows the answer, what is known of it, and why there is none."""
        body.show_answer(self.answer)
        if self.answer:
            if self.evidence is not None:
                body.answer_text.words.show(self.evidence.words)
            body.answer_text.words.strike(self.answer, self.struck)
        if self._foot.error:
            self._show_error(body)
        body.show_note(self._foot.note, warns=self._foot.warns)
        self._show_actions()

    def _set_foot(self, text: str) -> None:
        """Changes the line below the answer, which may come to need another height."""
        self._foot.line = text
        if self._body:
            self._body.foot_label.setText(text)
            self.height_changed.emit()

    def _show_note(self) -> None:
        if self._body:
            self._body.show_note(self._foot.note, warns=self._foot.warns)
            self.height_changed.emit()

    def _show_error(self, body: ExchangeBody) -> None:
        body.show_error(self._foot.error).clicked.connect(self.regenerate_asked)

    def _show_actions(self) -> None:
        if (body := self._body) is None:
            return
        done = not self.is_open
        body.show_actions(
            answered=done and bool(self.answer), again=done and self._is_last and self._is_idle
        )
        if body.show_variants(self._variants, is_idle=done and self._is_idle):
            self.woken.emit()  # Tab comes to new buttons.

    @Slot()
    def _on_answer_entered(self) -> None:
        if not self.is_open and self.evidence is None:
            self.answer_entered.emit()

    @Slot()
    def _on_part_chosen(self) -> None:
        self.part_chosen.emit(self.part)

    @Slot(str)
    def _on_edit_done(self, text: str) -> None:
        """Close the editor; an empty `text` means that the edit was given up."""
        self.body.end_edit()
        self.height_changed.emit()
        self.edit_ended.emit()
        if text:
            self.edited.emit(text)
