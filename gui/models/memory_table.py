"""How much memory a model needs in each precision, whether it fits, and which one is chosen."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import QButtonGroup, QGridLayout, QLabel, QRadioButton, QWidget

from core.device.memory import PRECISIONS
from core.hub import helpful_precisions
from core.transcript import Precision
from gui.models.model_list import in_bits
from gui.widgets.measures import bytes_text


class MemoryTable(QWidget):
    """One row for each of `PRECISIONS`. `precision_chosen(Precision)`: the person clicked one."""

    precision_chosen = Signal(object)

    def __init__(self, parent: QWidget | None = None):
        super().__init__(parent)
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(16)
        grid.setVerticalSpacing(6)
        grid.setColumnStretch(2, 1)
        title = QLabel(self.tr("Memory needed"))
        title.setProperty("class", "section")
        grid.addWidget(title, 0, 0, 1, 3)
        self.precisions = QButtonGroup(self)
        self.need_labels: list[QLabel] = []
        self.fit_labels: list[QLabel] = []
        for number, precision in enumerate(PRECISIONS):
            button = QRadioButton(in_bits(precision))
            button.setObjectName(f"precision_{precision}")
            self.precisions.addButton(button, number)
            need, fit = QLabel(), QLabel()
            need.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            fit.setProperty("class", "fact")
            grid.addWidget(button, number + 1, 0)
            grid.addWidget(need, number + 1, 1)
            grid.addWidget(fit, number + 1, 2)
            self.need_labels.append(need)
            self.fit_labels.append(fit)
        self.precisions.idClicked.connect(self._on_clicked)

    def show_needs(
        self, needs: Mapping[Precision, int], free: int | None, chosen: Precision
    ) -> None:
        """Shows the bytes needed in each precision against those that are `free`, if known.

        A precision that saves no memory cannot be chosen, and says so.
        """
        helpful = helpful_precisions(needs)
        for number, precision in enumerate(PRECISIONS):
            need, fit = needs.get(precision, 0), self.fit_labels[number]
            shortage = 0 if free is None else need - free
            verdict = self.tr("fits")
            if shortage > 0:
                verdict = self.tr("{size} short").format(size=bytes_text(shortage))
            verdict = "" if free is None else verdict
            is_helpful = precision in helpful
            if not is_helpful:
                verdict, shortage = self.tr("saves no memory"), 0
            self.precisions.button(number).setEnabled(is_helpful)
            self.need_labels[number].setText(bytes_text(need))
            need_text = self.tr("{bits} needs {size}").format(
                bits=in_bits(precision), size=bytes_text(need)
            )
            name = ", ".join(filter(None, (need_text, verdict)))
            self.precisions.button(number).setAccessibleName(name)
            fit.setText(verdict)
            fit.setProperty("class", "misfit" if shortage > 0 else "fact")
            # Applies the stylesheet again.
            fit.style().unpolish(fit)
            fit.style().polish(fit)
        self.precisions.button(PRECISIONS.index(chosen)).setChecked(True)

    @Slot(int)
    def _on_clicked(self, number: int) -> None:
        self.precision_chosen.emit(PRECISIONS[number])
