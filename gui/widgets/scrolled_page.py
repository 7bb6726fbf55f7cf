"""A page that scrolls where the window is too small for it, and fills the window otherwise."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, QSize, Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QFrame, QScrollArea, QWidget

_LEAST_HEIGHT = 96


class ScrolledPage(QScrollArea):
    """Shows `content`, on which it stands without a background of its own.

    It asks for the content's width but for little height, so that no page keeps the window from
    fitting a small screen. Tab scrolls to what takes the focus.
    """

    def __init__(self, content: QWidget, parent: QWidget | None = None):
        super().__init__(parent)
        self.setProperty("class", "page")
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setWidgetResizable(True)
        self._content = content
        self.setWidget(content)
        self._allow_fewer_lines()
        content.setAutoFillBackground(False)
        self.viewport().setAutoFillBackground(False)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Asks for another size once the content does."""
        if watched is self._content and event.type() == QEvent.Type.LayoutRequest:
            self._allow_fewer_lines()
            self.updateGeometry()
        return super().eventFilter(watched, event)

    def _allow_fewer_lines(self) -> None:
        """Lets the content be as low as its lines are at the present width, which Qt finds by
        itself: its least height is that of the narrowest lines, and would scroll."""
        self._content.setMinimumHeight(int(self._content.hasHeightForWidth()))

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if event.size().width() != event.oldSize().width() and self._content.hasHeightForWidth():
            self.updateGeometry()

    def sizeHint(self) -> QSize:
        """Returns what the content needs, with its lines broken at the present width."""
        hint, content = self._content.sizeHint(), self._content
        if self.isVisible() and content.hasHeightForWidth():
            width = max(self.viewport().width(), content.minimumSizeHint().width())
            hint.setHeight(content.heightForWidth(width))
        return hint.grownBy(self.contentsMargins())

    def minimumSizeHint(self) -> QSize:
        least = self._content.minimumSizeHint()
        least = QSize(least.width(), min(least.height(), _LEAST_HEIGHT))
        return least.grownBy(self.contentsMargins())
