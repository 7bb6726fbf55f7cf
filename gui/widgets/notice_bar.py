"""A line above the prompt for notes and expected errors. It waits for nobody and blocks nothing."""

from __future__ import annotations

from PySide6.QtCore import Qt, QTimer, Signal, Slot
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from gui.widgets.line_break import breakable
from gui.widgets.theme import Theme

_SHOWN_MS = 15_000


class NoticeBar(QFrame):
    """Shows one notice, the latest; one without an action goes by itself after a while.

    `action_chosen(str)`: the notice's action, by the words it was shown with.
    """

    action_chosen = Signal(str)

    def __init__(self, theme: Theme, parent: QWidget | None = None):
        super().__init__(parent)
        self.setObjectName("notice_bar")
        self.text_label = QLabel()
        self.text_label.setObjectName("notice_text")
        self.text_label.setTextFormat(Qt.TextFormat.PlainText)
        self.text_label.setWordWrap(True)
        self.text_label.setIndent(0)
        self.text_label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.action_button = QPushButton()
        self.action_button.setProperty("class", "small")
        self.close_button = QToolButton()
        self.close_button.setProperty("class", "action")
        self.close_button.setToolTip("Dismiss")
        self.close_button.setAccessibleName("Dismiss this notice")
        theme.set_icon(self.close_button, "close", "text_quiet")
        column = QVBoxLayout(self)
        column.setContentsMargins(12, 6, 4, 6)
        column.setSpacing(4)
        row = QHBoxLayout()
        row.setSpacing(8)
        row.addWidget(self.text_label, 1)
        row.addWidget(self.close_button, 0, Qt.AlignmentFlag.AlignTop)
        column.addLayout(row)
        column.addWidget(self.action_button, 0, Qt.AlignmentFlag.AlignLeft)
        self._over = QTimer(self, singleShot=True, interval=_SHOWN_MS)
        self._over.timeout.connect(self.hide)
        self.close_button.clicked.connect(self.hide)
        self.action_button.clicked.connect(self._on_action_clicked)
        self.hide()

    def show_notice(self, text: str, action_text: str | None = None) -> None:
        self.text_label.setText(breakable(text))
        self.action_button.setText(action_text or "")
        self.action_button.setVisible(bool(action_text))
        self.show()
        self._over.stop()
        if not action_text:
            self._over.start()

    @Slot()
    def _on_action_clicked(self) -> None:
        self.hide()
        self.action_chosen.emit(self.action_button.text())
