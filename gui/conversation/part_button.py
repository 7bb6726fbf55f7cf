"""The part of the image that a question is about: a small picture of it, with its place."""

from __future__ import annotations

from PIL import Image
from PySide6.QtCore import QCoreApplication, QSize, Qt
from PySide6.QtGui import QIcon, QImage, QPixmap
from PySide6.QtWidgets import QSizePolicy, QToolButton

from core.picture import Picture, PicturePart, box_of
from gui.widgets.measures import sides_text
from gui.widgets.preview import to_image
from gui.widgets.text_direction import in_own_order

_SIDE = 56
# Of a part of any size, so many pixels are looked at for each one shown.
_SAMPLED = 4


class PartButton(QToolButton):
    """Shows a part; a click on it is to show it on the image again."""

    def __init__(self, part: PicturePart, image: QImage | None):
        super().__init__()
        self.setObjectName("asked_part")
        self.setToolTip(self.tr("Show this part on the image"))
        self.setText(part_text(part))
        self.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)
        self.setIconSize(QSize(_SIDE, _SIDE))
        if image is not None:
            self.setIcon(QIcon(QPixmap.fromImage(image)))
            self.setIconSize(image.size())


def part_text(part: PicturePart) -> str:
    """Returns the size and the place of a part, for people."""
    text = QCoreApplication.translate("Part", "Part {size} at {place}")
    place = in_own_order(f"{part.left}, {part.top}")
    return text.format(size=sides_text(part.width, part.height), place=place)


def asked_text(prompt: str, part: PicturePart | None) -> str:
    """Returns a question as text, with the part that it is about."""
    return prompt if part is None else f"{prompt}\n[{part_text(part)}]"


def small_part(picture: Picture, part: PicturePart) -> QImage:
    """Returns a part as a small image; takes a millisecond, however large it is."""
    left, top, right, bottom = box_of(picture, part)
    factor = min(1.0, _SIDE / max(right - left, bottom - top))
    size = max(1, round((right - left) * factor)), max(1, round((bottom - top) * factor))
    sampled = min(size[0] * _SAMPLED, right - left), min(size[1] * _SAMPLED, bottom - top)
    nearest = picture.pixels.resize(
        sampled, Image.Resampling.NEAREST, box=(left, top, right, bottom)
    )
    return to_image(nearest.resize(size, Image.Resampling.BOX))
