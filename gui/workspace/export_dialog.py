"""Asks how captions are to be exported, shows how far it is, and what became of it."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Signal, Slot
from PySide6.QtWidgets import (
    QDialog,
    QHBoxLayout,
    QProgressBar,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from core.workspace.export import ExportReport
from gui.widgets.labels import paragraph
from gui.widgets.line_break import breakable
from gui.widgets.scrolled_page import ScrolledPage
from gui.widgets.text_direction import PlainTextEdit
from gui.widgets.translated import translated
from gui.workspace.export_form import ExportForm, ScopeCounts
from gui.workspace.export_texts import failed, outcome

_LEAST_WIDTH = 600
_HEIGHT = 420
_STEPS = 1000
_MOST_FAILURES = 500
_FAILURE_LINES = 4


class ExportDialog(QDialog):
    """One dialog from the choice to the report; closing it while it exports stops the export.

    `asked(ExportChoice, bool)`: export, and replace files that no export wrote if the second is
    true. `stopped()`: end the export. `reveal_asked(Path)`: show this in the file manager.
    """

    asked = Signal(object, bool)
    stopped = Signal()
    reveal_asked = Signal(Path)

    def __init__(self, folder: Path, counts: ScopeCounts, parent: QWidget | None = None):
        super().__init__(parent)
        self.setObjectName("export_dialog")
        self.setWindowTitle(self.tr("Export captions"))
        self._is_running = False
        self._report: ExportReport | None = None
        self.form = ExportForm(folder, counts)
        self._build_outcome()
        self._build_buttons()
        self._place()
        self.form.changed.connect(self._on_form_changed)
        self.export_button.clicked.connect(self._on_export_clicked)
        self.replace_button.clicked.connect(self._on_replace_clicked)
        self.reveal_button.clicked.connect(self._on_reveal_clicked)
        self.close_button.clicked.connect(self.reject)
        self._on_form_changed()
        self.form.format_box.setFocus()

    def show_progress(self, share: float) -> None:
        """Shows how far the export is."""
        self.bar.setValue(round(_STEPS * share))

    def show_report(self, report: ExportReport) -> None:
        """Shows what became of the export."""
        self._report = report
        self._end(outcome(report))
        failures = report.failures
        self.failures_edit.setVisible(bool(failures))
        lines = [f"{one.path.name}: {translated(one.reason)}" for one in failures[:_MOST_FAILURES]]
        if len(failures) > _MOST_FAILURES:
            more = self.tr("{count} more").format(count=f"{len(failures) - _MOST_FAILURES:,}")
            lines.append(more)
        self.failures_edit.setPlainText("\n".join(lines))
        if failures:
            self.outcome_label.setText(f"{self.outcome_label.text()} {failed(len(failures))}")
        self.close_button.setFocus()

    def show_refusal(self, reason: str, *, can_replace: bool = False) -> None:
        """Shows why nothing was written, and offers to replace what is in the way."""
        self._end(reason)
        self.replace_button.setVisible(can_replace)
        (self.close_button if can_replace else self.export_button).setFocus()

    def reject(self) -> None:
        """Closes the dialog, or ends the export first."""
        if self._is_running:
            self.stopped.emit()
        else:
            super().reject()

    # Parts

    def _build_outcome(self) -> None:
        self.summary_label = paragraph(self.form.summary, is_selectable=False)
        self.summary_label.setObjectName("export_summary")
        self.bar = QProgressBar()
        self.bar.setAccessibleName(self.tr("Progress"))
        self.bar.setRange(0, _STEPS)
        self.bar.setTextVisible(False)
        self.bar.hide()
        self.outcome_label = paragraph()
        self.outcome_label.setObjectName("export_outcome")
        self.outcome_label.hide()
        self.failures_edit = PlainTextEdit()
        self.failures_edit.setProperty("class", "field")
        self.failures_edit.setAccessibleName(self.tr("Images that could not be exported"))
        self.failures_edit.setReadOnly(True)
        self.failures_edit.setTabChangesFocus(True)
        self.failures_edit.setFixedHeight(
            self.failures_edit.fontMetrics().lineSpacing() * _FAILURE_LINES + 16
        )
        self.failures_edit.hide()

    def _build_buttons(self) -> None:
        self.export_button = QPushButton(self.tr("Export"))
        self.export_button.setObjectName("export_button")
        self.export_button.setDefault(True)
        self.replace_button = QPushButton(self.tr("Replace files"))
        self.replace_button.setObjectName("export_replace_button")
        self.reveal_button = QPushButton(self.tr("Show in folder"))
        self.close_button = QPushButton()
        self.close_button.setObjectName("export_close_button")
        for button in (self.replace_button, self.reveal_button, self.close_button):
            button.setAutoDefault(False)
        self.replace_button.hide()

    def _place(self) -> None:
        buttons = QHBoxLayout()
        buttons.setContentsMargins(0, 0, 8, 0)
        buttons.setSpacing(8)
        buttons.addStretch(1)
        for button in (
            *(self.reveal_button, self.close_button, self.replace_button, self.export_button),
        ):
            buttons.addWidget(button)
        page = QWidget()
        inside = QVBoxLayout(page)
        inside.setContentsMargins(0, 0, 8, 0)
        inside.addWidget(self.form)
        inside.addStretch(1)
        column = QVBoxLayout(self)
        column.setContentsMargins(24, 20, 16, 16)
        column.setSpacing(12)
        self._page = ScrolledPage(page)
        column.addWidget(self._page, 1)
        for part in (self.summary_label, self.bar, self.outcome_label, self.failures_edit):
            column.addWidget(part)
        column.addLayout(buttons)
        self.setMinimumWidth(_LEAST_WIDTH)
        self.resize(_LEAST_WIDTH, _HEIGHT)

    def _show_buttons(self) -> None:
        is_over = self._report is not None
        self.export_button.setEnabled(not self._is_running and self.form.can_export)
        self.reveal_button.setVisible(is_over and bool(self._report and self._report.files))
        rest = self.tr("Close") if is_over else self.tr("Cancel")
        self.close_button.setText(self.tr("Stop") if self._is_running else rest)
        self.form.setEnabled(not self._is_running)

    # What is done

    def _begin(self, replaces: bool) -> None:
        self._is_running, self._report = True, None
        self.bar.setValue(0)
        self.bar.show()
        self.summary_label.show()
        for part in (self.outcome_label, self.failures_edit, self.replace_button):
            part.hide()
        self._show_buttons()
        self.close_button.setFocus()
        self.asked.emit(self.form.choice, replaces)

    def _end(self, text: str) -> None:
        self._is_running = False
        self.bar.hide()
        self.outcome_label.setText(breakable(text))
        self.outcome_label.setVisible(bool(text))
        self.summary_label.setHidden(bool(text))
        self._show_buttons()

    @Slot()
    def _on_form_changed(self) -> None:
        """What was said of the last export is about other choices."""
        self._report = None
        self.summary_label.setText(breakable(self.form.summary))
        self.summary_label.show()
        for part in (self.outcome_label, self.failures_edit, self.replace_button):
            part.hide()
        self._show_buttons()

    @Slot()
    def _on_export_clicked(self) -> None:
        self._begin(False)

    @Slot()
    def _on_replace_clicked(self) -> None:
        self._begin(True)

    @Slot()
    def _on_reveal_clicked(self) -> None:
        if self._report is not None:
            self.reveal_asked.emit(self._report.output)
