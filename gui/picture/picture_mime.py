"""Finds the pictures in a drag or on the clipboard: files, bytes, an image, or only a link."""

from __future__ import annotations

import base64
from pathlib import Path
from urllib.parse import unquote, urlsplit

from PySide6.QtCore import QBuffer, QByteArray, QCoreApplication, QIODevice, QMimeData
from PySide6.QtGui import QImage

from core.files import is_folder
from gui.widgets.file_urls import path_of

translate = QCoreApplication.translate

# The most faithful first; an encoded image is passed on unchanged.
_ENCODED = ("image/png", "image/webp", "image/jpeg", "image/gif", "image/tiff", "image/bmp")


def is_welcome(mime: QMimeData) -> bool:
    """Whether `mime` has something to open, or of which we can say why it cannot be opened."""
    return mime.hasUrls() or mime.hasImage() or any(mime.hasFormat(kind) for kind in _ENCODED)


def local_paths(mime: QMimeData) -> list[Path]:
    """Returns the local files and folders."""
    return [path for url in mime.urls() if (path := path_of(url)) is not None]


def web_urls(mime: QMimeData) -> list[str]:
    """Returns the addresses that would have to be downloaded, which we never do."""
    urls = (url.toString() for url in mime.urls() if path_of(url) is None)
    return [url for url in urls if not url.startswith("data:")]


def encoded_image(mime: QMimeData) -> bytes:
    """Returns the bytes of an encoded image, unchanged; b"" if there is none."""
    for kind in _ENCODED:
        if mime.hasFormat(kind) and (data := bytes(mime.data(kind).data())):
            return data
    for url in mime.urls():
        head, _, body = url.toString().partition(";base64,")
        if head.startswith("data:image/"):
            try:
                return base64.b64decode(unquote(body))
            except ValueError:
                continue
    return b""


def name_in(mime: QMimeData) -> str:
    """Returns the last part of a web address if it looks like a file name, else ""."""
    names = (unquote(urlsplit(url).path).rsplit("/", 1)[-1] for url in web_urls(mime))
    return next((name for name in names if "." in name.strip(".")), "")


def invitation(mime: QMimeData) -> str:
    """Returns a sentence that says what dropping will do."""
    paths = local_paths(mime)
    if len(paths) > 1:
        many = translate("DropZone", "Drop to open {count} files")
        return many.format(count=len(paths))
    if paths and is_folder(paths[0]):
        return translate("DropZone", "Drop to open the folder")
    return translate("DropZone", "Drop to open the image")


def as_png(image: QImage) -> bytes:
    """Encodes an image quickly rather than small. May be called from any thread."""
    data = QByteArray()
    buffer = QBuffer(data)
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    # For PNG, Qt's highest quality means the least compression, which is the fastest.
    image.save(buffer, "PNG", 100)  # type: ignore[call-overload]
    return bytes(data.data())
