"""Notes about a folder and an image, and the prompt that the model gets with them."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Signal
from PySide6.QtWidgets import (
    QDialog,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from core.captions.variables import Filled
from gui.widgets.draft_timer import DraftTimer
from gui.widgets.labels import paragraph
from gui.widgets.line_break import breakable
from gui.widgets.scrolled_page import ScrolledPage
from gui.widgets.text_direction import PlainTextEdit

_SIZE = (640, 560)
_LEAST_SIZE = (420, 300)
_NOTE_LINES = 3
_PROMPT_LINES = 6
_LONGEST = 200


class NotesDialog(QDialog):
    """What is written is kept at once.

    `written()`: a note is another one. `consent_given()`: what metadata says of people may be sent
    to the server.
    """

    written = Signal()
    consent_given = Signal()

    def __init__(self, folder: str, image: str, parent: QWidget | None = None):
        """`folder` and `image` are their names."""
        super().__init__(parent)
        self.setObjectName("notes_dialog")
        self.setWindowTitle(self.tr("Prompt and notes"))
        self._typed = DraftTimer(self)
        self._typed.timeout.connect(self.written)
        self.folder_edit = _text("folder_note_edit", self.tr("Note about the folder"), _NOTE_LINES)
        self.folder_edit.setPlaceholderText(self.tr("This is the 1987 expedition."))
        self.image_edit = _text("image_note_edit", self.tr("Note about the image"), _NOTE_LINES)
        self.prompt_edit = _text("filled_prompt", self.tr("Prompt for this image"), _PROMPT_LINES)
        self.prompt_edit.setReadOnly(True)
        # What the model gets has the room that the notes leave.
        self.prompt_edit.setMaximumHeight(16_777_215)
        self._build_labels()
        self._place(folder, image)
        for edit in (self.folder_edit, self.image_edit):
            # Until the notes that are kept are known: what is typed would take their place.
            edit.setReadOnly(True)
            edit.textChanged.connect(self._typed.begin)
        self.consent_button.clicked.connect(self.consent_given)
        self.close_button.clicked.connect(self.accept)

    @property
    def notes(self) -> tuple[str, str]:
        """What is written about the folder, and about the image."""
        return self.folder_edit.toPlainText().strip(), self.image_edit.toPlainText().strip()

    def show_notes(self, folder: str, image: str) -> None:
        """Shows what was written before; from now on it can be changed."""
        for edit, text in ((self.folder_edit, folder), (self.image_edit, image)):
            edit.setPlainText(text)
            edit.setReadOnly(False)
        self._typed.stop()
        self.written.emit()

    def show_prompts(self, filled: Sequence[Filled]) -> None:
        """Shows the prompts with their variables filled in."""
        self.prompt_edit.setPlainText("\n\n".join(one.text for one in filled))
        values: dict[str, str] = {}
        missing: dict[str, None] = {}
        for one in filled:
            values.update(one.values)
            missing.update(dict.fromkeys(one.missing))
        lines = [f"{{{name}}}  {_short(value)}" for name, value in values.items()]
        if missing:
            names = ", ".join(f"{{{name}}}" for name in missing)
            lines.append(self.tr("Not known, so left out: {names}").format(names=names))
        self.values_label.setText(breakable("\n".join(lines)))
        self.values_label.setVisible(bool(lines))

    def show_consent(self, text: str, *, can_give: bool) -> None:
        """Says what a server gets of people's metadata, "" for nothing."""
        self.consent_label.setText(breakable(text))
        self.consent_row.setVisible(bool(text))
        self.consent_button.setVisible(can_give)

    def done(self, result: int) -> None:
        """Keeps what was typed last."""
        if self._typed.isActive():
            self._typed.stop()
            self.written.emit()
        super().done(result)

    # Parts

    def _build_labels(self) -> None:
        self.values_label = paragraph(style="explanation")
        self.values_label.setObjectName("prompt_values")
        self.consent_label = paragraph()
        self.consent_label.setObjectName("consent_text")
        self.consent_button = QPushButton(self.tr("Allow for this folder"))
        self.consent_button.setObjectName("consent_button")
        self.consent_button.setAutoDefault(False)
        self.consent_row = QWidget()
        row = QHBoxLayout(self.consent_row)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(12)
        row.addWidget(self.consent_label, 1)
        row.addWidget(self.consent_button)
        self.consent_row.hide()
        self.close_button = QPushButton(self.tr("Close"))
        self.close_button.setDefault(True)

    def _place(self, folder: str, image: str) -> None:
        page = QWidget()
        inside = QVBoxLayout(page)
        inside.setContentsMargins(0, 0, 8, 0)
        inside.setSpacing(4)
        about_folder = self.tr("About the folder “{name}”: {variable} in prompts")
        about_image = self.tr("About “{name}”: {variable} in prompts")
        for text, edit in (
            (about_folder.format(name=folder, variable="{folder_note}"), self.folder_edit),
            (about_image.format(name=image, variable="{image_note}"), self.image_edit),
            (self.tr("The prompt for “{name}”").format(name=image), self.prompt_edit),
        ):
            label = QLabel(breakable(text))
            label.setWordWrap(True)
            label.setProperty("class", "key")
            label.setBuddy(edit)
            inside.addWidget(label)
            inside.addWidget(edit)
            inside.addSpacing(8)
        inside.setStretchFactor(self.prompt_edit, 1)
        inside.addWidget(self.values_label)
        inside.addWidget(self.consent_row)
        foot = QHBoxLayout()
        foot.addStretch(1)
        foot.setContentsMargins(0, 0, 8, 0)
        foot.addWidget(self.close_button)
        column = QVBoxLayout(self)
        column.setContentsMargins(24, 20, 16, 16)
        column.setSpacing(12)
        self._page = ScrolledPage(page)
        column.addWidget(self._page, 1)
        column.addLayout(foot)
        self.setMinimumSize(*_LEAST_SIZE)
        self.resize(*_SIZE)


def _short(value: str) -> str:
    text = " ".join(value.split())
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _text(name: str, words: str, lines: int) -> PlainTextEdit:
    edit = PlainTextEdit()
    edit.setObjectName(name)
    edit.setProperty("class", "field")
    edit.setAccessibleName(words)
    edit.setTabChangesFocus(True)
    edit.setFixedHeight(edit.fontMetrics().lineSpacing() * lines + 20)
    return edit
