"""A bar above the prompt for notes and expected errors. It is not modal and takes no focus."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from PySide6.QtCore import Qt, QTimer, Signal, Slot
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from gui.widgets.buttons import icon_button
from gui.widgets.labels import paragraph
from gui.widgets.line_break import breakable
from gui.widgets.theme import Theme

_SHOWN_MS = 15_000


class NoticeActionKind(Enum):
    """Everything that the button of a notice can do."""

    USE_BUILT_IN_MODEL = auto()
    LOAD_IN_LOWER_PRECISION = auto()
    SHOW_MODELS = auto()
    ALLOW_NETWORK = auto()
    RESUME_RUN = auto()
    CAPTION_ALL = auto()


@dataclass(frozen=True)
class NoticeAction:
    """The button of a notice: `kind` says what it does, `text` is only shown and never compared."""

    kind: NoticeActionKind
    text: str


class NoticeBar(QFrame):
    """Shows the latest notice. A notice without an action disappears after 15 seconds.

    `action_chosen(NoticeActionKind)`: the notice's button was clicked.
    """

    action_chosen = Signal(object)

    def __init__(self, theme: Theme, parent: QWidget | None = None):
        super().__init__(parent)
        self.setObjectName("notice_bar")
        self._action: NoticeAction | None = None
        self.text_label = paragraph()
        self.text_label.setObjectName("notice_text")
        self.action_button = QPushButton()
        self.action_button.setProperty("class", "small")
        self.close_button = icon_button(
            theme, "close", self.tr("Dismiss this notice"), tip=self.tr("Dismiss")
        )
        column = QVBoxLayout(self)
        column.setContentsMargins(12, 6, 4, 6)
        column.setSpacing(4)
        row = QHBoxLayout()
        row.setSpacing(8)
        row.addWidget(self.text_label, 1)
        row.addWidget(self.close_button, 0, Qt.AlignmentFlag.AlignTop)
        column.addLayout(row)
        column.addWidget(self.action_button, 0, Qt.AlignmentFlag.AlignLeft)
        self._timeout = QTimer(self, singleShot=True, interval=_SHOWN_MS)
        self._timeout.timeout.connect(self.hide)
        self.close_button.clicked.connect(self.hide)
        self.action_button.clicked.connect(self._on_action_clicked)
        self.hide()

    @property
    def action_kind(self) -> NoticeActionKind | None:
        """What the button of the latest notice does; None if that notice has no button."""
        return self._action.kind if self._action else None

    def show_notice(self, text: str, action: NoticeAction | None = None) -> None:
        """Replaces the notice shown so far; `action` adds a button and keeps the notice open."""
        self._action = action
        self.text_label.setText(breakable(text))
        self.action_button.setText(action.text if action else "")
        self.action_button.setVisible(action is not None)
        self.show()
        self._timeout.stop()
        if action is None:
            self._timeout.start()

    @Slot()
    def _on_action_clicked(self) -> None:
        self.hide()
        if self._action:
            self.action_chosen.emit(self._action.kind)
