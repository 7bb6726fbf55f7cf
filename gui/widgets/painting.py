"""Paints what item delegates and small widgets share: thumbnails, and text cut to whole lines."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

from PySide6.QtCore import QPoint, QPointF, QRect, Qt
from PySide6.QtGui import (
    QColor,
    QPainter,
    QPainterPath,
    QPixmap,
    QTextCharFormat,
    QTextLayout,
    QTextLine,
    QTextOption,
)

from gui.widgets.text_direction import direction_of, side_of
from gui.widgets.text_index import TextIndex
from gui.widgets.theme import Theme

_CORNER = 5
_MARK_SIDE = 20
# Longer than any line; measuring all of a long text for each paint would be slow.
_ELIDED_FROM = 600

FormattedSpan = tuple[tuple[int, int], QTextCharFormat]
"""Begin and end in a text, counted in code points, and the format between them."""


def paint_thumbnail(painter: QPainter, frame: QRect, pixmap: object, theme: Theme) -> None:
    """Fills `frame` with `pixmap`, with rounded corners.

    Without a pixmap, which is still to come, it is filled with a plain colour; a null pixmap, of a
    picture that cannot be opened, gets a mark.
    """
    shape = QPainterPath()
    shape.addRoundedRect(frame, _CORNER, _CORNER)
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
    painter.setClipPath(shape)
    if isinstance(pixmap, QPixmap) and not pixmap.isNull():
        painter.drawPixmap(frame, pixmap)
    else:
        painter.fillRect(frame, theme.colour("raised"))
        if isinstance(pixmap, QPixmap):
            ratio = painter.device().devicePixelRatioF()
            mark = theme.pixmap("warning", _MARK_SIDE, ratio, "danger")
            corner = frame.center() - QPoint(_MARK_SIDE // 2, _MARK_SIDE // 2)
            painter.drawPixmap(corner, mark)
    painter.restore()


def paint_lines(
    painter: QPainter,
    inside: QRect,
    text: str,
    colour: QColor,
    spans: Sequence[FormattedSpan] = (),
    *,
    side: Qt.AlignmentFlag | None = None,
) -> None:
    """Paints as many whole lines as fit into `inside`, centred vertically.

    Line breaks of the text become spaces. If some of the text does not fit, the last line ends in
    an ellipsis. Lines begin at `side`; without it, where the text is read from.
    """
    side, direction = side or side_of(text), direction_of(text)
    # Of the same length as before, so that the spans still hold.
    text = text.replace("\n", " ")
    indices = TextIndex(text)
    layout = QTextLayout(text, painter.font())
    option = QTextOption(side)
    option.setTextDirection(direction)
    option.setWrapMode(QTextOption.WrapMode.WrapAtWordBoundaryOrAnywhere)
    layout.setTextOption(option)
    layout.setFormats([_format_range(span, form, indices) for span, form in spans])
    line_height = painter.fontMetrics().lineSpacing()
    most = max(1, inside.height() // line_height)
    lines = _laid_out(layout, inside.width(), most)
    painter.setPen(colour)
    top = inside.top() + (inside.height() - line_height * len(lines)) / 2
    for number, line in enumerate(lines):
        y = top + number * line_height
        end = line.textStart() + line.textLength()
        if number == most - 1 and end < indices.qt_length:
            begin = indices.to_python(line.textStart())
            rest = text[begin:][:_ELIDED_FROM]
            moved = [((max(0, a - begin), b - begin), form) for (a, b), form in spans if b > begin]
            at = QPointF(inside.left(), y)
            _paint_elided(painter, at, inside.width(), rest, moved, option)
        else:
            line.draw(painter, QPointF(inside.left(), y - line.y()))


def _paint_elided(
    painter: QPainter,
    at: QPointF,
    width: int,
    text: str,
    spans: Sequence[FormattedSpan],
    whole: QTextOption,
) -> None:
    """Paints one line of at most `width` pixels that ends in an ellipsis, at the side and in the
    direction of the `whole` text."""
    room = width
    while True:
        # In a layout of its own.
        shown = painter.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, room)
        length = max(0, len(shown) - 1)  # The ellipsis has no format.
        indices = TextIndex(shown)
        kept = [((begin, min(end, length)), form) for (begin, end), form in spans if begin < length]
        layout = QTextLayout(shown, painter.font())
        option = QTextOption(whole)
        option.setWrapMode(QTextOption.WrapMode.NoWrap)
        layout.setTextOption(option)
        layout.setFormats([_format_range(span, form, indices) for span, form in kept])
        (line,) = _laid_out(layout, width, 1) or (None,)
        # Bold text is wider than was measured.
        excess = line.naturalTextWidth() - width if line else 0
        if line is None or excess <= 0 or room <= 0:
            break
        room -= ceil(excess)
    if line is not None:
        line.draw(painter, at)


def _laid_out(layout: QTextLayout, width: int, most: int) -> list[QTextLine]:
    """At most `most` lines of `width` pixels."""
    lines = []
    layout.beginLayout()
    while len(lines) < most and (line := layout.createLine()).isValid():
        line.setLineWidth(width)
        lines.append(line)
    layout.endLayout()
    return lines


def _format_range(
    span: tuple[int, int], form: QTextCharFormat, indices: TextIndex
) -> QTextLayout.FormatRange:
    begin, end = map(indices.to_qt, span)
    result = QTextLayout.FormatRange()
    result.start, result.length = begin, end - begin  # type: ignore[attr-defined]
    result.format = form  # type: ignore[attr-defined]
    return result
