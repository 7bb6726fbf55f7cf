"""Shows the evidence for words of answers: pointing, choosing, the map, entries of the menu."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, QObject, QPoint, QRect, Qt, QTimer, Signal, Slot
from PySide6.QtWidgets import QApplication, QWidget
from shiboken6 import isValid

from gui.conversation.exchange_view import ExchangeView
from gui.conversation.transcript_view import TranscriptView
from gui.conversation.word_popup import WordPopup
from gui.picture.layer import Layer
from gui.picture.picture_view import PictureView
from gui.picture.word_map import map_layer
from gui.widgets.preview import PreviewMaker
from gui.widgets.theme import Theme

if TYPE_CHECKING:
    from core.words import Evidence, Word, WordMap

_HOVER_MS = 180
# While an arrow key is held down, no maps are made for the words that it passes.
_MAP_MS = 60
# The previous word's map stays this long, so that the picture does not flash between words.
_OLD_MAP_MS = 250


class EvidenceView(QObject):
    """Connects the words of the transcript with their popup and with the picture.

    Answers are known by their index in the conversation.
      `evidence_wanted(int, bool)`    compute it for an answer; whether the user asked for it
      `map_wanted(int, Word)`         compute the attribution map of a word
      `look_again_asked(int, Word)`   ask the model whether the thing is there
      `strike_changed(int, int, int, bool)`  answer, begin, end: strike this text out, or undo that
      `noticed(str)`                  why something that was asked for is impossible
      `changed()`                     another word is chosen, or evidence is known
    """

    evidence_wanted = Signal(int, bool)
    map_wanted = Signal(int, object)
    look_again_asked = Signal(int, object)
    strike_changed = Signal(int, int, int, bool)
    noticed = Signal(str)
    changed = Signal()

    def __init__(
        self,
        theme: Theme,
        transcript_view: TranscriptView,
        picture_view: PictureView,
        previews: PreviewMaker,
        window: QWidget,
    ):
        super().__init__(window)
        self._transcript, self._picture = transcript_view, picture_view
        self._previews = previews
        self.popup = WordPopup(theme, window)
        self.obstacle = ""
        self.map_obstacle = ""
        """Why the loaded model cannot show where in the image a word rests, "" if it can."""
        self._kept_free: tuple[QWidget, ...] = ()
        self._asked: dict[ExchangeView, bool] = {}
        self._hovered: tuple[ExchangeView, int] | None = None
        self._chosen: tuple[ExchangeView, int] | None = None
        self._came_from: QWidget | None = None
        self._map_serial = 0
        self._hover = QTimer(self, singleShot=True, interval=_HOVER_MS)
        self._hover.timeout.connect(self._on_hover_over)
        self._ask_map = QTimer(self, singleShot=True, interval=_MAP_MS)
        self._ask_map.timeout.connect(self._on_map_due)
        self._drop_map = QTimer(self, singleShot=True, interval=_OLD_MAP_MS)
        self._drop_map.timeout.connect(self._on_map_stale)
        transcript_view.word_hovered.connect(self._on_word_hovered)
        transcript_view.word_chosen.connect(self._on_word_chosen)
        transcript_view.answer_entered.connect(self._on_answer_entered)
        transcript_view.changed.connect(self._on_transcript_changed)
        transcript_view.scroll_area.verticalScrollBar().valueChanged.connect(self._on_moved)
        picture_view.shown.connect(self._on_picture_shown)
        previews.made.connect(self._on_made)
        self.popup.look_button.clicked.connect(self._on_look_clicked)
        self.popup.strike_button.clicked.connect(self._on_strike_clicked)
        self.popup.left.connect(self._on_popup_left)
        window.installEventFilter(self)
        transcript_view.installEventFilter(self)

    @property
    def has_chosen(self) -> bool:
        """Whether a word is chosen; Esc leaves it."""
        return self._chosen is not None

    def keep_free(self, *widgets: QWidget) -> None:
        """Sets what the popup is not to cover, as it does not cover the buttons of exchanges."""
        self._kept_free = widgets

    def set_obstacle(self, reason: str) -> None:
        """Sets why the loaded model gives no evidence, "" if it does."""
        self.obstacle = reason
        self._asked.clear()

    def show_evidence(self, index: int, evidence: Evidence) -> None:
        """Shows the evidence for an answer; chooses a word if the user asked for it."""
        view = self._transcript.view_at(index)
        if view is None or not view.show_evidence(evidence):
            return
        is_asked = self._asked.pop(view, False)
        if is_asked and self._chosen is None:
            self._enter(view)
        elif self._chosen and self._chosen[0] is view:
            self._show_popup(view, self._chosen[1], is_chosen=True)
        self.changed.emit()

    def refuse_evidence(self, index: int, reason: str = "") -> None:
        """Notes that an answer has no evidence; without a reason it can be asked for again."""
        view = self._transcript.view_at(index)
        if view is None:
            return
        is_asked = self._asked.get(view, False)
        if not reason or is_asked:
            self._asked.pop(view, None)
        if reason and is_asked:
            self.noticed.emit(reason)

    def show_map(
        self,
        index: int,
        word: Word,
        word_map: WordMap,
        part: tuple[int, int, int, int] | None = None,
    ) -> None:
        """Shows the map over the picture, or the part of it that the answer is about, if the word
        is still the chosen one."""
        if self._chosen is None or self._transcript.view_at(index) is not self._chosen[0]:
            return
        if _span(self._word(*self._chosen)) == _span(word):
            self._map_serial += 1
            self._previews.ask(("map", self._map_serial), partial(map_layer, word_map, part))

    def end_looking(self) -> None:
        """Shows the popup again once the model was asked about the thing, or could not be."""
        if self._chosen is not None:
            self._show_popup(*self._chosen, is_chosen=True)

    def show_struck(self, index: int, struck: tuple[tuple[int, int], ...]) -> None:
        """Shows which parts of an answer's text are struck out, as (begin, end)."""
        view = self._transcript.view_at(index)
        if view is None:
            return
        view.show_struck(struck)
        if self._chosen and self._chosen[0] is view:
            self._show_popup(*self._chosen, is_chosen=True)

    def enter_last(self) -> None:
        """Chooses a word of the last answer, so that the arrow keys go through its words."""
        if view := self._transcript.last_answered:
            self._enter(view)

    @Slot()
    def leave(self) -> None:
        """Leaves the chosen word."""
        if self._chosen is None:
            return
        view, _ = self._chosen
        view.answer_text.choose_word(-1)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Resize:
            self._on_moved()
        # Text and buttons keep their presses; this one was beside them.
        if watched is self._transcript and event.type() == QEvent.Type.MouseButtonPress:
            self.leave()
        is_hidden = event.type() == QEvent.Type.Hide and watched is self._transcript
        # Not where the window is minimised, which Qt reports as spontaneous.
        if is_hidden and not event.spontaneous():
            self._hover.stop()
            self.leave()
            self.popup.hide()
        return False

    # Pointing

    @Slot(object, int)
    def _on_word_hovered(self, view: ExchangeView, index: int) -> None:
        self._hovered = (view, index) if index >= 0 else None
        if self._chosen is not None:
            return
        if self._hovered is None:
            self._hover.stop()
            self.popup.hide()
        elif self.popup.isVisible():
            self._on_hover_over()
        else:
            self._hover.start()

    @Slot()
    def _on_hover_over(self) -> None:
        is_pressed = QApplication.mouseButtons() != Qt.MouseButton.NoButton
        if is_pressed or self._transcript.scroll_area.has_selection:
            return
        if self._hovered is not None and self._chosen is None:
            self._show_popup(*self._hovered, is_chosen=False)

    @Slot(object)
    def _on_answer_entered(self, view: ExchangeView) -> None:
        """Wants evidence when the pointer enters an answer that has none yet."""
        self._want_evidence(view, is_asked=False)

    def _want_evidence(self, view: ExchangeView, *, is_asked: bool) -> None:
        if view.evidence is not None or view.is_open or not view.answer:
            return
        if self.obstacle:
            if is_asked:
                self.noticed.emit(self.obstacle)
            return
        index = self._transcript.index_of(view)
        was_asked = self._asked.get(view)
        self._asked[view] = is_asked or bool(was_asked)
        if index is not None and (was_asked is None or is_asked):
            self.evidence_wanted.emit(index, is_asked)

    # Choosing

    def _enter(self, view: ExchangeView) -> None:
        if not view.answer_text.words.is_known:
            self._want_evidence(view, is_asked=True)
            return
        focused = QApplication.focusWidget()
        self._came_from = None if focused is view.answer_text else focused
        view.answer_text.setFocus(Qt.FocusReason.OtherFocusReason)
        view.answer_text.choose_word(view.answer_text.words.first())

    @Slot(object, int)
    def _on_word_chosen(self, view: ExchangeView, index: int) -> None:
        before = self._chosen
        if index < 0 and before and before[0] is not view:
            return  # A word of another answer was chosen instead.
        self._chosen = (view, index) if index >= 0 else None
        self._map_serial += 1
        self._hover.stop()
        if before and before[0] is not view:
            before[0].answer_text.choose_word(-1)
        if before:
            before[0].answer_text.take_tab = None
        if self._chosen is None:
            self._ask_map.stop()
            self._drop_map.stop()
            self._picture.lay_over(None)
            self._return_focus(view)
            self.popup.hide()
        else:
            view.answer_text.take_tab = self.popup.enter
            self._transcript.scroll_area.show_word(view, index)
            self._show_popup(view, index, is_chosen=True)
            self._ask_map.start()
            self._drop_map.start()
        self.changed.emit()

    def _return_focus(self, view: ExchangeView) -> None:
        """Gives the focus back to what had it before the words were gone through."""
        text, came_from = view.answer_text, self._came_from
        self._came_from = None
        if self.popup.has_focus:
            text.setFocus(Qt.FocusReason.OtherFocusReason)
        if not text.hasFocus() or text.textCursor().hasSelection():
            return
        if came_from is not None and isValid(came_from) and came_from.isVisible():
            came_from.setFocus(Qt.FocusReason.OtherFocusReason)

    @Slot()
    def _on_popup_left(self) -> None:
        if self._chosen is not None:
            self._chosen[0].answer_text.setFocus(Qt.FocusReason.OtherFocusReason)

    @Slot()
    def _on_map_due(self) -> None:
        if self._chosen is None:
            return
        number = self._transcript.index_of(self._chosen[0])
        if number is not None:
            self.map_wanted.emit(number, self._word(*self._chosen))

    @Slot()
    def _on_picture_shown(self) -> None:
        """Asks for the map once more: a picture that becomes visible has nothing over it.

        Its copy for the screen may come later than its first answer. Of another picture, the
        conversation is another one, and no word of it is chosen.
        """
        if self._chosen is not None:
            self._ask_map.start()

    @Slot(object, object)
    def _on_made(self, key: object, made: object) -> None:
        match key:
            case ("map", self._map_serial) if isinstance(made, Layer) and self._chosen:
                self._drop_map.stop()
                self._picture.lay_over(made)

    @Slot()
    def _on_map_stale(self) -> None:
        self._picture.lay_over(None)

    @Slot()
    def _on_transcript_changed(self) -> None:
        """Drops what belongs to removed exchanges; leaves the word when an answer begins."""
        present = set(self._transcript.exchange_views)
        self._asked = {view: asked for view, asked in self._asked.items() if view in present}
        if self._hovered and self._hovered[0] not in present:
            self._hovered = None
            self.popup.hide()
        if self._chosen and self._chosen[0] not in present:
            self._chosen = None
            self._picture.lay_over(None)
            self.popup.hide()
            self.changed.emit()
        elif self._transcript.is_answering:
            self.leave()

    @Slot()
    def _on_moved(self) -> None:
        """Moves the popup when the answers were scrolled or resized."""
        if self._chosen is not None:
            self._place_popup(*self._chosen)
        else:
            self.popup.hide()

    def _show_popup(self, view: ExchangeView, index: int, *, is_chosen: bool) -> None:
        words = view.answer_text.words
        can_look = is_chosen and view.can_look_again(index) and not self.obstacle
        self.popup.show_word(
            words.words[index],
            is_struck=words.is_struck(index),
            is_chosen=is_chosen,
            can_look=can_look,
            why_no_map=self.map_obstacle if is_chosen else "",
        )
        self._place_popup(view, index)

    def _place_popup(self, view: ExchangeView, index: int) -> None:
        if rects := view.answer_text.word_rects(index):
            shown = [one for one in self._kept_free if one.isVisible()]
            others = [QRect(one.mapToGlobal(QPoint()), one.size()) for one in shown]
            self.popup.show_at(rects, [*self._transcript.scroll_area.button_rects(), *others])

    # Actions

    def show_where(self, view: ExchangeView, index: int) -> None:
        """Chooses a word, which shows what it rests on."""
        view.answer_text.setFocus(Qt.FocusReason.OtherFocusReason)
        view.answer_text.choose_word(index)

    def look_again(self, view: ExchangeView, index: int) -> None:
        """Asks the model whether what a word names is in the picture."""
        if self._chosen != (view, index):
            self.show_where(view, index)
        number = self._transcript.index_of(view)
        if number is not None:
            self.popup.show_looking()
            self.look_again_asked.emit(number, self._word(view, index))

    def toggle_strike(self, view: ExchangeView, index: int) -> None:
        """Strikes a word out, or restores it."""
        number = self._transcript.index_of(view)
        if number is not None:
            begin, end = _span(self._word(view, index))
            is_struck = view.answer_text.words.is_struck(index)
            self.strike_changed.emit(number, begin, end, not is_struck)

    @Slot()
    def _on_look_clicked(self) -> None:
        if self._chosen is not None:
            self.look_again(*self._chosen)

    @Slot()
    def _on_strike_clicked(self) -> None:
        if self._chosen is not None:
            self.toggle_strike(*self._chosen)

    def _word(self, view: ExchangeView, index: int) -> Word:
        return view.answer_text.words.words[index]


def _span(word: Word) -> tuple[int, int]:
    return word.begin, word.end
