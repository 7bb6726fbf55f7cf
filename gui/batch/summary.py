"""The outcome of a folder run: what was written where, what failed and why."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtWidgets import QFrame, QLabel, QSizePolicy, QVBoxLayout, QWidget

from core.batch import CaptionFormat, Summary
from gui.widgets.labels import paragraph
from gui.widgets.line_break import breakable

_REASONS = 3


class SummaryBox(QFrame):
    """A headline, and a line each for what was written, failed, was skipped or noted."""

    def __init__(self, parent: QWidget | None = None):
        super().__init__(parent)
        self.setObjectName("summary_box")
        self.headline_label = _label("section")
        self.written_label = _label("")
        self.failed_label = _label("error")
        self.skipped_label = _label("key")
        self.noted_label = _label("key")
        column = QVBoxLayout(self)
        column.setContentsMargins(12, 8, 12, 8)
        column.setSpacing(4)
        for label in self._labels:
            column.addWidget(label)
        self.hide()

    def show_summary(self, summary: Summary) -> None:
        """Fills and shows the box."""
        tally = summary.tally
        self.headline_label.setText(_headline(summary))
        self.written_label.setText(_written(summary))
        self.failed_label.setText(_reasons("Failed", tally.reasons))
        self.skipped_label.setText(_reasons("Skipped", summary.skips))
        self.noted_label.setText(_reasons("Warnings", summary.notes))
        for label in self._labels:
            label.setVisible(bool(label.text()))
        self.show()

    @property
    def _labels(self) -> tuple[QLabel, ...]:
        return (
            self.headline_label,
            self.written_label,
            self.failed_label,
            self.skipped_label,
            self.noted_label,
        )


def _headline(summary: Summary) -> str:
    tally = summary.tally
    took = f" after {_lasted(summary.seconds)}" if summary.seconds >= 1 else ""
    begin = f"Stopped{took}" if tally.waiting else f"Finished{took}"
    counts = (
        (tally.done, "captioned"),
        (tally.failed, "failed"),
        (tally.skipped, "skipped"),
        (tally.waiting, "still to do"),
    )
    parts = [f"{count:,} {words}" for count, words in counts if count]
    return f"{begin}: {', '.join(parts) or 'nothing was to be done'}"


def _written(summary: Summary) -> str:
    if not summary.tally.done:
        return ""
    options = summary.options
    is_plain = options.name == "{stem}"
    beside = [f"{'a ' if is_plain else options.name}.{kind}" for kind in options.text_formats]
    if CaptionFormat.XMP in options.writes:
        beside.append("an .xmp" if is_plain else "XMP")
    parts = []
    if beside:
        kind = " file" if is_plain else ""
        parts.append(f"beside each image as {' and '.join(beside)}{kind}")
    if summary.tables:
        names = " and ".join(path.name for path in summary.tables)
        parts.append(f"all in {names} in “{summary.tables[0].parent.name}”")
    return breakable(f"Written {'; '.join(parts)}.")


def _reasons(word: str, reasons: Sequence[tuple[str, int]]) -> str:
    shown = [f"{count:,} × {reason}" for reason, count in reasons[:_REASONS]]
    if len(reasons) > _REASONS:
        others = sum(count for _, count in reasons[_REASONS:])
        shown.append(f"{others:,} for other reasons.")
    return breakable(f"{word}: {'  '.join(shown)}") if shown else ""


def _lasted(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60} min"


def _label(style: str) -> QLabel:
    label = paragraph(style=style)
    # Never lower than its lines, even where space is short.
    label.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Minimum)
    return label
