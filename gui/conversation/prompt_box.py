"""The prompt box: the field, the presets, a hint, and the button that asks or stops."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum, auto
from functools import partial

from PySide6.QtCore import QSize, Qt, Signal, Slot
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QMenu,
    QPushButton,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from gui.conversation.prompt_edit import PromptEdit
from gui.widgets.buttons import key_text
from gui.widgets.elided_label import ElidedLabel
from gui.widgets.theme import Theme

_NARROW = 360


class _Hint(Enum):
    """What the line below the field says."""

    NOTHING = auto()
    LOADING = auto()
    WAITING = auto()
    BUSY = auto()
    STOPS = auto()
    ENTER = auto()
    OPEN_FIRST = auto()


class PromptBox(QFrame):
    """Enter sends, Shift+Enter breaks the line, Up and Down bring earlier prompts back.

    `asked(str)`: a prompt to answer. `stopped()`: end the answer under way.
    `picture_pasted()`: a picture, not text, was pasted.
    """

    asked = Signal(str)
    stopped = Signal()
    picture_pasted = Signal()

    def __init__(self, theme: Theme, parent: QWidget | None = None):
        super().__init__(parent)
        self.setObjectName("prompt_box")
        self._theme = theme
        self._suggestion = ""
        self._has_picture = False
        self._is_answering = False
        self._is_loading = False
        self._hint_shown = _Hint.NOTHING
        self._hint_texts = self._texts_of_hints()
        self._build()
        self._place()
        self._show_state()
        self.prompt_edit.sent.connect(self._on_sent)
        self.prompt_edit.escaped.connect(self._on_escaped)
        self.prompt_edit.picture_pasted.connect(self.picture_pasted)
        self.prompt_edit.textChanged.connect(self._show_state)
        self.prompt_edit.focus_changed.connect(self._on_focus_changed)
        self.ask_button.clicked.connect(self._on_ask_clicked)

    @property
    def text(self) -> str:
        """What is written."""
        return self.prompt_edit.toPlainText()

    @property
    def is_answering(self) -> bool:
        """Whether the button is Stop."""
        return self._is_answering

    def set_text(self, text: str) -> None:
        """Replaces what is written; that can be undone."""
        self.prompt_edit.replace_text(text)

    def suggest(self, prompt: str) -> None:
        """Sets the prompt that Enter sends from an empty box, as its placeholder; "" for none."""
        self._suggestion = prompt
        self._show_state()

    def set_has_picture(self, has_picture: bool) -> None:
        """Allows asking only while there is a picture."""
        self._has_picture = has_picture
        self._show_state()

    def set_answering(self, is_answering: bool) -> None:
        """Turns Ask into Stop, and back."""
        self._is_answering = is_answering
        self._show_state()

    def set_loading(self, is_loading: bool) -> None:
        """Says that the model is loading: questions can be asked, and wait for it."""
        self._is_loading = is_loading
        self._show_state()

    def set_presets(self, presets: Sequence[tuple[str, str]]) -> None:
        """Offers saved prompts, as (name, prompt), in a menu."""
        self._menu.clear()
        for name, prompt in presets:
            action = self._menu.addAction(name)
            action.setToolTip(prompt)
            action.triggered.connect(partial(self._on_preset_chosen, prompt))
        self.presets_button.setVisible(bool(presets))

    def set_history(self, prompts: Sequence[str]) -> None:
        """Takes the earlier prompts, oldest first."""
        self.prompt_edit.set_history(prompts)

    def focus_prompt(self) -> None:
        """Moves the focus to the field."""
        self.prompt_edit.setFocus(Qt.FocusReason.OtherFocusReason)

    def _build(self) -> None:
        self.prompt_edit = PromptEdit()
        self.prompt_edit.setObjectName("prompt_edit")
        self.prompt_edit.setAccessibleName(self.tr("Question about the image"))
        self.presets_button = QToolButton()
        self.presets_button.setObjectName("presets_button")
        self.presets_button.setText(self.tr("Prompts"))
        self.presets_button.setToolTip(self.tr("Saved prompts"))
        self.presets_button.setAccessibleName(self.tr("Saved prompts"))
        self.presets_button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.presets_button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self._theme.set_icon(self.presets_button, "prompts", "text_quiet")
        self._menu = QMenu(self.presets_button)
        self._menu.setToolTipsVisible(True)
        self.presets_button.setMenu(self._menu)
        self.presets_button.hide()
        self.hint_label = ElidedLabel()
        self.hint_label.setObjectName("hint_label")
        self.hint_label.setAlignment(Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight)
        self.ask_button = QPushButton()
        self.ask_button.setObjectName("ask_button")
        self.ask_button.setIconSize(QSize(16, 16))

    def _place(self) -> None:
        self._column = column = QVBoxLayout(self)
        column.setContentsMargins(8, 6, 8, 8)
        column.setSpacing(4)
        column.addWidget(self.prompt_edit)
        row = QHBoxLayout()
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(8)
        row.addWidget(self.presets_button)
        row.addWidget(self.hint_label, 1)
        row.addWidget(self.ask_button)
        column.addLayout(row)
        QWidget.setTabOrder(self.prompt_edit, self.ask_button)
        QWidget.setTabOrder(self.ask_button, self.presets_button)

    @Slot()
    def _show_state(self) -> None:
        has_words = bool(self.text.strip() or self._suggestion)
        stops = self._is_answering
        self.ask_button.setText(self.tr("Stop") if stops else self.tr("Ask"))
        tip = self.tr("Stop answering ({key})") if stops else self.tr("Ask ({key})")
        self.ask_button.setToolTip(tip.format(key=key_text("Esc" if stops else "Return")))
        self.ask_button.setEnabled(stops or (self._has_picture and has_words))
        self.ask_button.setProperty("stops", stops)
        self._theme.set_icon(
            self.ask_button, "stop" if stops else "send", "text" if stops else "on_accent"
        )
        self.ask_button.style().polish(self.ask_button)
        self.prompt_edit.show_placeholder(self._placeholder())
        self._hint(self._standing_hint())

    def _placeholder(self) -> str:
        if not self._has_picture:
            return self.tr("Open an image to ask about it")
        return self._suggestion or self.tr("Ask about the image")

    def _texts_of_hints(self) -> dict[_Hint, tuple[str, str]]:
        """Returns each hint in a long form, and in a short one for a narrow box."""
        enter, stop = self.tr("Press Enter to ask"), self.tr("Press Esc to stop")
        open_first = self.tr("Open an image first")
        return {
            _Hint.NOTHING: ("", ""),
            _Hint.LOADING: (
                self.tr("The model is loading. Questions wait for it."),
                self.tr("Loading model"),
            ),
            _Hint.WAITING: (
                self.tr("The model is loading. Your question waits for it."),
                self.tr("Question waits"),
            ),
            _Hint.BUSY: (
                self.tr("An answer is being generated. Press Esc to stop it first."),
                self.tr("Press Esc first"),
            ),
            _Hint.STOPS: (stop, stop),
            _Hint.ENTER: (enter, enter),
            _Hint.OPEN_FIRST: (open_first, open_first),
        }

    def _standing_hint(self) -> _Hint:
        if self._is_loading:
            return _Hint.WAITING if self._is_answering else _Hint.LOADING
        if self._is_answering:
            return _Hint.STOPS
        if self._has_picture and self._suggestion and not self.text:
            return _Hint.ENTER
        return _Hint.NOTHING

    def _hint(self, hint: _Hint) -> None:
        self._hint_shown = hint
        full, short = self._hint_texts[hint]
        fits = self.hint_label.fontMetrics().horizontalAdvance(full) <= self.hint_label.width()
        self.hint_label.setText(full if fits else short)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        style = Qt.ToolButtonStyle
        narrow = self.width() < _NARROW
        self.presets_button.setToolButtonStyle(
            style.ToolButtonIconOnly if narrow else style.ToolButtonTextBesideIcon
        )
        self._column.activate()
        self._hint(self._hint_shown)

    def _ask(self, prompt: str) -> None:
        self.prompt_edit.remember(prompt)
        self._suggestion = ""
        self._show_state()
        self.asked.emit(prompt)

    @Slot()
    def _on_sent(self) -> None:
        """Asks. What cannot be asked now stays in the field, and the hint says why."""
        prompt = self.text.strip() or self._suggestion
        if self._is_answering:
            self._hint(_Hint.BUSY)
        elif not self._has_picture:
            self._hint(_Hint.OPEN_FIRST)
        elif prompt:
            self._ask(prompt)

    @Slot()
    def _on_escaped(self) -> None:
        if self._is_answering:
            self.stopped.emit()

    @Slot()
    def _on_ask_clicked(self) -> None:
        if self._is_answering:
            self.stopped.emit()
        else:
            self._on_sent()
        self.focus_prompt()

    @Slot()
    def _on_preset_chosen(self, prompt: str, checked: bool = False) -> None:
        """Asks a preset at once if there is a picture; keeps what was being written."""
        self.focus_prompt()
        if self._has_picture and not self._is_answering and not self.text.strip():
            self._ask(prompt)
        else:
            self.prompt_edit.insert_or_replace(prompt)

    @Slot(bool)
    def _on_focus_changed(self, has_focus: bool) -> None:
        self.setProperty("focused", has_focus)
        self.style().polish(self)
