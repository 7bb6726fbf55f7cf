"""The window's last line: model, device, precision, memory, speed; or how far loading is."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Signal, Slot
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QProgressBar, QToolButton, QWidget

from core.transcript import Absent, EngineFacts, Failed, Loading, ModelState, Ready
from gui.elided_label import ElidedLabel

_STEPS = 1000


class StatusLine(QFrame):
    """`loading_cancelled()`: the user wants loading to end."""

    loading_cancelled = Signal()

    def __init__(self, parent: QWidget | None = None):
        super().__init__(parent)
        self.setObjectName("status_line")
        self.state_label = ElidedLabel("No model is loaded")
        self.state_label.setObjectName("state_label")
        self.progress_bar = QProgressBar()
        self.progress_bar.setObjectName("progress_bar")
        self.progress_bar.setAccessibleName("Loading the model")
        self.progress_bar.setRange(0, _STEPS)
        self.progress_bar.setTextVisible(False)
        self.progress_bar.setFixedWidth(120)
        self.cancel_button = QToolButton()
        self.cancel_button.setObjectName("cancel_button")
        self.cancel_button.setText("Cancel")
        self.speed_label = QLabel()
        self.speed_label.setObjectName("speed_label")
        row = QHBoxLayout(self)
        row.setContentsMargins(16, 0, 12, 0)
        row.setSpacing(12)
        row.addWidget(self.state_label, 1)
        row.addWidget(self.progress_bar)
        row.addWidget(self.cancel_button)
        row.addWidget(self.speed_label)
        self.cancel_button.clicked.connect(self._on_cancel_clicked)
        self.show_model_state(Absent())

    def show_model_state(self, state: ModelState) -> None:
        loading = isinstance(state, Loading)
        self.progress_bar.setVisible(loading)
        self.cancel_button.setVisible(loading)
        self.cancel_button.setEnabled(loading)
        match state:
            case Absent():
                self.state_label.setText("No model is loaded")
            case Loading(fraction, stage):
                self.progress_bar.setValue(round(fraction * _STEPS))
                self.state_label.setText(f"{stage}  {fraction:.0%}")
            case Ready(facts):
                self.state_label.setText(describe(facts))
            case Failed():
                self.state_label.setText("The model could not be loaded")
        if not isinstance(state, Ready):
            self.show_speed(0)

    def show_speed(self, tokens_per_second: float) -> None:
        """Of the last answer, or of the one under way; 0 shows nothing."""
        shown = f"{tokens_per_second:.0f} tokens/s" if tokens_per_second else ""
        self.speed_label.setText(shown)

    @Slot()
    def _on_cancel_clicked(self) -> None:
        self.cancel_button.setEnabled(False)
        self.loading_cancelled.emit()


def describe(facts: EngineFacts) -> str:
    """Model, device, precision and memory in one line."""
    gib = facts.memory_bytes / 2**30
    memory = f"{gib:.1f} GiB" if gib >= 1 else f"{facts.memory_bytes / 2**20:.0f} MiB"
    return "  ·  ".join((model_name(facts.model), facts.device_name, facts.dtype, memory))


def model_name(model: str) -> str:
    """How a model is called on the screen: the last part of its folder or hub id."""
    return "Built-in model" if model == "built-in" else Path(model).name or model
