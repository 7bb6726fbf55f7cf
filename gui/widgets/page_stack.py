"""Pages of which one is shown, as large as that one needs."""

from __future__ import annotations

from PySide6.QtCore import QSize, Slot
from PySide6.QtWidgets import QStackedWidget


class PageStack(QStackedWidget):
    """Needs no more room than the page in view."""

    def __init__(self) -> None:
        super().__init__()
        self.currentChanged.connect(self._on_page_changed)

    def sizeHint(self) -> QSize:
        page = self.currentWidget()
        return page.sizeHint() if page else super().sizeHint()

    def minimumSizeHint(self) -> QSize:
        page = self.currentWidget()
        return page.minimumSizeHint() if page else super().minimumSizeHint()

    def hasHeightForWidth(self) -> bool:
        page = self.currentWidget()
        return page is not None and page.hasHeightForWidth()

    def heightForWidth(self, width: int) -> int:
        page = self.currentWidget()
        return page.heightForWidth(width) if page else -1

    @Slot(int)
    def _on_page_changed(self, page: int) -> None:
        self.updateGeometry()
