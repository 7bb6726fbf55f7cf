"""Says for a minute what the computer is about to do, so that whoever is there can cancel it."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, Qt, QTimer, Slot
from PySide6.QtWidgets import QApplication, QDialog, QPushButton, QVBoxLayout, QWidget

from gui.batch.after_run import AfterRun
from gui.widgets.counted import counted
from gui.widgets.labels import paragraph

_CANCELLING = (
    QEvent.Type.KeyPress,
    QEvent.Type.MouseButtonPress,
    QEvent.Type.TouchBegin,
)
_WIDTH = 380


class CountdownDialog(QDialog):
    """It is accepted when the time is over, and rejected by any key or click in the program."""

    def __init__(self, action: AfterRun, seconds: int, parent: QWidget | None = None):
        super().__init__(parent)
        self.setObjectName("countdown_dialog")
        self.setWindowTitle(self.tr("Folder run finished"))
        self.setWindowModality(Qt.WindowModality.ApplicationModal)
        self._action, self._left = action, seconds
        self.text_label = paragraph()
        self.text_label.setObjectName("countdown_text")
        self.hint_label = paragraph(style="explanation")
        self.hint_label.setText(self.tr("Press any key or click to cancel."))
        self.cancel_button = QPushButton(self.tr("Cancel"))
        self.cancel_button.setObjectName("cancel_button")
        self.cancel_button.setDefault(True)
        self.cancel_button.clicked.connect(self.reject)
        column = QVBoxLayout(self)
        column.setContentsMargins(24, 20, 24, 16)
        column.setSpacing(12)
        column.addWidget(self.text_label)
        column.addWidget(self.hint_label)
        column.addStretch(1)
        column.addWidget(self.cancel_button, 0, Qt.AlignmentFlag.AlignRight)
        self.setMinimumWidth(_WIDTH)
        self._timer = QTimer(self, interval=1000)
        self._timer.timeout.connect(self._count)
        self._timer.start()
        self._show()
        application = QApplication.instance()
        assert application is not None
        application.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Cancels by whatever is pressed."""
        if event.type() in _CANCELLING and self._timer.isActive() and event.spontaneous():
            self.reject()
            return True
        return super().eventFilter(watched, event)

    def done(self, result: int) -> None:
        """Ends the countdown."""
        self._timer.stop()
        application = QApplication.instance()
        if application is not None:
            application.removeEventFilter(self)
        super().done(result)

    @Slot()
    def _count(self) -> None:
        self._left -= 1
        if self._left <= 0:
            self.accept()
        else:
            self._show()

    def _show(self) -> None:
        one = self.tr("The computer goes to sleep in 1 second.")
        many = self.tr("The computer goes to sleep in {count} seconds.")
        if self._action is AfterRun.SHUT_DOWN:
            one = self.tr("The computer shuts down in 1 second.")
            many = self.tr("The computer shuts down in {count} seconds.")
        text = counted(self._left, one, many)
        self.text_label.setText(text)
        self.setAccessibleDescription(text)
