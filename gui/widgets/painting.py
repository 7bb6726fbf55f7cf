"""Paints what item delegates and small widgets share: thumbnails, and text cut to whole lines."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QPointF, QRect, Qt
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

from gui.widgets.text_index import TextIndex
from gui.widgets.theme import Theme

_CORNER = 5
# Longer than any line; measuring all of a long text for each paint would be slow.
_ELIDED_FROM = 600

FormattedSpan = tuple[tuple[int, int], QTextCharFormat]
"""Begin and end in a text, counted in code points, and the format between them."""


def paint_thumbnail(painter: QPainter, frame: QRect, pixmap: object, theme: Theme) -> None:
    """Fills `frame` with `pixmap`, with rounded corners; without a pixmap, with a plain colour."""
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
    painter.restore()


def paint_lines(
    painter: QPainter,
    inside: QRect,
    text: str,
    colour: QColor,
    spans: Sequence[FormattedSpan] = (),
) -> None:
    """Paints as many whole lines as fit into `inside`, centred vertically.

    Line breaks of the text become spaces. If some of the text does not fit, the last line ends in
    an ellipsis and has no formats.
    """
    # Of the same length as before, so that the spans still hold.
    text = text.replace("\n", " ")
    indices = TextIndex(text)
    layout = QTextLayout(text, painter.font())
    option = QTextOption()
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
            rest = text[indices.to_python(line.textStart()) :][:_ELIDED_FROM]
            metrics = painter.fontMetrics()
            elided = metrics.elidedText(rest, Qt.TextElideMode.ElideRight, inside.width())
            painter.drawText(QPointF(inside.left(), y + metrics.ascent()), elided)
        else:
            line.draw(painter, QPointF(inside.left(), y - line.y()))


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
