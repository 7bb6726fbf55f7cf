"""How far a folder run is: a bar and a line of text."""

from __future__ import annotations

from PySide6.QtCore import QCoreApplication, Qt
from PySide6.QtWidgets import QLabel, QProgressBar, QVBoxLayout, QWidget

from core.batch import ItemState, Phase, Progress
from core.formatting import format_duration
from gui.batch.run_controls import has_begun
from gui.widgets.counted import counted
from gui.widgets.text_direction import in_own_order
from gui.widgets.translated import translated

translate = QCoreApplication.translate


class RunProgress(QWidget):
    """Shows the progress of a run that has begun."""

    def __init__(self, parent: QWidget | None = None):
        super().__init__(parent)
        self.bar = QProgressBar()
        self.bar.setObjectName("run_bar")
        self.bar.setAccessibleName(self.tr("Images done"))
        self.bar.setTextVisible(False)
        self.label = QLabel()
        self.label.setObjectName("progress_label")
        self.label.setProperty("class", "key")
        self.label.setTextFormat(Qt.TextFormat.PlainText)
        self.label.setWordWrap(True)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addWidget(self.bar)
        column.addWidget(self.label)

    def show_progress(self, phase: Phase, progress: Progress) -> None:
        """Fills the bar and the line."""
        total, left = sum(progress.counts.values()), items_left(progress)
        self.bar.setRange(0, max(1, total))
        self.bar.setValue(total - left)
        self.label.setText(progress_text(phase, progress))

    def show_parts(self, phase: Phase, *, has_summary: bool) -> None:
        """Shows the bar while the run is not over, and the line unless there is a summary."""
        shows_bar = has_begun(phase) and phase not in (Phase.OVER, Phase.UNDONE)
        shows_text = has_begun(phase) and not has_summary
        self.bar.setVisible(shows_bar)
        self.label.setVisible(shows_text)
        self.setVisible(shows_bar or shows_text)


def items_left(progress: Progress) -> int:
    """Returns how many items are not finished yet."""
    counts = progress.counts
    return counts.get(ItemState.WAITING, 0) + counts.get(ItemState.WORKING, 0)


def progress_text(phase: Phase, progress: Progress) -> str:
    """Returns the line under the bar."""
    counts = progress.counts
    total, left = sum(counts.values()), items_left(progress)
    progress_of = translate("RunProgress", "{done} of {total}")
    parts = [progress_of.format(done=f"{total - left:,}", total=f"{total:,}")]
    if count := counts.get(ItemState.SKIPPED):
        parts.append(translate("RunProgress", "{count} skipped").format(count=f"{count:,}"))
    if count := counts.get(ItemState.FAILED):
        parts.append(translate("RunProgress", "{count} failed").format(count=f"{count:,}"))
    match phase:
        case Phase.RUNNING:
            if progress.rate:
                parts.append(rate_text(progress.rate))
            if progress.seconds_left is not None and left:
                time = translated(format_duration(progress.seconds_left))
                parts.append(translate("RunProgress", "{time} left").format(time=time))
        case Phase.ENDING:
            parts.append(translate("RunProgress", "stopping after the current captions"))
        case Phase.PAUSED:
            parts.append(translate("RunProgress", "Paused. You can resume any time."))
        case Phase.OVER:
            finished = translate("RunProgress", "Finished: {count} captioned")
            captioned = counts.get(ItemState.DONE, 0) - progress.edited
            parts[0] = finished.format(count=f"{captioned:,}")
            if progress.edited:
                edited = translate("RunProgress", "{count} edited by hand")
                parts.insert(1, edited.format(count=f"{progress.edited:,}"))
        case Phase.UNDOING:
            parts = [translate("RunProgress", "Undoing…")]
        case Phase.UNDONE:
            undone = counts.get(ItemState.UNDONE, 0)
            one = translate("RunProgress", "Undone, 1 image is as before the run")
            many = translate("RunProgress", "Undone, {count} images are as before the run")
            parts = [counted(undone, one, many)]
    return "  ·  ".join(part for part in parts if part)


def rate_text(rate: float) -> str:
    """Returns images per second, or per minute where that would be a fraction."""
    if rate >= 1:
        text = translate("RunProgress", "{count} images/s").format(count=f"{rate:.1f}")
        return in_own_order(text)
    one = translate("RunProgress", "1 image/min")
    many = translate("RunProgress", "{count} images/min")
    return in_own_order(counted(round(rate * 60), one, many))
