"""Takes pictures by drop, paste or dialog, and shows the one that is open."""

from __future__ import annotations

import base64
import binascii
import re
from functools import partial
from pathlib import Path
from urllib.parse import unquote, urlsplit

from PySide6.QtCore import QBuffer, QByteArray, QIODevice, QMimeData, QSize, Qt, Signal, Slot
from PySide6.QtGui import (
    QCloseEvent,
    QDragEnterEvent,
    QDragLeaveEvent,
    QDragMoveEvent,
    QDropEvent,
    QGuiApplication,
    QIcon,
    QImage,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QPixmap,
    QResizeEvent,
)
from PySide6.QtWidgets import (
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QStackedWidget,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from core.picture import Picture
from gui.elided_label import ElidedLabel
from gui.picture_strip import PictureStrip
from gui.picture_view import PictureView
from gui.preview import PreviewMaker, thumbnail
from gui.theme import Theme

SAMPLE_SIDE = 56
_SAMPLES_IN_ROW = 4
_LOW = 340
# Room for a picture's size; a long name gives way to it.
_FACTS_WIDTH = 92

# In the order of how faithful they are; an encoded image is passed on as it is.
_ENCODED = ("image/png", "image/webp", "image/jpeg", "image/gif", "image/tiff", "image/bmp")


class DropZone(QFrame):
    """The left of the window. It knows files and bytes; somebody else opens them.

    `paths_dropped(list[Path])`: files or folders were dropped, pasted or chosen as a sample.
    `image_data_dropped(bytes, str)`: an encoded image without a file, and a name or "".
    `open_requested()`: the user wants the file dialog. `picture_chosen(int)`: another of the
    pictures at hand. `refused(str)`: why what was dropped or pasted cannot be used.
    `picture_shown(bool)`: whether there is now a picture to ask about.
    """

    paths_dropped = Signal(list)
    image_data_dropped = Signal(bytes, str)
    open_requested = Signal()
    picture_chosen = Signal(int)
    refused = Signal(str)
    picture_shown = Signal(bool)

    def __init__(self, theme: Theme, parent: QWidget | None = None):
        super().__init__(parent)
        self.setObjectName("drop_zone")
        self.setAcceptDrops(True)
        self.setMinimumWidth(312)
        self.previews = PreviewMaker(self)
        self._theme = theme
        self._build_stage()
        self._build_caption()
        self.picture_strip = PictureStrip(theme, self.previews)
        self._place()
        self.drag_overlay = _DragOverlay(theme, self)
        self._dress()
        self.picture_strip.picture_chosen.connect(self.picture_chosen)
        self.picture_view.scale_changed.connect(self._on_scale_changed)
        self.empty_page.open_button.clicked.connect(self.open_requested)
        self.empty_page.sample_chosen.connect(self._on_sample_chosen)
        self.error_page.open_button.clicked.connect(self.open_requested)
        self.previews.made.connect(self._on_made)
        theme.changed.connect(self._dress)

    @property
    def has_picture(self) -> bool:
        return self.stage.currentWidget() is self.picture_view

    def show_picture(self, picture: Picture) -> None:
        """Show it, fitted, with its name, size and notes."""
        self.picture_view.show_pixels(picture.pixels)
        self.picture_view.setAccessibleName(f"Picture: {picture.name}")
        width, height = picture.original_size
        if width < 1 or height < 1:
            width, height = picture.pixels.size
        self.name_label.setText(picture.name)
        facts = (f"{width} × {height}", *picture.notes)
        self.facts_label.setText("  ·  ".join(fact.rstrip(".") for fact in facts))
        self._turn_to(self.picture_view)

    def show_error(self, text: str) -> None:
        """Show why a picture cannot be shown, where it would have been."""
        self.picture_view.clear()
        self.error_page.show_text(text)
        self._turn_to(self.error_page)

    def show_empty(self, samples: list[Path] | None = None) -> None:
        """Show how to begin; `samples` are offered as thumbnails."""
        self.picture_view.clear()
        if samples is not None:
            self.empty_page.show_samples(samples)
        self._turn_to(self.empty_page)

    def clear(self) -> None:
        self.show_empty()

    def show_pictures_at_hand(self, paths: list[Path], current: int) -> None:
        self.picture_strip.show_pictures(paths, current)

    def paste(self) -> None:
        """Take files or an image from the clipboard."""
        if not self.take(QGuiApplication.clipboard().mimeData()):
            self.refused.emit(
                "There is no picture on the clipboard. Copy a picture or its file, then paste."
            )

    def take(self, mime: QMimeData) -> bool:
        """Use what was dropped or pasted. False when nothing in it could be a picture."""
        if paths := _local_paths(mime):
            self.paths_dropped.emit(paths)
        elif encoded := _encoded_image(mime):
            self.image_data_dropped.emit(encoded, _name_in(mime))
        elif mime.hasImage():
            image = QImage(mime.imageData())
            self.previews.ask(("encode", _name_in(mime)), partial(_encoded, image))
        elif _web_urls(mime):
            self.refused.emit(
                "That is a link, and Onlooker fetches nothing from the network. Save the picture"
                " first, or copy the image itself, then drop or paste it here."
            )
        else:
            return False
        return True

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if is_welcome(event.mimeData()):
            event.acceptProposedAction()
            self.drag_overlay.invite(_invitation(event.mimeData()), self.has_picture)

    def dragMoveEvent(self, event: QDragMoveEvent) -> None:
        event.acceptProposedAction()

    def dragLeaveEvent(self, event: QDragLeaveEvent) -> None:
        self.drag_overlay.hide()

    def dropEvent(self, event: QDropEvent) -> None:
        self.drag_overlay.hide()
        if self.take(event.mimeData()):
            # Never as a move: the source would delete the original.
            event.setDropAction(Qt.DropAction.CopyAction)
            event.accept()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        if not self.has_picture:
            self.open_requested.emit()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.drag_overlay.setGeometry(self.rect())

    def closeEvent(self, event: QCloseEvent) -> None:
        self.previews.close()
        super().closeEvent(event)

    # Parts

    def _build_stage(self) -> None:
        self.picture_view = PictureView(self.previews)
        self.picture_view.setObjectName("picture_view")
        self.empty_page = _EmptyPage(self._theme, self.previews)
        self.error_page = _ErrorPage(self._theme)
        self.stage = QStackedWidget()
        self.stage.setObjectName("stage")
        for page in (self.empty_page, self.picture_view, self.error_page):
            self.stage.addWidget(page)

    def _build_caption(self) -> None:
        self.name_label = ElidedLabel(mode=Qt.TextElideMode.ElideMiddle)
        self.name_label.setObjectName("name_label")
        self.facts_label = ElidedLabel()
        self.facts_label.setObjectName("facts_label")
        self.facts_label.setMinimumWidth(_FACTS_WIDTH)
        self.scale_button = QToolButton()
        self.scale_button.setObjectName("scale_button")
        self.scale_button.setToolTip("Show the whole picture (0)")
        self.scale_button.setAccessibleName("Zoom; press to show the whole picture")
        self.scale_button.clicked.connect(self.picture_view.fit)
        self.caption = QWidget()
        self.caption.setObjectName("caption")
        row = QHBoxLayout(self.caption)
        row.setContentsMargins(16, 4, 12, 8)
        row.setSpacing(12)
        row.addWidget(self.name_label)
        row.addWidget(self.facts_label)
        row.addStretch(1)
        row.addWidget(self.scale_button)
        self.caption.hide()

    def _place(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        margin = QWidget()
        margin.setObjectName("stage_margin")
        inside = QVBoxLayout(margin)
        inside.setContentsMargins(12, 12, 12, 8)
        inside.addWidget(self.stage)
        column.addWidget(margin, 1)
        column.addWidget(self.caption)
        column.addWidget(self.picture_strip)

    def _turn_to(self, page: QWidget) -> None:
        self.stage.setCurrentWidget(page)
        self.caption.setVisible(self.has_picture)
        self.picture_shown.emit(self.has_picture)

    @Slot()
    def _dress(self) -> None:
        self.empty_page.dress()
        self.error_page.dress()
        self.drag_overlay.update()

    @Slot()
    def _on_scale_changed(self) -> None:
        view = self.picture_view
        percent = f"{view.scale * view.devicePixelRatioF():.0%}"
        self.scale_button.setText(f"Fit  {percent}" if view.is_fitted else percent)

    @Slot(Path)
    def _on_sample_chosen(self, path: Path) -> None:
        self.paths_dropped.emit([path])

    @Slot(object, object)
    def _on_made(self, key: object, data: object) -> None:
        match key:
            case ("encode", str(name)) if isinstance(data, bytes):
                self.image_data_dropped.emit(data, name)


class _EmptyPage(QWidget):
    """Teaches how to begin."""

    sample_chosen = Signal(Path)

    def __init__(self, theme: Theme, previews: PreviewMaker):
        super().__init__()
        self.setObjectName("empty_page")
        self._theme = theme
        self._previews = previews
        self._buttons: dict[Path, QToolButton] = {}
        self.icon_label = QLabel()
        self.title_label = QLabel("Drop a picture here")
        self.title_label.setObjectName("empty_title")
        self.hint_label = QLabel("or paste one with Ctrl+V")
        self.hint_label.setObjectName("empty_hint")
        self.open_button = QPushButton("Open a picture…")
        self.open_button.setObjectName("open_button")
        self.samples_label = QLabel("Or begin with one of these")
        self.samples_label.setObjectName("samples_label")
        self.samples = QWidget()
        self._grid = QGridLayout(self.samples)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setSpacing(4)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 8, 0, 8)
        column.setSpacing(0)
        column.addStretch(3)
        middle = Qt.AlignmentFlag.AlignHCenter
        for part, below in (
            (self.icon_label, 12),
            (self.title_label, 4),
            (self.hint_label, 16),
            (self.open_button, 24),
            (self.samples_label, 8),
            (self.samples, 0),
        ):
            column.addWidget(part, 0, middle)
            column.addSpacing(below)
        column.addStretch(4)
        self.show_samples([])
        previews.made.connect(self._on_made)

    def show_samples(self, paths: list[Path]) -> None:
        for button in self._buttons.values():
            button.deleteLater()
        self._buttons = {path: self._sample_button(path) for path in paths}
        for place, button in enumerate(self._buttons.values()):
            self._grid.addWidget(button, place // _SAMPLES_IN_ROW, place % _SAMPLES_IN_ROW)
        for part in (self.samples_label, self.samples):
            part.setVisible(bool(paths))

    def dress(self) -> None:
        ratio = self.devicePixelRatioF()
        self.icon_label.setPixmap(self._theme.pixmap("picture", 48, ratio, "text_quiet"))

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.icon_label.setVisible(self.height() >= _LOW or not self._buttons)

    def _sample_button(self, path: Path) -> QToolButton:
        title = path.stem.replace("_", " ").replace("-", " ")
        button = QToolButton()
        button.setProperty("class", "sample")
        button.setIconSize(QSize(SAMPLE_SIDE, SAMPLE_SIDE))
        button.setToolTip(title)
        button.setAccessibleName(f"Sample picture: {title}")
        button.clicked.connect(partial(self.sample_chosen.emit, path))
        side = round(SAMPLE_SIDE * max(2.0, self.devicePixelRatioF()))
        self._previews.ask(("sample", path), partial(thumbnail, path, side))
        return button

    @Slot(object, object)
    def _on_made(self, key: object, image: QImage) -> None:
        match key:
            case ("sample", Path() as path) if path in self._buttons and not image.isNull():
                pixmap = QPixmap.fromImage(image)
                pixmap.setDevicePixelRatio(image.width() / SAMPLE_SIDE)
                self._buttons[path].setIcon(QIcon(_rounded(pixmap)))


class _ErrorPage(QWidget):
    """Says what is wrong with a picture, and offers another."""

    def __init__(self, theme: Theme):
        super().__init__()
        self.setObjectName("error_page")
        self._theme = theme
        self.icon_label = QLabel()
        self.text_label = QLabel()
        self.text_label.setObjectName("error_text")
        self.text_label.setTextFormat(Qt.TextFormat.PlainText)
        self.text_label.setWordWrap(True)
        self.text_label.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        self.text_label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.text_label.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Minimum)
        self.open_button = QPushButton("Open another picture…")
        self.open_button.setObjectName("open_another_button")
        column = QVBoxLayout(self)
        column.setContentsMargins(12, 8, 12, 8)
        column.setSpacing(16)
        middle = Qt.AlignmentFlag.AlignHCenter
        column.addStretch(3)
        column.addWidget(self.icon_label, 0, middle)
        row = QHBoxLayout()
        row.addStretch(1)
        row.addWidget(self.text_label, 8)
        row.addStretch(1)
        self.text_label.setMaximumWidth(440)
        column.addLayout(row)
        column.addWidget(self.open_button, 0, middle)
        column.addStretch(4)

    def show_text(self, text: str) -> None:
        self.text_label.setText(_breakable(text))
        self.text_label.setAccessibleName(text)

    def dress(self) -> None:
        ratio = self.devicePixelRatioF()
        self.icon_label.setPixmap(self._theme.pixmap("warning", 40, ratio, "danger"))


class _DragOverlay(QWidget):
    """While something is dragged over: where to let go, and what will happen."""

    def __init__(self, theme: Theme, parent: QWidget):
        super().__init__(parent)
        self.setObjectName("drag_overlay")
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self._theme = theme
        self.text = ""
        self.shows_through = False
        self.hide()

    def invite(self, text: str, shows_through: bool) -> None:
        """`shows_through`: a picture stays to be guessed at behind; a page of words does not."""
        self.text = text
        self.shows_through = shows_through
        self.show()
        self.raise_()
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        with QPainter(self) as painter:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            veil = self._theme.colour("accent_soft")
            veil.setAlphaF(0.92 if self.shows_through else 1.0)
            frame = self.rect().adjusted(8, 8, -8, -8)
            pen = QPen(self._theme.colour("accent"), 2, Qt.PenStyle.DashLine)
            pen.setDashPattern([4, 4])
            painter.setPen(pen)
            painter.setBrush(veil)
            painter.drawRoundedRect(frame, 12, 12)
            icon = self._theme.pixmap("drop", 40, self.devicePixelRatioF(), "accent")
            middle = frame.center()
            painter.drawPixmap(middle.x() - 20, middle.y() - 48, icon)
            font = painter.font()
            font.setPixelSize(round(font.pixelSize() * 1.25))
            painter.setFont(font)
            painter.setPen(self._theme.colour("text"))
            words = frame.adjusted(16, frame.height() // 2 + 8, -16, 0)
            painter.drawText(words, int(Qt.AlignmentFlag.AlignHCenter), self.text)


# What is in a drag or on the clipboard


def is_welcome(mime: QMimeData) -> bool:
    """Whether something is dragged that we can use, or can say why not."""
    return mime.hasUrls() or mime.hasImage() or any(mime.hasFormat(kind) for kind in _ENCODED)


def _local_paths(mime: QMimeData) -> list[Path]:
    return [Path(url.toLocalFile()) for url in mime.urls() if url.isLocalFile()]


def _web_urls(mime: QMimeData) -> list[str]:
    urls = (url.toString() for url in mime.urls() if not url.isLocalFile())
    return [url for url in urls if not url.startswith("data:")]


def _encoded_image(mime: QMimeData) -> bytes:
    """The image's own bytes, so that nothing is decoded or encoded here."""
    for kind in _ENCODED:
        if mime.hasFormat(kind) and (data := bytes(mime.data(kind).data())):
            return data
    for url in mime.urls():
        head, _, body = url.toString().partition(";base64,")
        if head.startswith("data:image/"):
            try:
                return base64.b64decode(unquote(body))
            except binascii.Error:
                continue
    return b""


def _name_in(mime: QMimeData) -> str:
    """The last part of a web address, when it looks like a file's name."""
    names = (unquote(urlsplit(url).path).rsplit("/", 1)[-1] for url in _web_urls(mime))
    return next((name for name in names if "." in name.strip(".")), "")


def _invitation(mime: QMimeData) -> str:
    paths = _local_paths(mime)
    if len(paths) > 1:
        return f"Let go to open {len(paths)} files"
    if paths and paths[0].is_dir():
        return "Let go to open the folder"
    return "Let go to open the picture"


def _encoded(image: QImage) -> bytes:
    data = QByteArray()
    buffer = QBuffer(data)
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    # The highest quality is the lightest compression, and so the quickest.
    image.save(buffer, "PNG", 100)  # type: ignore[call-overload]
    return bytes(data.data())


def _rounded(pixmap: QPixmap) -> QPixmap:
    """The same with rounded corners."""
    result = QPixmap(pixmap.size())
    result.setDevicePixelRatio(pixmap.devicePixelRatio())
    result.fill(Qt.GlobalColor.transparent)
    with QPainter(result) as painter:
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setBrush(pixmap)
        painter.setPen(Qt.PenStyle.NoPen)
        side = pixmap.deviceIndependentSize()
        painter.drawRoundedRect(0, 0, round(side.width()), round(side.height()), 6, 6)
    return result


def _breakable(text: str) -> str:
    """Lets a long file name break after its dots, dashes and underscores."""
    text = re.sub(r"([^\W_]{24})(?=\w)", "\\1\u200b", text)
    return re.sub(r"([._/\\-])(?=\w)", "\\1\u200b", text)
