"""Which pictures are in a drag or on the clipboard: files, bytes, an image, or only a link."""

from __future__ import annotations

import base64
from pathlib import Path
from urllib.parse import unquote, urlsplit

from PySide6.QtCore import QBuffer, QByteArray, QIODevice, QMimeData
from PySide6.QtGui import QImage

# In the order of how faithful they are; an encoded image is passed on as it is.
_ENCODED = ("image/png", "image/webp", "image/jpeg", "image/gif", "image/tiff", "image/bmp")


def is_welcome(mime: QMimeData) -> bool:
    """Whether something is dragged that we can use, or can say why not."""
    return mime.hasUrls() or mime.hasImage() or any(mime.hasFormat(kind) for kind in _ENCODED)


def local_paths(mime: QMimeData) -> list[Path]:
    """Files and folders of this computer."""
    return [Path(url.toLocalFile()) for url in mime.urls() if url.isLocalFile()]


def web_urls(mime: QMimeData) -> list[str]:
    """Addresses that would have to be fetched, which we never do."""
    urls = (url.toString() for url in mime.urls() if not url.isLocalFile())
    return [url for url in urls if not url.startswith("data:")]


def encoded_image(mime: QMimeData) -> bytes:
    """The image's own bytes, so that nothing is decoded or encoded here."""
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
    """The last part of a web address, when it looks like a file's name."""
    names = (unquote(urlsplit(url).path).rsplit("/", 1)[-1] for url in web_urls(mime))
    return next((name for name in names if "." in name.strip(".")), "")


def invitation(mime: QMimeData) -> str:
    """What letting go will do, in words."""
    paths = local_paths(mime)
    if len(paths) > 1:
        return f"Let go to caption {len(paths)} files"
    if paths and paths[0].is_dir():
        return "Let go to caption the folder"
    return "Let go to open the picture"


def as_png(image: QImage) -> bytes:
    """Quick to make, not small. May be called from any thread."""
    data = QByteArray()
    buffer = QBuffer(data)
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    # The highest quality is the lightest compression, and so the quickest.
    image.save(buffer, "PNG", 100)  # type: ignore[call-overload]
    return bytes(data.data())
