"""The lower part of a folder run's page: the captions, and above them the further options."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QSize
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QLayout, QVBoxLayout, QWidget

_LEAST_OPTIONS, _SPACING = 200, 8


class ListArea(QWidget):
    """Shares its space between `options` and `captions`, of which the last part takes what is left.

    Where both do not fit, open options stand in the captions' place, so that nothing outside has to
    move when they open.
    """

    def __init__(
        self, options: QWidget, captions: Sequence[QWidget], parent: QWidget | None = None
    ):
        super().__init__(parent)
        self._options, self._captions = options, QWidget()
        self._is_unfolded = False
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
        self._share()

    def show_options(self, is_unfolded: bool) -> None:
        """Opens or closes the options."""
        self._is_unfolded = is_unfolded
        self._share()

    def sizeHint(self) -> QSize:
        """Returns the least size: what stands above comes first, and the list takes the rest."""
        return self.minimumSizeHint()

    def minimumSizeHint(self) -> QSize:
        """Returns what the captions need, whether the options are open or not."""
        return self._captions.minimumSizeHint()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._share()

    def _share(self) -> None:
        wanted = min(_LEAST_OPTIONS, self._options.sizeHint().height())
        least = self._captions.minimumSizeHint().height() + _SPACING
        self._options.setVisible(self._is_unfolded)
        self._captions.setVisible(not self._is_unfolded or self.height() >= wanted + least)
