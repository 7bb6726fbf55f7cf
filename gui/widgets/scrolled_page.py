"""A page that scrolls where the window is too small for it, and fills the window otherwise."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QEvent, QObject, QSize, Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QFrame, QScrollArea, QVBoxLayout, QWidget

_LEAST_HEIGHT = 96
_MARGIN, _SPACING = 16, 8
# As the stylesheet has it.
_BAR = 12


def scroll_to(part: QWidget) -> None:
    """Scrolls all that it is in so that `part` is in view."""
    around = part.parentWidget()
    while around is not None and not around.isWindow():
        if isinstance(around, QScrollArea):
            around.ensureWidgetVisible(part)
        around = around.parentWidget()


class ScrolledPage(QScrollArea):
    """Shows `content`, on which it stands without a background of its own.

    It asks for the content's width but for little height, so that no page keeps the window from
    fitting a small screen. Tab scrolls to what takes the focus.

    Whoever makes one keeps it in an attribute: PySide has lost track of pages that only their
    parents knew, and Python's garbage collection then deleted them with all that was on them while
    the dialog was open.
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
        return (hint + self._bar).grownBy(self.contentsMargins())

    def minimumSizeHint(self) -> QSize:
        least = self._content.minimumSizeHint()
        least = QSize(least.width(), min(least.height(), _LEAST_HEIGHT))
        return (least + self._bar).grownBy(self.contentsMargins())

    @property
    def _bar(self) -> QSize:
        """What a scroll bar that is always there takes of the width."""
        bar = self.verticalScrollBar()
        is_there = self.verticalScrollBarPolicy() == Qt.ScrollBarPolicy.ScrollBarAlwaysOn
        return QSize(bar.sizeHint().width() if is_there else 0, 0)


def place_below(widget: QWidget, above: Sequence[QWidget], content: QWidget) -> ScrolledPage:
    """Fills a widget with parts that stay in their place, and content that scrolls below them. The
    place of the scroll bar is kept free, so that nothing moves where more content is unfolded.
    Returns the page with the content, which `widget` is to keep."""
    head = QVBoxLayout()
    head.setContentsMargins(0, 0, _BAR, 0)
    head.setSpacing(_SPACING)
    for part in above:
        head.addWidget(part)
    page = ScrolledPage(content)
    page.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOn)
    column = QVBoxLayout(widget)
    column.setContentsMargins(_MARGIN, _SPACING, _MARGIN - _BAR, _SPACING)
    column.setSpacing(_SPACING)
    column.addLayout(head)
    column.addWidget(page, 1)
    return page
