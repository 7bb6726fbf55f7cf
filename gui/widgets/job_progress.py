"""How far a download, a move, a check or loading is."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QCoreApplication
from PySide6.QtWidgets import QProgressBar, QVBoxLayout, QWidget

from core.formatting import format_duration
from core.transfer.meter import Progress
from gui.widgets.elided_label import ElidedLabel
from gui.widgets.labels import paragraph
from gui.widgets.measures import bytes_rate_text, bytes_text
from gui.widgets.translated import translated

_STEPS = 1000

translate = QCoreApplication.translate


@dataclass(frozen=True)
class ShownProgress:
    """A stage in words, "" to show none; the fraction that is done, None if it is not known, and
    the bytes, if known."""

    stage: str = ""
    fraction: float | None = 0.0
    progress: Progress | None = None


class JobProgress(QWidget):
    """The stage, a bar, and bytes, rate and remaining time; hidden while nothing is under way."""

    def __init__(self, parent: QWidget | None = None):
        super().__init__(parent)
        self.stage_label = ElidedLabel()
        self.stage_label.setObjectName("model_stage_label")
        self.bar = QProgressBar()
        self.bar.setObjectName("model_progress_bar")
        self.bar.setRange(0, _STEPS)
        self.bar.setTextVisible(False)
        self.bar.setAccessibleName(self.tr("Progress"))
        self.rate_label = paragraph(style="explanation", is_selectable=False)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        for part in (self.stage_label, self.bar, self.rate_label):
            column.addWidget(part)

    def show_progress(self, shown: ShownProgress) -> None:
        """Show how far it is; an empty stage hides everything."""
        progress = shown.progress
        self.setVisible(bool(shown.stage))
        self.stage_label.setText(shown.stage)
        self.bar.setVisible(bool(shown.fraction or not progress))
        self.bar.setRange(0, 0 if shown.fraction is None else _STEPS)
        self.bar.setValue(round(_STEPS * (shown.fraction or 0.0)))
        self.rate_label.setText(_bytes_and_rate(progress) if progress and progress.total else "")
        self.rate_label.setVisible(bool(self.rate_label.text()))


def _bytes_and_rate(progress: Progress) -> str:
    parts = [
        translate("JobProgress", "{done} of {total}").format(
            done=bytes_text(progress.done), total=bytes_text(progress.total)
        )
    ]
    if progress.rate:
        parts.append(bytes_rate_text(progress.rate))
    if progress.seconds_left is not None and progress.done < progress.total:
        left = translated(format_duration(progress.seconds_left))
        parts.append(translate("JobProgress", "{time} left").format(time=left))
    return "  ·  ".join(parts)
