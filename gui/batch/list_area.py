"""The lower part of a folder run's page: the captions, and above them the further options."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QSize
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QLayout, QVBoxLayout, QWidget

_SPACING = 8
_USUAL_LIST = 260


class ListArea(QWidget):
    """Shares its space between `options` and `captions`, of which the last part takes what is left.

    Both can be folded away. Where both do not fit, open options stand in the captions' place. They
    are shown as a whole: the page scrolls, rather than they in it.
    """

    def __init__(
        self, options: QWidget, captions: Sequence[QWidget], parent: QWidget | None = None
    ):
        super().__init__(parent)
        self._options, self._captions = options, QWidget()
        self._is_unfolded = self._shows_captions = False
        parts = QVBoxLayout(self._captions)
        parts.setContentsMargins(0, 0, 0, 0)
        parts.setSpacing(8)
        for part in captions:
            parts.addWidget(part)
        parts.setStretchFactor(captions[-1], 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(_SPACING)
        column.setSizeConstraint(QLayout.SizeConstraint.SetNoConstraint)
        column.addWidget(options)
        column.addWidget(self._captions, 1)
        # Without captions, options stand below what unfolds them rather than in the middle.
        column.addStretch()
        self._show_parts()

    def show_options(self, is_unfolded: bool) -> None:
        """Opens or closes the options."""
        self._is_unfolded = is_unfolded
        self._show_parts()

    def show_captions(self, is_unfolded: bool) -> None:
        """Opens or closes the captions."""
        self._shows_captions = is_unfolded
        self._show_parts()

    @property
    def more_height(self) -> int:
        """How much more height than the least it would use."""
        if self.isHidden():
            return 0
        list_height = _USUAL_LIST if self._shows_captions else 0
        return max(0, list_height - self.minimumSizeHint().height())

    def sizeHint(self) -> QSize:
        """Returns the least size: what stands above comes first, and the list takes the rest."""
        return self.minimumSizeHint()

    def minimumSizeHint(self) -> QSize:
        """Returns what the larger part needs, as they can stand in each other's place."""
        least = self._captions.minimumSizeHint()
        captions = least.height() if self._shows_captions else 0
        options = self._options.sizeHint().height() if self._is_unfolded else 0
        return QSize(least.width(), max(captions, options))

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._share()

    def _show_parts(self) -> None:
        self.setVisible(self._is_unfolded or self._shows_captions)
        self._share()
        self.updateGeometry()

    def _share(self) -> None:
        wanted = self._options.sizeHint().height()
        least = self._captions.minimumSizeHint().height() + _SPACING
        has_room = not self._is_unfolded or self.height() >= wanted + least
        self._options.setVisible(self._is_unfolded)
        self._captions.setVisible(self._shows_captions and has_room)
