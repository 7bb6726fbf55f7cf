"""Shows a conversation, its last answer growing piece by piece."""

from __future__ import annotations

import time
from functools import partial

from PySide6.QtCore import QObject, QPoint, QTimer, Signal, SignalInstance, Slot
from PySide6.QtGui import QContextMenuEvent, QGuiApplication
from PySide6.QtWidgets import QFrame, QToolButton, QVBoxLayout, QWidget

from core.picture import Picture, PicturePart
from core.transcript import Answer, Exchange, Transcript, Variants
from core.vocabulary import Vocabulary
from gui.conversation.drawings_note import DrawingsNote
from gui.conversation.exchange_column import SLICE_SECONDS, ExchangeColumn
from gui.conversation.exchange_list import ExchangeList, with_variants
from gui.conversation.exchange_view import ExchangeView
from gui.conversation.part_button import small_part
from gui.widgets.labels import RoomyLabel
from gui.widgets.theme import Theme

# More exchanges of a branch than these are laid out in slices, from the end.
_MOST_AT_ONCE = 12


class TranscriptView(QFrame):
    """Shows one `ExchangeView` for each exchange, below each other.

    Conversations of any length are laid out in slices of time, from the end; exchanges far from
    view are asleep.

    `regenerate_asked()`: answer the last question again. `edited(int, str)`: ask this instead of
    the question at the index. `edit_ended()`: a question is no longer edited.
    `answer_stepped(int, int)` and `question_stepped(int, int)`: show the next answer or question in
    the place of the index, or the one before. `inspect_asked(int)`: show the trace of the answer at
    the index. `menu_asked(ExchangeView, QPoint)`: the menu of an exchange is to open there.
    `model_requested()`: offer the real model. `changed()`: an answer began or ended, or the
    conversation is another. `word_hovered`, `word_chosen` and `word_menu_asked` are those of an
    answer's text, with its exchange view in front; `answer_entered(ExchangeView)`: the pointer
    entered an answer without evidence. `part_chosen(PicturePart)`: this part is to be marked on the
    picture.
    """

    regenerate_asked = Signal()
    edited = Signal(int, str)
    answer_stepped = Signal(int, int)
    question_stepped = Signal(int, int)
    inspect_asked = Signal(int)
    word_hovered = Signal(object, int)
    word_chosen = Signal(object, int)
    word_menu_asked = Signal(object, int, QPoint)
    answer_entered = Signal(object)
    model_requested = Signal()
    edit_ended = Signal()
    menu_asked = Signal(object, QPoint)
    part_chosen = Signal(object)
    changed = Signal()

    def __init__(self, theme: Theme, parent: QWidget | None = None):
        super().__init__(parent)
        self.setObjectName("transcript_view")
        self._theme = theme
        self._looking = self.tr("Looking at the image…")
        self._waiting_text = self._looking
        self._shows_held = False
        self._exchanges = ExchangeList()
        self._picture: Picture | None = None
        self._build()
        self.drawings_label.linkActivated.connect(self._on_link_activated)

    @property
    def exchange_views(self) -> list[ExchangeView]:
        """The exchanges laid out so far, oldest first."""
        return list(self._exchanges.views)

    @property
    def has_exchanges(self) -> bool:
        """Whether the conversation has any exchange."""
        return len(self._exchanges) > 0

    @property
    def is_answering(self) -> bool:
        """Whether an answer is under way."""
        last = self._exchanges.last
        return last is not None and last.is_open

    def index_of(self, view: QObject) -> int | None:
        """Returns the index of an exchange in the conversation; None if it is no longer in it."""
        return self._exchanges.index_of(view)

    def index_around(self, widget: QWidget | None) -> int:
        """Returns the index of the exchange that a widget is a part of; -1 for none."""
        while widget is not None and not isinstance(widget, ExchangeView):
            widget = widget.parentWidget()
        index = self.index_of(widget) if widget else None
        return -1 if index is None else index

    def view_at(self, index: int) -> ExchangeView | None:
        """Returns the exchange at this index; None while it is not laid out."""
        return self._exchanges.view_at(index)

    @property
    def end_button(self) -> QToolButton:
        """Goes to the end, while the reader is away from it."""
        return self.scroll_area.end_button

    @property
    def last_answered(self) -> ExchangeView | None:
        """The last exchange with a complete answer; None if there is none."""
        return self._exchanges.last_answered

    def set_trace_obstacle(self, reason: str) -> None:
        """Sets why traces of answers cannot be shown, "" if they can."""
        self._exchanges.set_trace_obstacle(reason)

    def set_vocabulary(self, vocabulary: Vocabulary | None) -> None:
        """Sets the words that the model was trained on, which an edited question should have."""
        self._exchanges.set_vocabulary(vocabulary)

    def set_shows_doubt(self, shows_doubt: bool) -> None:
        """Turns the lines under doubtful words on or off."""
        self._exchanges.set_shows_doubt(shows_doubt)

    def prompt_at(self, index: int) -> str:
        """Returns the question at this index of the conversation."""
        return self._exchanges.prompt_at(index)

    def show_picture(self, picture: Picture | None) -> None:
        """Sets the picture that the conversation is about, of which parts are shown."""
        self._picture = picture

    def begin_answer(self, prompt: str, part: PicturePart | None = None) -> None:
        """Adds a question, about a part of the picture or all of it, whose answer is to come."""
        self.show_held("")
        if last := self._exchanges.last:
            last.set_last(False)
        self._show_column(True)
        view = self._make_view(prompt)
        self._show_part(view, part)
        self._exchanges.add(view)
        view.begin(self._waiting_text)
        view.set_last(True)
        self._set_idle(False)
        self.scroll_area.add(view)
        self.scroll_area.go_to_end()
        self._update_placeholder()

    def append(self, piece: str) -> None:
        """Adds a piece to the answer under way."""
        if self.is_answering:
            self._exchanges.views[-1].append(piece)

    def finish(self, answer: Answer) -> None:
        """Completes the answer under way: its whole text and what it took."""
        if self.is_answering:
            self._exchanges.views[-1].finish(answer)
            self._set_idle(True)

    def fail(self, text: str) -> None:
        """Ends the answer under way with an error; what was generated so far stays."""
        if self.is_answering:
            self._exchanges.views[-1].fail(text)
            self._set_idle(True)

    def clear(self) -> None:
        """Removes all exchanges."""
        self._keep(0)

    def cut(self, count: int) -> None:
        """Keeps the first `count` exchanges: a question behind them was edited."""
        if len(self._exchanges) > count:
            self._finish_laying_out()
            self._keep(count)

    def show_transcript(self, transcript: Transcript) -> None:
        """Shows a conversation from its end; the earlier part follows in slices."""
        self._keep(0)
        self._picture = transcript.picture
        self._exchanges.earlier = with_variants(transcript)
        self._show_column(self.has_exchanges)
        self._add_earlier()
        if last := self._exchanges.last:
            last.set_last(True)
            self._set_idle(True)
        self.scroll_area.go_to_end()
        self._update_placeholder()

    def show_branch(self, index: int, transcript: Transcript) -> None:
        """Shows other exchanges from this index on."""
        self.show_held("")
        if len(transcript.exchanges) - index > _MOST_AT_ONCE:
            self.show_transcript(transcript)
            return
        self._finish_laying_out()
        first, *others = with_variants(transcript)[index:]
        there = self.view_at(index)
        offset = self.scroll_area.offset_of(there) if there else 0
        del self._exchanges.views[index + 1 :]
        self.scroll_area.keep(index + 1)
        if there:
            there.show_exchange(first[0])
            self._show_part(there, first[0].part)
            there.show_variants(first[1])
        else:
            others.insert(0, first)
            self._show_column(True)
        for exchange, variants in others:
            view = self._complete_view(exchange, variants)
            self._exchanges.add(view)
            self.scroll_area.add(view)
        for view in self._exchanges:
            view.set_last(view is self._exchanges.last)
        self._set_idle(True)
        if there:
            self.scroll_area.show_at(there, offset)

    def show_variants(self, index: int, variants: Variants) -> None:
        """Offers what else there is in the place of the exchange at this index."""
        if view := self.view_at(index):
            view.show_variants(variants)

    def show_misread(self, index: int, unknown: tuple[str, ...]) -> None:
        """Says that the model does not know these parts of the question at this index."""
        if view := self.view_at(index):
            view.show_misread(unknown)

    def show_repeated(self, index: int) -> None:
        """Says that the model has no other answer to the question at this index."""
        if view := self.view_at(index):
            view.add_note(self.tr("The model has no other answer."))

    def retry(self) -> None:
        """Begins the answer under way again: what came is the same as before."""
        if self.is_answering:
            self._exchanges.views[-1].retry(self.tr("The same answer again. Trying another…"))

    def show_only_drawings(self, only_drawings: bool) -> None:
        """Says, or stops saying, that the loaded model knows only drawn pictures."""
        self.drawings_label.set_wanted(only_drawings)

    def show_wait(self, text: str) -> None:
        """Says what a question waits for, "" if only for its first token."""
        text = text or self._looking
        if text == self._waiting_text:
            return
        self._waiting_text = text
        if self.is_answering:
            self._exchanges.views[-1].wait(self._waiting_text)

    def show_held(self, prompt: str, index: int = -1) -> None:
        """Shows a question that is not asked yet, as it waits for a model; "" takes it away.

        It takes the place of the exchanges from `index` on, unless that is -1; they come back by
        `show_branch`.
        """
        if prompt and not self._shows_held:
            if index >= 0:
                self.cut(index)
            self.begin_answer(prompt)
            self._shows_held = True
            # It is taken back from the prompt box.
            self._exchanges.views[-1].body.edit_button.hide()
        elif not prompt and self._shows_held:
            self.cut(len(self._exchanges) - 1)

    def text(self) -> str:
        """Returns the whole conversation as plain text."""
        return self._exchanges.text()

    def copy_all(self) -> None:
        """Copies the whole conversation as plain text."""
        if text := self.text():
            QGuiApplication.clipboard().setText(text)

    def inspect_last(self) -> None:
        """Asks for the trace of the last complete answer."""
        if view := self.last_answered:
            view.inspect_asked.emit()

    def edit_last(self) -> None:
        """Lets the last question be edited."""
        if (last := self._exchanges.last) and not last.is_open:
            last.edit()

    def copy_last(self) -> None:
        """Copies the last answer."""
        if last := self._exchanges.last:
            last.copy()

    # Parts

    def _build(self) -> None:
        self.drawings_label = DrawingsNote(self)
        self.scroll_area = ExchangeColumn(self._theme)
        self.scroll_area.setObjectName("transcript_scroll")
        self.scroll_area.setAccessibleName(self.tr("Conversation"))
        self.empty_label = RoomyLabel(self.tr("Answers appear here, word by word."))
        self.empty_label.setObjectName("transcript_empty")
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.drawings_label)
        column.addWidget(self.empty_label, 1)
        column.addWidget(self.scroll_area, 1)
        self.scroll_area.hide()
        self._slice_timer = QTimer(self, singleShot=True, interval=0)
        self._slice_timer.timeout.connect(self._add_earlier)

    def hasHeightForWidth(self) -> bool:
        """Takes whatever height there is: layouts would take the height for a width for the least
        height, and squeeze the prompt in a low window."""
        return False

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        """Beside the exchanges, the menu is that of the last one."""
        if last := self._exchanges.last:
            self.menu_asked.emit(last, event.globalPos())

    def _make_view(self, prompt: str) -> ExchangeView:
        view = ExchangeView(self._theme, prompt, self.scroll_area.column)
        view.regenerate_asked.connect(self.regenerate_asked)
        view.edited.connect(partial(self._emit_for, view, self.edited))
        view.answer_stepped.connect(partial(self._emit_for, view, self.answer_stepped))
        view.question_stepped.connect(partial(self._emit_for, view, self.question_stepped))
        view.edit_ended.connect(self.edit_ended)
        view.part_chosen.connect(self.part_chosen)
        view.menu_asked.connect(partial(self.menu_asked.emit, view))
        view.inspect_asked.connect(partial(self._emit_for, view, self.inspect_asked))
        view.answer_entered.connect(partial(self.answer_entered.emit, view))
        view.word_hovered.connect(partial(self.word_hovered.emit, view))
        view.word_chosen.connect(partial(self.word_chosen.emit, view))
        view.word_menu_asked.connect(partial(self.word_menu_asked.emit, view))
        self._theme.text_size_changed.connect(view.apply_text_size)
        self._exchanges.set_up(view)
        return view

    def _complete_view(self, exchange: Exchange, variants: Variants) -> ExchangeView:
        view = self._make_view(exchange.prompt)
        view.show_exchange(exchange)
        self._show_part(view, exchange.part)
        view.show_variants(variants)
        view.set_idle(True)
        return view

    def _show_part(self, view: ExchangeView, part: PicturePart | None) -> None:
        image = small_part(self._picture, part) if part and self._picture else None
        view.show_part(part, image)

    @Slot()
    def _add_earlier(self) -> None:
        """Lays out exchanges not shown yet, the latest first, for one slice of time."""
        until = time.perf_counter() + SLICE_SECONDS
        while self._exchanges.earlier and time.perf_counter() < until:
            view = self._complete_view(*self._exchanges.earlier.pop())
            self._exchanges.add_earlier(view)
            self.scroll_area.add(view, at=0)
        if self._exchanges.earlier:
            self._slice_timer.start()

    def _finish_laying_out(self) -> None:
        while self._exchanges.earlier:
            self._add_earlier()

    def _keep(self, count: int) -> None:
        self._shows_held = False
        self._exchanges.earlier = []
        self._slice_timer.stop()
        self.scroll_area.keep(count)
        del self._exchanges.views[count:]
        if last := self._exchanges.last:
            last.set_last(True)
        self._set_idle(True)
        self._update_placeholder()

    def _set_idle(self, is_idle: bool) -> None:
        for view in self._exchanges:
            view.set_idle(is_idle)
        self.changed.emit()

    def _update_placeholder(self) -> None:
        self._show_column(bool(self._exchanges.views))
        self.changed.emit()

    def _show_column(self, has_exchanges: bool) -> None:
        """Called before exchanges are added: heights are final only while the column is visible."""
        self.empty_label.setVisible(not has_exchanges)
        self.scroll_area.setVisible(has_exchanges)

    @Slot()
    def _on_link_activated(self) -> None:
        self.model_requested.emit()

    def _emit_for(self, view: ExchangeView, signal: SignalInstance, *given: object) -> None:
        """Emits a signal about an exchange, with its index, if it is still there."""
        if (index := self.index_of(view)) is not None:
            signal.emit(index, *given)
