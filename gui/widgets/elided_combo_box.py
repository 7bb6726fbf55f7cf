"""A box to choose from whose text is elided to its width, which Qt's own cuts off."""

from __future__ import annotations

from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QHelpEvent, QPaintEvent
from PySide6.QtWidgets import QComboBox, QStyle, QStyleOptionComboBox, QStylePainter, QToolTip

from gui.widgets.text_direction import elided

_CONTROL, _FIELD = QStyle.ComplexControl.CC_ComboBox, QStyle.SubControl.SC_ComboBoxEditField


class ElidedComboBox(QComboBox):
    """May be narrower than its choices. The tool tip then begins with the whole text, and the list
    that opens is as wide as the choices, if the screen is. `mode` says where the ellipsis falls."""

    mode = Qt.TextElideMode.ElideRight

    @property
    def room(self) -> int:
        """How wide the text may be."""
        option = QStyleOptionComboBox()
        self.initStyleOption(option)
        return self.style().subControlRect(_CONTROL, option, _FIELD, self).width()

    @property
    def shown_text(self) -> str:
        """What there is room for of the current text."""
        return elided(self.fontMetrics(), self.currentText(), self.mode, self.room)

    def showPopup(self) -> None:
        """Widens the list, and names it for screen readers."""
        view = self.view()
        view.setAccessibleName(self.accessibleName())
        frame = view.sizeHintForColumn(0) + 2 * view.frameWidth()
        bar = view.style().pixelMetric(QStyle.PixelMetric.PM_ScrollBarExtent)
        view.setMinimumWidth(min(frame + bar, self.screen().availableGeometry().width()))
        self._keep_rows_whole()
        super().showPopup()

    def _keep_rows_whole(self) -> None:
        """Makes room for all rows that are to be seen at once.

        Qt adds the box's own padding for the gaps above and below the rows, which is one pixel less
        with the focus: the last row was cut in half by the arrow that scrolls.
        """
        view, rows = self.view(), self.count()
        height = 0
        if rows <= self.maxVisibleItems():
            margins = view.contentsMargins()
            gap = self.style().pixelMetric(QStyle.PixelMetric.PM_MenuVMargin, None, self)
            height = sum(view.sizeHintForRow(row) for row in range(rows))
            height += margins.top() + margins.bottom() + 2 * gap
        view.window().setMinimumHeight(min(height, self.screen().availableGeometry().height()))

    def event(self, event: QEvent) -> bool:
        if isinstance(event, QHelpEvent) and event.type() == QEvent.Type.ToolTip:
            text = self.currentText()
            if self.fontMetrics().horizontalAdvance(text) > self.room:
                tip = "\n".join(filter(None, (text, self.toolTip())))
                QToolTip.showText(event.globalPos(), tip, self)
                return True
        return super().event(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        if self.isEditable():
            super().paintEvent(event)
            return
        option = QStyleOptionComboBox()
        self.initStyleOption(option)
        option.currentText = self.shown_text  # type: ignore[attr-defined]
        painter = QStylePainter(self)
        painter.drawComplexControl(_CONTROL, option)
        painter.drawControl(QStyle.ControlElement.CE_ComboBoxLabel, option)
        painter.end()
