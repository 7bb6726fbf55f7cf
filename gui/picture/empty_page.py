"""The pages shown instead of a picture: how to begin, or why there is none."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from PySide6.QtCore import QSize, Qt, Signal, Slot
from PySide6.QtGui import QIcon, QImage, QPainter, QPixmap, QResizeEvent
from PySide6.QtWidgets import (
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from core.resources import SAMPLE_THUMBNAILS, SAMPLES
from gui.widgets.buttons import key_text
from gui.widgets.labels import make_selectable
from gui.widgets.line_break import breakable
from gui.widgets.preview import PreviewMaker, thumbnail
from gui.widgets.scrolled_page import ScrolledPage
from gui.widgets.theme import Theme

# The side of a sample's thumbnail, in a small window and in a larger one.
SAMPLE_SIDE, LARGE_SAMPLE_SIDE = 56, 80
# That of the copies that come with our samples, for screens with up to twice the pixels.
_KEPT_SIDE = 2 * LARGE_SAMPLE_SIDE
_SAMPLES_IN_ROW = 4
_LOW = 340
_ROOMY = QSize(480, 560)


class EmptyPage(ScrolledPage):
    """Says how to begin, and offers samples.

    `sample_chosen(Path)`: a sample was clicked.
    """

    sample_chosen = Signal(Path)

    def __init__(self, theme: Theme, previews: PreviewMaker):
        content = QWidget()
        super().__init__(content)
        self.setObjectName("empty_page")
        self._theme = theme
        self._previews = previews
        self._buttons: dict[Path, QToolButton] = {}
        self.icon_label = QLabel()
        self.title_label = QLabel(self.tr("Drop an image here"))
        self.title_label.setObjectName("empty_title")
        self.hint_label = QLabel(self.tr("or paste one with {key}").format(key=key_text("Ctrl+V")))
        self.hint_label.setObjectName("empty_hint")
        self.open_button = QPushButton(self.tr("Open image…"))
        self.open_button.setObjectName("open_button")
        self.samples_label = QLabel(self.tr("Or start with a sample"))
        self.samples_label.setObjectName("samples_label")
        self.samples = QWidget()
        self._grid = QGridLayout(self.samples)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setSpacing(4)
        column = QVBoxLayout(content)
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
        """Replaces the samples; without any, none are offered."""
        for button in self._buttons.values():
            button.deleteLater()
        self._buttons = {path: self._sample_button(path) for path in paths}
        for place, button in enumerate(self._buttons.values()):
            self._grid.addWidget(button, place // _SAMPLES_IN_ROW, place % _SAMPLES_IN_ROW)
        self._size_samples()
        for part in (self.samples_label, self.samples):
            part.setVisible(bool(paths))

    def update_icon(self) -> None:
        """Draws the icon in the colours of the present theme."""
        ratio = self.devicePixelRatioF()
        self.icon_label.setPixmap(self._theme.pixmap("picture", 48, ratio, "text_quiet"))

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.icon_label.setVisible(self.height() >= _LOW or not self._buttons)
        self._size_samples()

    def _size_samples(self) -> None:
        roomy = self.width() >= _ROOMY.width() and self.height() >= _ROOMY.height()
        side = LARGE_SAMPLE_SIDE if roomy else SAMPLE_SIDE
        for button in self._buttons.values():
            button.setIconSize(QSize(side, side))

    def _sample_button(self, path: Path) -> QToolButton:
        title = path.stem.replace("_", " ").replace("-", " ")
        button = QToolButton()
        button.setProperty("class", "sample")
        button.setToolTip(title)
        button.setAccessibleName(self.tr("Sample image {name}").format(name=title))
        button.clicked.connect(partial(self.sample_chosen.emit, path))
        side = round(LARGE_SAMPLE_SIDE * max(2.0, self.devicePixelRatioF()))
        self._previews.ask(("sample", path), partial(_sample_thumbnail, path, side))
        return button

    @Slot(object, object)
    def _on_made(self, key: object, image: QImage) -> None:
        match key:
            case ("sample", Path() as path) if path in self._buttons and not image.isNull():
                pixmap = QPixmap.fromImage(image)
                pixmap.setDevicePixelRatio(image.width() / LARGE_SAMPLE_SIDE)
                self._buttons[path].setIcon(QIcon(_rounded(pixmap)))


def _sample_thumbnail(path: Path, side: int) -> QImage:
    """As `thumbnail`, of the small copy of a sample if it is large enough: to decode all samples
    took a tenth of a second at each start, and the first image waited for it."""
    kept = SAMPLE_THUMBNAILS / path.name
    is_ours = path.parent == SAMPLES and kept.is_file() and side <= _KEPT_SIDE
    return thumbnail(kept if is_ours else path, side)


class ErrorPage(ScrolledPage):
    """Says why a picture cannot be opened, and offers another or the previous one."""

    def __init__(self, theme: Theme):
        content = QWidget()
        super().__init__(content)
        self.setObjectName("error_page")
        self._theme = theme
        self.icon_label = QLabel()
        self.text_label = QLabel()
        self.text_label.setObjectName("error_text")
        self.text_label.setTextFormat(Qt.TextFormat.PlainText)
        self.text_label.setWordWrap(True)
        self.text_label.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        make_selectable(self.text_label)
        self.text_label.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Minimum)
        self.open_button = QPushButton(self.tr("Open another image…"))
        self.open_button.setObjectName("open_another_button")
        self.back_button = QPushButton(self.tr("&Back to previous image"))
        self.back_button.setObjectName("back_button")
        column = QVBoxLayout(content)
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
        column.addWidget(self.back_button, 0, middle)
        column.addStretch(4)

    def show_text(self, text: str, *, can_return: bool) -> None:
        """Says why; `can_return` offers the previous picture."""
        self.back_button.setVisible(can_return)
        self.text_label.setText(breakable(text))
        self.text_label.setAccessibleName(text)

    def update_icon(self) -> None:
        """Draws the icon in the colours of the present theme."""
        ratio = self.devicePixelRatioF()
        self.icon_label.setPixmap(self._theme.pixmap("warning", 40, ratio, "danger"))


def _rounded(pixmap: QPixmap) -> QPixmap:
    """Returns `pixmap` with rounded corners."""
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
