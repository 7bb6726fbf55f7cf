"""The picture that is shown, copied to the clipboard or into a file of its own."""

from __future__ import annotations

import asyncio
from io import BytesIO
from pathlib import Path

from PIL import Image
from PySide6.QtCore import QCoreApplication
from PySide6.QtGui import QGuiApplication, QImage

from core.errors import PictureError
from core.files import replace_file
from core.picture import Picture

translate = QCoreApplication.translate


async def copy_picture(picture: Picture) -> None:
    """Puts the pixels on the clipboard."""
    image = await asyncio.to_thread(_image, picture.pixels)
    QGuiApplication.clipboard().setImage(image)


async def save_picture(picture: Picture, path: Path) -> None:
    """Copies the picture's file, or writes its pixels in the format that the name's ending says.

    Raises PictureError.
    """
    try:
        await asyncio.to_thread(_save, picture, path)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        text = translate(
            "SavedPicture",
            "“{name}” cannot be written ({reason}). Choose another folder or file extension.",
        )
        raise PictureError(text.format(name=path.name, reason=reason)) from error


def _save(picture: Picture, path: Path) -> None:
    source = picture.path
    if source and source.is_file() and source.suffix.lower() == path.suffix.lower():
        replace_file(path, source.read_bytes())
    else:
        formats = Image.registered_extensions()
        if (name := formats.get(path.suffix.lower())) is None:
            raise ValueError(translate("SavedPicture", "no image format has this file extension"))
        encoded = BytesIO()
        picture.pixels.save(encoded, name)
        replace_file(path, encoded.getvalue())


def _image(pixels: Image.Image) -> QImage:
    """Runs in a helper thread, as a large picture takes a moment."""
    data = pixels.convert("RGB").tobytes()
    width, height = pixels.size
    return QImage(data, width, height, 3 * width, QImage.Format.Format_RGB888).copy()
