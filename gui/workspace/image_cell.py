"""Paints an image of a workspace as a cell of a grid or a row of a list."""

from __future__ import annotations

from collections.abc import Collection

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRect, QSize, Qt
from PySide6.QtGui import QFont, QPainter, QPainterPath, QPixmap
from PySide6.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem, QWidget

from core.workspace import ImageRow, ReviewState
from gui.widgets.painting import paint_lines
from gui.widgets.text_direction import elided, mirrored, side_of
from gui.widgets.theme import Theme
from gui.widgets.translated import translated
from gui.workspace.image_rows import ImageRows
from gui.workspace.thumbnails import Thumbnails

PADDING = 6
_GAP = 8
_CORNER = 6
_DOT = 14
# Longer than any file name, whose end distinguishes it.
_MOST_SHOWN = 300
LIST_SIDE = 48
_MARKS = {
    ReviewState.ACCEPTED: ("check", "accent"),
    ReviewState.REJECTED: ("close", "danger"),
    ReviewState.NEEDS_WORK: ("edit", "doubt"),
}

_Index = QModelIndex | QPersistentModelIndex


class ImageCell(QStyledItemDelegate):
    """A grid's cell has the beginning of the caption below the image; a list's row has the name and
    two lines of the caption beside it. Marks stand at the end."""

    def __init__(self, theme: Theme, thumbnails: Thumbnails, parent: QWidget):
        super().__init__(parent)
        self._theme, self._thumbnails = theme, thumbnails
        self.is_grid = True
        self.side = 96

    def keep_thumbnails(self, ids: Collection[int]) -> None:
        """Makes no more thumbnails but of these images, which are in view."""
        self._thumbnails.keep(self, ids)

    def paint_empty(self, painter: QPainter, inside: QRect, text: str) -> None:
        """Paints what is said where there are no images."""
        painter.setPen(self._theme.colour("text_quiet"))
        wrapped = Qt.AlignmentFlag.AlignCenter.value | Qt.TextFlag.TextWordWrap.value
        painter.drawText(inside.adjusted(8, 8, -8, -8), wrapped, text)

    def paint_band(self, painter: QPainter, band: QRect) -> None:
        """Paints a rectangle that is drawn around images."""
        colour = self._theme.colour("accent")
        painter.setPen(colour)
        colour.setAlphaF(0.15)
        painter.fillRect(band, colour)
        painter.drawRect(band)

    def cell_size(self, metrics_height: int) -> QSize:
        """Returns the least size of a cell, for a line of text of this height."""
        if self.is_grid:
            width = self.side + 2 * PADDING
            return QSize(width, width + metrics_height + 2)
        return QSize(120, max(LIST_SIDE, 3 * metrics_height) + 2 * PADDING)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: _Index) -> None:
        rect: QRect = option.rect  # type: ignore[attr-defined]
        state: QStyle.StateFlag = option.state  # type: ignore[attr-defined]
        model = index.model()
        assert isinstance(model, ImageRows)
        row = model.image(index)
        painter.save()
        painter.setFont(option.font)  # type: ignore[attr-defined]
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        self._paint_background(painter, rect, state)
        if self.is_grid:
            self._paint_grid(painter, rect, row)
        else:
            self._paint_list(painter, rect, row)
        painter.restore()

    def _paint_background(self, painter: QPainter, rect: QRect, state: QStyle.StateFlag) -> None:
        is_selected = bool(state & QStyle.StateFlag.State_Selected)
        is_current = bool(state & QStyle.StateFlag.State_HasFocus)
        frame = rect.adjusted(1, 1, -1, -1)
        painter.setPen(Qt.PenStyle.NoPen)
        if is_current:
            painter.setBrush(self._theme.colour("accent"))
            painter.drawRoundedRect(frame, _CORNER, _CORNER)
            painter.setBrush(self._theme.colour("accent_soft" if is_selected else "window"))
            painter.drawRoundedRect(frame.adjusted(2, 2, -2, -2), _CORNER - 2, _CORNER - 2)
        elif is_selected or state & QStyle.StateFlag.State_MouseOver:
            painter.setBrush(self._theme.colour("accent_soft" if is_selected else "raised"))
            painter.drawRoundedRect(frame, _CORNER, _CORNER)

    def _paint_grid(self, painter: QPainter, rect: QRect, row: ImageRow | None) -> None:
        line = painter.fontMetrics().height()
        inside = rect.adjusted(PADDING, PADDING, -PADDING, -PADDING - line - 2)
        self._paint_picture(painter, inside, row)
        if row is None:
            return
        text = QRect(inside.left(), rect.bottom() - PADDING - line + 2, inside.width(), line)
        text = self._paint_marks(painter, text, row)
        if row.caption:
            side = side_of(row.caption) | Qt.AlignmentFlag.AlignAbsolute
            self._paint_line(painter, text, row.caption, False, side=side)
        else:
            self._paint_line(painter, text, row.path.name, True)

    def _paint_list(self, painter: QPainter, rect: QRect, row: ImageRow | None) -> None:
        inside = rect.adjusted(PADDING, PADDING, -PADDING, -PADDING)
        picture = QRect(inside.left(), inside.top(), LIST_SIDE, inside.height())
        self._paint_picture(painter, mirrored(picture, inside, painter), row)
        if row is None:
            return
        line = painter.fontMetrics().height()
        left = picture.right() + _GAP
        name = QRect(left, inside.top(), inside.right() - left, line)
        name = self._paint_marks(painter, mirrored(name, inside, painter), row)
        font = painter.font()
        bold = QFont(font)
        bold.setWeight(QFont.Weight.DemiBold)
        painter.setFont(bold)
        self._paint_line(painter, name, row.path.name, False, Qt.TextElideMode.ElideMiddle)
        painter.setFont(font)
        below = QRect(left, name.bottom() + 1, inside.right() - left, inside.height() - line)
        below = mirrored(below, inside, painter)
        quiet = self._theme.colour("text_quiet")
        text = row.caption or translated(row.problem)
        if not text and not row.has_caption:
            text = self.tr("No caption")
        paint_lines(painter, below, text[:400], quiet)

    def _paint_line(
        self,
        painter: QPainter,
        inside: QRect,
        text: str,
        is_quiet: bool,
        mode: Qt.TextElideMode = Qt.TextElideMode.ElideRight,
        side: Qt.AlignmentFlag = Qt.AlignmentFlag.AlignLeft,
    ) -> None:
        painter.setPen(self._theme.colour("text_quiet" if is_quiet else "text"))
        text = " ".join(text[:_MOST_SHOWN].split())
        shown = elided(painter.fontMetrics(), text, mode, inside.width())
        painter.drawText(inside, side | Qt.AlignmentFlag.AlignVCenter, shown)

    def _paint_picture(self, painter: QPainter, inside: QRect, row: ImageRow | None) -> None:
        ratio = painter.device().devicePixelRatio()
        side = max(inside.width(), inside.height())
        pixmap = self._thumbnails.get(row, round(side * ratio), self) if row else None
        if pixmap is None or pixmap.isNull():
            square = min(inside.width(), inside.height())
            frame = QRect(0, 0, square, square)
            frame.moveCenter(inside.center())
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(self._theme.colour("raised"))
            painter.drawRoundedRect(frame, _CORNER, _CORNER)
            if pixmap is not None:
                self._paint_icon(painter, frame.center().x(), frame.center().y(), "warning", 20)
            return
        size = pixmap.size().scaled(inside.size(), Qt.AspectRatioMode.KeepAspectRatio)
        frame = QRect(inside.topLeft(), size)
        frame.moveCenter(inside.center())
        self._paint_pixmap(painter, frame, pixmap)

    def _paint_pixmap(self, painter: QPainter, frame: QRect, pixmap: QPixmap) -> None:
        shape = QPainterPath()
        shape.addRoundedRect(frame, 3, 3)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        painter.setClipPath(shape)
        painter.drawPixmap(frame, pixmap)
        painter.restore()

    def _paint_marks(self, painter: QPainter, line: QRect, row: ImageRow) -> QRect:
        """Paints the marks at the end of a line; returns what is left of it."""
        whole, line = line, QRect(line)
        icons = [_MARKS[row.review]] if row.review in _MARKS else []
        if row.problem:
            icons.append(("warning", "danger"))
        for name, token in icons:
            place = QRect(line.right() - _DOT, line.top(), _DOT, line.height())
            centre = mirrored(place, whole, painter).center()
            self._paint_icon(painter, centre.x(), centre.y(), name, _DOT, token)
            line.setRight(line.right() - _DOT - 2)
        if row.is_edited:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(self._theme.colour("accent"))
            place = QRect(line.right() - 6, line.center().y() - 2, 6, 6)
            painter.drawEllipse(mirrored(place, whole, painter))
            line.setRight(line.right() - 10)
        return mirrored(line, whole, painter)

    def _paint_icon(
        self, painter: QPainter, x: int, y: int, name: str, side: int, token: str = "text_quiet"
    ) -> None:
        ratio = painter.device().devicePixelRatio()
        icon = self._theme.pixmap(name, side, ratio, token)
        painter.drawPixmap(x - side // 2, y - side // 2, icon)
