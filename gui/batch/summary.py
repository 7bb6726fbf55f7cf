"""The outcome of a folder run: what was written where, what failed and why."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QCoreApplication
from PySide6.QtWidgets import QFrame, QLabel, QSizePolicy, QVBoxLayout, QWidget

from core.batch import Summary
from core.captions.formats import CaptionFormat
from gui.widgets.counted import counted
from gui.widgets.labels import paragraph
from gui.widgets.line_break import breakable
from gui.widgets.text_direction import in_own_order
from gui.widgets.translated import translated

_REASONS = 3

translate = QCoreApplication.translate


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
        self.failed_label.setText(_reasons(self.tr("Failed"), tally.reasons))
        self.skipped_label.setText(_reasons(self.tr("Skipped"), summary.skips))
        self.noted_label.setText(_reasons(self.tr("Warnings"), summary.notes))
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
    if tally.undone:
        return _undone_headline(summary)
    begin = translate("SummaryBox", "Finished")
    if tally.waiting:
        begin = translate("SummaryBox", "Stopped")
    if summary.seconds >= 1:
        after = translate("SummaryBox", "{what} after {time}")
        begin = after.format(what=begin, time=_lasted(summary.seconds))
    counts = (
        (tally.captioned, translate("SummaryBox", "{count} captioned")),
        (tally.edited, translate("SummaryBox", "{count} edited by hand")),
        (tally.failed, translate("SummaryBox", "{count} failed")),
        (tally.skipped, translate("SummaryBox", "{count} skipped")),
        (tally.waiting, translate("SummaryBox", "{count} still to do")),
    )
    parts = [text.format(count=f"{count:,}") for count, text in counts if count]
    nothing = translate("SummaryBox", "nothing to caption")
    return f"{begin}: {', '.join(parts) or nothing}"


def _undone_headline(summary: Summary) -> str:
    tally = summary.tally
    one = translate("SummaryBox", "Undone: 1 image is as before the run")
    many = translate("SummaryBox", "Undone: {count} images are as before the run")
    parts = [counted(tally.undone, one, many)]
    if tally.edited:
        kept = translate("SummaryBox", "{count} edited by hand and kept")
        parts.append(kept.format(count=f"{tally.edited:,}"))
    if summary.seconds >= 1:
        took = translate("SummaryBox", "the run took {time}")
        parts.append(took.format(time=_lasted(summary.seconds)))
    return ", ".join(parts)


def _written(summary: Summary) -> str:
    if not summary.tally.done or summary.tally.undone:
        return ""
    options = summary.options
    is_plain = options.name == "{stem}"
    name = "" if is_plain else options.name
    beside = [f"{name}.{kind}" for kind in options.text_formats]
    if CaptionFormat.XMP in options.writes:
        beside.append(".xmp" if is_plain else "XMP")
    parts: list[str] = []
    if beside:
        text = translate("SummaryBox", "Written beside each image as {files}.")
        parts.append(text.format(files=", ".join(beside)))
    if summary.tables:
        text = translate("SummaryBox", "All captions are in {files} in “{folder}”.")
        names = ", ".join(path.name for path in summary.tables)
        parts.append(text.format(files=names, folder=summary.tables[0].parent.name))
    return breakable(" ".join(parts))


def _reasons(word: str, reasons: Sequence[tuple[str, int]]) -> str:
    shown = [
        in_own_order(f"{count:,} × {translated(reason)}") for reason, count in reasons[:_REASONS]
    ]
    if len(reasons) > _REASONS:
        others = sum(count for _, count in reasons[_REASONS:])
        text = translate("SummaryBox", "{count} for other reasons.")
        shown.append(text.format(count=f"{others:,}"))
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
