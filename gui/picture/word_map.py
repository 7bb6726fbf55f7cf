"""Turns a word's attribution map into a layer: the picture stays bright where the word rests on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PIL import Image
from PySide6.QtCore import QRectF
from PySide6.QtGui import QImage

from gui.picture.layer import Layer

if TYPE_CHECKING:
    from core.words import WordMap

# Image pixels per patch: enough for Qt to enlarge the layer without visible steps.
_FINER = 12
_DARKEST = 190
_VEIL = (12, 14, 16)


def map_layer(word_map: WordMap, part: tuple[int, int, int, int] | None = None) -> Layer:
    """Returns the layer, translucent to nearly opaque. `part` is the part of the picture that the
    map is about, in its pixels. Takes a few ms; may run in any thread."""
    corner = part[:2] if part else (0, 0)
    rows, columns = word_map.values.shape
    values = Image.fromarray(word_map.values.astype("float32", copy=False), "F")
    smooth = values.resize((columns * _FINER, rows * _FINER), Image.Resampling.BICUBIC)
    levels = smooth.point(lambda value: value * 255.0 + 0.0).convert("L")
    veil = levels.point([round(_DARKEST * (1 - _eased(level / 255))) for level in range(256)])
    image = Image.merge("RGBA", [*(Image.new("L", veil.size, tint) for tint in _VEIL), veil])
    data = image.tobytes("raw", "RGBA")
    shown = QImage(data, image.width, image.height, QImage.Format.Format_RGBA8888)
    return Layer(
        # The copy owns its pixels, and is what Qt paints fastest.
        shown.convertToFormat(QImage.Format.Format_ARGB32_Premultiplied),
        _rect(word_map.square).translated(*corner),
        frame=_rect(word_map.strongest_box).translated(*corner),
        clip=_rect(part) if part else None,
    )


def _eased(share: float) -> float:
    """Smoothstep from 0 to 1: weak values become 0, strong ones 1."""
    low, high = 0.12, 0.75
    share = min(1.0, max(0.0, (share - low) / (high - low)))
    return share * share * (3 - 2 * share)


def _rect(box: tuple[float, float, float, float]) -> QRectF:
    left, top, right, bottom = box
    return QRectF(left, top, right - left, bottom - top)
