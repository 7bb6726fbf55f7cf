"""The right side of the window: the caption of an image, or the conversation about it."""

from __future__ import annotations

from PySide6.QtCore import QSize, Signal, Slot
from PySide6.QtWidgets import QStackedWidget, QTabBar, QVBoxLayout, QWidget

CAPTION, CONVERSATION = 0, 1


class _Stack(QStackedWidget):
    """Needs no more room than the page in view."""

    def minimumSizeHint(self) -> QSize:
        page = self.currentWidget()
        return page.minimumSizeHint() if page else super().minimumSizeHint()


class SideTabs(QWidget):
    """`chosen(int)`: the person chose the tab CAPTION or CONVERSATION. `clicked(int)`: by a click,
    also on the one in view."""

    chosen = Signal(int)
    clicked = Signal(int)

    def __init__(self, caption: QWidget, conversation: QWidget):
        super().__init__()
        self.bar = QTabBar()
        self.bar.setObjectName("side_tab_bar")
        self.bar.setAccessibleName(self.tr("Caption or conversation"))
        self.bar.setDrawBase(False)
        self.bar.setExpanding(False)
        self.bar.addTab(self.tr("Caption"))
        self.bar.addTab(self.tr("Conversation"))
        self.stack = _Stack()
        self.stack.addWidget(caption)
        self.stack.addWidget(conversation)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.bar)
        column.addWidget(self.stack, 1)
        self.bar.hide()
        self.show_tab(CONVERSATION)
        self.bar.tabBarClicked.connect(self._on_clicked)
        self.bar.currentChanged.connect(self._on_chosen)

    def show_tab(self, tab: int) -> None:
        """Shows a tab, without `chosen`."""
        self.bar.blockSignals(True)
        self.bar.setCurrentIndex(tab)
        self.bar.blockSignals(False)
        if tab != self.stack.currentIndex():
            self.stack.setCurrentIndex(tab)
            self.stack.updateGeometry()

    @Slot(int)
    def _on_chosen(self, tab: int) -> None:
        if tab >= 0:
            self.chosen.emit(tab)

    @Slot(int)
    def _on_clicked(self, tab: int) -> None:
        self._on_chosen(tab)
        if tab >= 0:
            self.clicked.emit(tab)
