"""The prompt: written, taken from presets or from earlier ones, and sent; Ask and Stop."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from PySide6.QtCore import QMimeData, QSize, Qt, Signal, Slot
from PySide6.QtGui import QFocusEvent, QKeyEvent, QResizeEvent, QTextCursor
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QMenu,
    QPlainTextEdit,
    QPushButton,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from gui.widgets.elided_label import ElidedLabel
from gui.widgets.theme import Theme

_MOST_LINES = 6
_NO_PICTURE = "Open a picture, then ask about it"
_MORE = "Ask about the picture"
# Hints, as they are said where there is room, and where there is little.
_LOADING = ("The model is loading; a question will wait", "Model loading")
_WAITING = ("The model is loading; your question waits", "Your question waits")
_BUSY = ("The answer is still being written; Esc stops it", "Esc stops first")
_STOPS = ("Esc stops", "Esc stops")
_ENTER = ("Enter asks this", "Enter asks this")
_OPEN_FIRST = ("Open a picture first", "Open a picture first")
_NOTHING = ("", "")
_NARROW = 360


class PromptBox(QFrame):
    """Enter sends, Shift+Enter breaks the line, Up and Down bring earlier prompts back.

    `asked(str)`: a prompt to answer. `stopped()`: end the answer under way.
    `picture_pasted()`: a picture, not text, was pasted here.
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
        self._hint_words = _NOTHING
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
        return self.prompt_edit.toPlainText()

    @property
    def is_answering(self) -> bool:
        return self._is_answering

    def set_text(self, text: str) -> None:
        """Replace what is written; it can be undone."""
        self.prompt_edit.replace_text(text)

    def suggest(self, prompt: str) -> None:
        """What an empty box asks on Enter; it says so. "" for nothing."""
        self._suggestion = prompt
        self._show_state()

    def set_has_picture(self, has_picture: bool) -> None:
        self._has_picture = has_picture
        self._show_state()

    def set_answering(self, is_answering: bool) -> None:
        """Ask becomes Stop, and back."""
        self._is_answering = is_answering
        self._show_state()

    def set_loading(self, is_loading: bool) -> None:
        """Whether the model is on its way: asking is possible and waits."""
        self._is_loading = is_loading
        self._show_state()

    def set_presets(self, presets: Sequence[tuple[str, str]]) -> None:
        """Ready prompts, as (name, prompt)."""
        self._menu.clear()
        for name, prompt in presets:
            action = self._menu.addAction(name)
            action.setToolTip(prompt)
            action.triggered.connect(partial(self._on_preset_chosen, prompt))
        self.presets_button.setVisible(bool(presets))

    def set_history(self, prompts: Sequence[str]) -> None:
        """Earlier prompts, oldest first."""
        self.prompt_edit.set_history(prompts)

    def focus_prompt(self) -> None:
        self.prompt_edit.setFocus(Qt.FocusReason.OtherFocusReason)

    def _build(self) -> None:
        self.prompt_edit = _PromptEdit()
        self.prompt_edit.setObjectName("prompt_edit")
        self.prompt_edit.setAccessibleName("Your question about the picture")
        self.presets_button = QToolButton()
        self.presets_button.setObjectName("presets_button")
        self.presets_button.setText("Prompts")
        self.presets_button.setToolTip("Ready prompts")
        self.presets_button.setAccessibleName("Ready prompts")
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
        self.ask_button.setText("Stop" if stops else "Ask")
        self.ask_button.setToolTip("Stop answering (Esc)" if stops else "Ask (Enter)")
        self.ask_button.setEnabled(stops or (self._has_picture and has_words))
        self.ask_button.setProperty("stops", stops)
        self._theme.set_icon(
            self.ask_button, "stop" if stops else "send", "text" if stops else "on_accent"
        )
        self.ask_button.style().polish(self.ask_button)
        self.prompt_edit.setPlaceholderText(self._placeholder())
        # Qt paints again only where a placeholder comes or goes, not where its words change.
        self.prompt_edit.viewport().update()
        self._hint(self._standing_hint())

    def _placeholder(self) -> str:
        if not self._has_picture:
            return _NO_PICTURE
        return self._suggestion or _MORE

    def _standing_hint(self) -> tuple[str, str]:
        if self._is_loading:
            return _WAITING if self._is_answering else _LOADING
        if self._is_answering:
            return _STOPS
        if self._has_picture and self._suggestion and not self.text:
            return _ENTER
        return _NOTHING

    def _hint(self, words: tuple[str, str]) -> None:
        self._hint_words = words
        full, short = words
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
        self._hint(self._hint_words)

    def _ask(self, prompt: str) -> None:
        self.prompt_edit.remember(prompt)
        self._suggestion = ""
        self._show_state()
        self.asked.emit(prompt)

    @Slot()
    def _on_sent(self) -> None:
        """Enter. What cannot be asked now stays as it is, and the hint says why."""
        prompt = self.text.strip() or self._suggestion
        if self._is_answering:
            self._hint(_BUSY)
        elif not self._has_picture:
            self._hint(_OPEN_FIRST)
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
        """With a picture open a preset is asked at once; what was being written is kept."""
        self.focus_prompt()
        if self._has_picture and not self._is_answering and not self.text.strip():
            self._ask(prompt)
        else:
            self.prompt_edit.insert_or_replace(prompt)

    @Slot(bool)
    def _on_focus_changed(self, has_focus: bool) -> None:
        self.setProperty("focused", has_focus)
        self.style().polish(self)


class _PromptEdit(QPlainTextEdit):
    """Grows with its text; keeps earlier prompts, and what was written over each."""

    sent = Signal()
    escaped = Signal()
    picture_pasted = Signal()
    focus_changed = Signal(bool)

    def __init__(self) -> None:
        super().__init__()
        self._history: list[str] = []
        self._lines = [""]
        self._line = 0
        self.setTabChangesFocus(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.document().documentLayout().documentSizeChanged.connect(self._grow)
        self._grow()

    def set_history(self, prompts: Sequence[str]) -> None:
        self._history = list(prompts)
        self._start_line(self.toPlainText())

    def remember(self, prompt: str) -> None:
        """Add to the history, and begin an empty line."""
        if self._history[-1:] != [prompt]:
            self._history.append(prompt)
        self.replace_text("")
        self._start_line("")

    def replace_text(self, text: str) -> None:
        cursor = self.textCursor()
        cursor.select(QTextCursor.SelectionType.Document)
        cursor.insertText(text)
        self.moveCursor(QTextCursor.MoveOperation.End)

    def insert_or_replace(self, text: str) -> None:
        """Put a preset in; it does not overwrite what the user is writing."""
        if self.toPlainText().strip():
            self.insertPlainText(text)
        else:
            self.replace_text(text)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        shift = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
        plain = event.modifiers() in (
            Qt.KeyboardModifier.NoModifier,
            Qt.KeyboardModifier.KeypadModifier,
        )
        match event.key():
            case Qt.Key.Key_Return | Qt.Key.Key_Enter if not shift:
                self.sent.emit()
            case Qt.Key.Key_Escape:
                self.escaped.emit()
            case Qt.Key.Key_Up if plain and self._is_at_first_line():
                self._go(-1)
            case Qt.Key.Key_Down if plain and self._is_at_last_line():
                self._go(1)
            case Qt.Key.Key_PageUp | Qt.Key.Key_PageDown:
                event.ignore()
            case Qt.Key.Key_Return | Qt.Key.Key_Enter:
                # Qt's own Shift+Enter makes a line separator that is no new paragraph.
                self.insertPlainText("\n")
                self.ensureCursorVisible()
            case _:
                super().keyPressEvent(event)

    def canInsertFromMimeData(self, source: QMimeData) -> bool:
        """Pictures and files dragged over the prompt are the window's business."""
        return source.hasText() and not _is_picture(source)

    def insertFromMimeData(self, source: QMimeData) -> None:
        if _is_picture(source):
            self.picture_pasted.emit()
        elif source.hasText():
            self.insertPlainText(source.text())

    def createMimeDataFromSelection(self) -> QMimeData:
        mime = QMimeData()
        mime.setText(self.textCursor().selection().toPlainText())
        return mime

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        self.focus_changed.emit(True)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self.focus_changed.emit(False)

    def _start_line(self, draft: str) -> None:
        self._lines = [*self._history, draft]
        self._line = len(self._history)

    def _go(self, step: int) -> None:
        """To an earlier or later prompt; whatever was written here is still here on return."""
        line = self._line + step
        if 0 <= line < len(self._lines):
            self._lines[self._line] = self.toPlainText()
            self._line = line
            self.replace_text(self._lines[line])

    def _is_at_first_line(self) -> bool:
        cursor = self.textCursor()
        return not cursor.movePosition(QTextCursor.MoveOperation.Up)

    def _is_at_last_line(self) -> bool:
        cursor = self.textCursor()
        return not cursor.movePosition(QTextCursor.MoveOperation.Down)

    @Slot()
    def _grow(self) -> None:
        # A plain text document counts its height in lines.
        lines = max(1, int(self.document().size().height()))
        shown = min(lines, _MOST_LINES)
        margins = 2 * int(self.document().documentMargin())
        frame = self.contentsMargins().top() + self.contentsMargins().bottom()
        self.setFixedHeight(shown * self.fontMetrics().lineSpacing() + margins + frame + 4)
        always = Qt.ScrollBarPolicy.ScrollBarAsNeeded
        never = Qt.ScrollBarPolicy.ScrollBarAlwaysOff
        self.setVerticalScrollBarPolicy(always if lines > _MOST_LINES else never)


def _is_picture(mime: QMimeData) -> bool:
    """Files, or an image that did not come with words of its own, as from a text editor."""
    has_files = any(url.isLocalFile() for url in mime.urls())
    return has_files or (mime.hasImage() and not mime.hasFormat("text/plain"))
