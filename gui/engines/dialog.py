"""The dialog about the graphics card: the panel, and a button that closes it."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QVBoxLayout, QWidget

from gui.engines.panel import EnginePanel
from gui.widgets.screen_fit import ScreenFit
from gui.widgets.scrolled_page import ScrolledPage

_SIZE = (560, 460)
_SMALLEST = (480, 240)


class EngineDialog(QDialog):
    """Show it with `show()`: it keeps nobody from asking the model meanwhile."""

    def __init__(self, panel: EnginePanel, parent: QWidget | None = None):
        super().__init__(parent)
        self.setObjectName("engines_dialog")
        self.setWindowTitle(self.tr("Graphics card"))
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setMinimumSize(*_SMALLEST)
        self.resize(*_SIZE)
        ScreenFit(self)
        self.panel = panel
        page = QWidget()
        inside = QVBoxLayout(page)
        inside.setContentsMargins(24, 20, 24, 12)
        inside.addWidget(panel)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        for button in buttons.buttons():
            button.setProperty("autoDefault", False)
        buttons.rejected.connect(self.reject)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 16)
        column.setSpacing(12)
        self._page = ScrolledPage(page)
        column.addWidget(self._page, 1)
        foot = QVBoxLayout()
        foot.setContentsMargins(24, 0, 24, 0)
        foot.addWidget(buttons)
        column.addLayout(foot)
