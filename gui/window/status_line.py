"""The status line: model, device, precision, memory, speed, and the progress of loading,
downloading and a folder run."""

from __future__ import annotations

from PySide6.QtCore import Signal, Slot
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QProgressBar, QToolButton, QWidget

from gui.widgets.elided_button import ElidedButton
from gui.window.shown import Status

_STEPS = 1000


class StatusLine(QFrame):
    """The last line of the window.

    `loading_cancelled()`: loading is to end. `models_asked()`: all models are to be shown.
    `run_asked()`: so is the folder run. `left_edit_asked()`: the folder with the edit that goes on
    is to be opened. `left_edit_stopped()`: that edit is to stop.
    """

    loading_cancelled = Signal()
    models_asked = Signal()
    run_asked = Signal()
    left_edit_asked = Signal()
    left_edit_stopped = Signal()

    def __init__(self, parent: QWidget | None = None):
        super().__init__(parent)
        self.setObjectName("status_line")
        self.state_label = ElidedButton()
        self.state_label.setObjectName("state_label")
        self.state_label.setAccessibleDescription(self.tr("Opens the Models dialog"))
        self.download_button = QToolButton()
        self.download_button.setObjectName("download_button")
        self.download_button.hide()
        self.progress_bar = QProgressBar()
        self.progress_bar.setObjectName("progress_bar")
        self.progress_bar.setAccessibleName(self.tr("Loading the model"))
        self.progress_bar.setRange(0, _STEPS)
        self.progress_bar.setTextVisible(False)
        self.progress_bar.setFixedWidth(120)
        self.cancel_button = QToolButton()
        self.cancel_button.setObjectName("cancel_button")
        self.cancel_button.setText(self.tr("Cancel"))
        self.speed_label = QLabel()
        self.speed_label.setObjectName("speed_label")
        row = QHBoxLayout(self)
        row.setContentsMargins(16, 0, 12, 0)
        row.setSpacing(12)
        self.run_button = ElidedButton()
        self.run_button.setObjectName("status_run_button")
        self.run_button.setAccessibleDescription(self.tr("Shows the folder run"))
        self.left_edit_button = ElidedButton()
        self.left_edit_button.setObjectName("left_edit_button")
        self.left_edit_button.setAccessibleDescription(self.tr("Opens that folder"))
        self.stop_edit_button = QToolButton()
        self.stop_edit_button.setObjectName("stop_edit_button")
        self.stop_edit_button.setText(self.tr("Stop"))
        self.stop_edit_button.setToolTip(self.tr("Stop changing images in the other folder"))
        row.addWidget(self.state_label, 1)
        row.addWidget(self.left_edit_button)
        row.addWidget(self.stop_edit_button)
        row.addWidget(self.run_button)
        row.addWidget(self.progress_bar)
        row.addWidget(self.cancel_button)
        row.addWidget(self.download_button)
        row.addWidget(self.speed_label)
        self.state_label.clicked.connect(self.models_asked)
        self.download_button.clicked.connect(self.models_asked)
        self.run_button.clicked.connect(self.run_asked)
        self.left_edit_button.clicked.connect(self.left_edit_asked)
        self.stop_edit_button.clicked.connect(self.left_edit_stopped)
        self.cancel_button.clicked.connect(self._on_cancel_clicked)
        self.show_status(Status(""))

    def show_status(self, status: Status) -> None:
        """Shows the loaded model and its speed, how far loading is, or that there is none."""
        is_loading = status.is_loading
        self.progress_bar.setVisible(is_loading)
        # Without an end, it shows that something goes on.
        is_measured = status.fraction is not None or not is_loading
        self.progress_bar.setRange(0, _STEPS if is_measured else 0)
        if self.cancel_button.isHidden() == is_loading:
            self.cancel_button.setVisible(is_loading)
            self.cancel_button.setEnabled(is_loading)
        if status.fraction is not None:
            self.progress_bar.setValue(round(status.fraction * _STEPS))
        self.state_label.setText(status.text)
        self.speed_label.setText(status.speed)
        self.run_button.setText(status.run)
        self.run_button.setVisible(bool(status.run))
        self.left_edit_button.setText(status.left_edit)
        self.left_edit_button.setVisible(bool(status.left_edit))
        self.stop_edit_button.setVisible(status.can_stop_left_edit)

    def show_download(self, name: str, share: float) -> None:
        """Show how much of a model is downloaded, as a fraction; the name "" for no download."""
        self.download_button.setText(f"↓ {share:.0%}")
        tip = self.tr("Downloading {name}").format(name=name)
        self.download_button.setToolTip(tip)
        self.download_button.setAccessibleName(f"{tip}, {share:.0%}")
        self.download_button.setVisible(bool(name))

    @Slot()
    def _on_cancel_clicked(self) -> None:
        self.cancel_button.setEnabled(False)
        self.loading_cancelled.emit()
