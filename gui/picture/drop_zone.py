"""Takes pictures by drop, paste or dialog, and shows the one that is open."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from PySide6.QtCore import QMimeData, QRectF, Qt, QTimer, Signal, Slot
from PySide6.QtGui import (
    QCloseEvent,
    QDragEnterEvent,
    QDragLeaveEvent,
    QDragMoveEvent,
    QDropEvent,
    QGuiApplication,
    QImage,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QResizeEvent,
)
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QStackedWidget,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from core.errors import PictureError
from core.picture import SMALLEST_PART, Picture, PicturePart, box_of, part_of
from gui.picture.empty_page import EmptyPage, ErrorPage
from gui.picture.model_view_switch import ModelViewSwitch
from gui.picture.name_and_facts import NameAndFacts
from gui.picture.part_frame import PartFrame
from gui.picture.picture_mime import (
    as_png,
    encoded_image,
    invitation,
    is_welcome,
    local_paths,
    name_in,
    web_urls,
)
from gui.picture.picture_strip import PictureStrip
from gui.picture.picture_view import PictureView
from gui.widgets.buttons import key_text
from gui.widgets.measures import sides_text
from gui.widgets.preview import PreviewMaker
from gui.widgets.theme import Theme
from gui.widgets.translated import translated

_CAPTION_SPACING = 8
# While a rectangle is dragged, what the model sees of it follows in steps.
_PART_MS = 80


class DropZone(QFrame):
    """The left part of the window. It takes files and bytes; their owner opens them.

    `paths_dropped(list[Path])`: files or folders were dropped, pasted or chosen as a sample.
    `image_data_dropped(bytes, str)`: an encoded image without a file, and its name or "".
    `open_requested()`: the file dialog is to be opened. `picture_chosen(int)`: another of the open
    pictures was chosen, by its index. `refused(str)`: why something dropped or pasted cannot be
    used. `picture_shown(bool)`: whether there is now a picture to ask about. `returned(Picture)`:
    after one that could not be opened, the previous picture is to be shown again.
    """

    paths_dropped = Signal(list)
    image_data_dropped = Signal(bytes, str)
    open_requested = Signal()
    picture_chosen = Signal(int)
    refused = Signal(str)
    picture_shown = Signal(bool)
    returned = Signal(object)

    def __init__(self, theme: Theme, parent: QWidget | None = None):
        super().__init__(parent)
        self.setObjectName("drop_zone")
        self.setAcceptDrops(True)
        self.setMinimumWidth(312)
        self.previews = PreviewMaker(self)
        self._theme = theme
        self._facts = ""
        self._previous: Picture | None = None
        self._build_stage()
        self._build_caption()
        self.picture_strip = PictureStrip(theme, self.previews)
        self._place()
        self.drag_overlay = DragOverlay(theme, self)
        self._update_icons()
        self.picture_strip.picture_chosen.connect(self.picture_chosen)
        self.picture_view.scale_changed.connect(self._on_scale_changed)
        self.empty_page.open_button.clicked.connect(self.open_requested)
        self.empty_page.sample_chosen.connect(self._on_sample_chosen)
        self.error_page.open_button.clicked.connect(self.open_requested)
        self.error_page.back_button.clicked.connect(self._on_back_clicked)
        self.previews.made.connect(self._on_made)
        theme.changed.connect(self._update_icons)

    @property
    def part(self) -> PicturePart | None:
        """The part of the picture that questions are about; None for all of it."""
        box, picture = self.part_frame.box, self._previous
        if box is None or picture is None:
            return None
        try:
            return part_of(picture, (box.left(), box.top(), box.right(), box.bottom()))
        except PictureError:  # It is still being drawn.
            return None

    def show_part(self, part: PicturePart) -> None:
        """Marks a part of the picture."""
        if self._previous is not None and self.has_picture:
            left, top, right, bottom = box_of(self._previous, part)
            self.part_frame.show_box(QRectF(left, top, right - left, bottom - top))

    @property
    def has_picture(self) -> bool:
        """Whether a picture is shown, rather than how to begin or an error."""
        return self.stage.currentWidget() is self.picture_view

    def show_picture(self, picture: Picture) -> None:
        """Shows a picture, fitted, with its name, size and notes."""
        self._previous = picture
        self.part_frame.remove()
        self.picture_view.show_pixels(picture.pixels)
        self.picture_view.setAccessibleName(self.tr("Image {name}").format(name=picture.name))
        width, height = picture.original_size
        if width < 1 or height < 1:
            width, height = picture.pixels.size
        self.name_and_facts.show_name(picture.name)
        facts = (sides_text(width, height), *map(translated, picture.notes))
        self._facts = "  ·  ".join(fact.rstrip(".") for fact in facts)
        self.name_and_facts.show_facts(self._facts, is_named=True)
        self.model_view_switch.show_picture(picture.pixels)
        self._turn_to(self.picture_view)

    def show_error(self, text: str) -> None:
        """Says why a picture cannot be opened, and offers to return to the previous one."""
        self._clear_picture()
        self.error_page.show_text(text, can_return=self._previous is not None)
        self._turn_to(self.error_page)

    def show_empty(self, samples: list[Path] | None = None) -> None:
        """Shows how to begin. `samples`, if given, replace the pictures offered as thumbnails."""
        self._previous = None
        self._clear_picture()
        if samples is not None:
            self.empty_page.show_samples(samples)
        self._turn_to(self.empty_page)

    def clear(self) -> None:
        """Shows how to begin, with the samples offered before."""
        self.show_empty()

    def _clear_picture(self) -> None:
        self.part_frame.remove()
        self.picture_view.clear()
        self.model_view_switch.show_picture(None)

    def show_pictures_at_hand(self, paths: Sequence[Path], current: int) -> None:
        """Shows the open pictures as thumbnails; `current` is the index of the one in view."""
        self.picture_strip.show_pictures(paths, current)

    def paste(self) -> None:
        """Takes files or an image from the clipboard; emits `refused` if it has neither."""
        # None where it is empty, or another program holds it.
        mime: QMimeData | None = QGuiApplication.clipboard().mimeData()
        if mime is None or not self.take(mime):
            self.refused.emit(
                self.tr("The clipboard has no image. Copy an image or its file, then paste.")
            )

    def take(self, mime: QMimeData) -> bool:
        """Takes what was dropped or pasted. Returns False if nothing in it can be a picture."""
        if paths := local_paths(mime):
            self.paths_dropped.emit(paths)
        elif data := encoded_image(mime):
            self.image_data_dropped.emit(data, name_in(mime))
        elif mime.hasImage():
            image = QImage(mime.imageData())
            self.previews.ask(("encode", name_in(mime)), partial(as_png, image))
        elif web_urls(mime):
            self.refused.emit(
                self.tr(
                    "Onlooker downloads no images. Save the image or copy the image itself, then "
                    "drop or paste it here."
                )
            )
        else:
            return False
        return True

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if is_welcome(event.mimeData()):
            _accept_copy(event)
            self.drag_overlay.invite(invitation(event.mimeData()), self.has_picture)

    def dragMoveEvent(self, event: QDragMoveEvent) -> None:
        _accept_copy(event)

    def dragLeaveEvent(self, event: QDragLeaveEvent) -> None:
        self.drag_overlay.hide()

    def dropEvent(self, event: QDropEvent) -> None:
        self.drag_overlay.hide()
        if self.take(event.mimeData()):
            _accept_copy(event)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        if not self.has_picture:
            self.open_requested.emit()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.drag_overlay.setGeometry(self.rect())
        self._show_scale()

    def closeEvent(self, event: QCloseEvent) -> None:
        self.previews.close()
        super().closeEvent(event)

    # Parts

    def _build_stage(self) -> None:
        self.picture_view = PictureView(self.previews)
        self.part_frame = PartFrame(self.picture_view)
        self.picture_view.setObjectName("picture_view")
        self.empty_page = EmptyPage(self._theme, self.previews)
        self.error_page = ErrorPage(self._theme)
        self.stage = QStackedWidget()
        self.stage.setObjectName("stage")
        for page in (self.empty_page, self.picture_view, self.error_page):
            self.stage.addWidget(page)

    def _build_caption(self) -> None:
        self.name_and_facts = NameAndFacts()
        self.scale_button = QToolButton()
        self.scale_button.setObjectName("scale_button")
        self.scale_button.setToolTip(self.tr("Fit image ({key})").format(key=key_text("0")))
        self.scale_button.setAccessibleName(self.tr("Zoom, press to fit the image"))
        self.scale_button.clicked.connect(self.picture_view.fit)
        self.model_view_switch = ModelViewSwitch(self._theme, self.picture_view, self.previews)
        self.model_view_switch.setObjectName("model_view_switch")
        self.model_view_switch.facts_changed.connect(self._on_facts_changed)
        self.part_button = self._build_part_button()
        self.caption = QWidget()
        self.caption.setObjectName("caption")
        self._caption_row = row = QHBoxLayout(self.caption)
        row.setContentsMargins(16, 4, 12, 8)
        row.setSpacing(_CAPTION_SPACING)
        row.addWidget(self.model_view_switch)
        row.addWidget(self.name_and_facts, 1)
        row.addWidget(self.part_button)
        row.addWidget(self.model_view_switch.show_button)
        row.addWidget(self.scale_button)
        self.caption.hide()

    def _build_part_button(self) -> QToolButton:
        button = QToolButton()
        button.setObjectName("part_button")
        button.setCheckable(True)
        button.setAccessibleName(self.tr("Mark a part of the image to ask about"))
        tip = self.tr("Mark a part to ask about ({key}), or drag with Shift")
        button.setToolTip(tip.format(key=key_text("F3")))
        self._theme.set_icon(button, "part", "text_quiet")
        button.clicked.connect(self.part_frame.toggle)
        self._part_timer = QTimer(self, interval=_PART_MS, singleShot=True)
        self._part_timer.timeout.connect(self._show_model_part)
        self.part_frame.changed.connect(self._on_part_changed)
        self.part_frame.refused.connect(self._on_part_refused)
        return button

    @Slot()
    def _on_part_changed(self) -> None:
        self.part_button.setChecked(self.part_frame.box is not None)
        self._part_timer.start()

    @Slot()
    def _show_model_part(self) -> None:
        part, picture = self.part, self._previous
        self.model_view_switch.show_part(box_of(picture, part) if part and picture else None)

    @Slot()
    def _on_part_refused(self) -> None:
        self.part_button.setChecked(self.part_frame.box is not None)
        text = self.tr("A part needs at least {sides} pixels. Draw a larger rectangle.")
        self.refused.emit(text.format(sides=sides_text(SMALLEST_PART, SMALLEST_PART)))

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
    def _update_icons(self) -> None:
        self.empty_page.update_icon()
        self.error_page.update_icon()
        self.drag_overlay.update()

    @Slot()
    def _on_scale_changed(self) -> None:
        view = self.picture_view
        percent = f"{view.scale * view.devicePixelRatioF():.0%}"
        fitted = self.tr("Fit  {percent}").format(percent=percent)
        self.scale_button.setText(fitted if view.is_fitted else percent)

    @Slot(object)
    def _on_facts_changed(self, forms: tuple[str, ...]) -> None:
        # The window's title has the name too.
        self.name_and_facts.show_facts(*(forms or (self._facts,)), is_named=not forms)
        self._show_scale()

    def _show_scale(self) -> None:
        """Hides the scale where the model's view needs the room for its own buttons."""
        switch = self.model_view_switch
        parts = (switch, self.part_button, switch.show_button, self.scale_button)
        margins = self._caption_row.contentsMargins()
        needed = sum(part.sizeHint().width() for part in parts) + 5 * _CAPTION_SPACING
        room = self.width() - margins.left() - margins.right()
        self.scale_button.setVisible(switch.isHidden() or needed <= room)

    @Slot()
    def _on_back_clicked(self) -> None:
        self.returned.emit(self._previous)

    @Slot(Path)
    def _on_sample_chosen(self, path: Path) -> None:
        self.paths_dropped.emit([path])

    @Slot(object, object)
    def _on_made(self, key: object, data: object) -> None:
        match key:
            case ("encode", str(name)) if isinstance(data, bytes):
                self.image_data_dropped.emit(data, name)


def _accept_copy(event: QDropEvent) -> None:
    """Never a move, not even while it is dragged: the source would delete the original."""
    event.setDropAction(Qt.DropAction.CopyAction)
    event.accept()


class DragOverlay(QWidget):
    """Covers the window while something is dragged over it, and says what dropping it will do."""

    def __init__(self, theme: Theme, parent: QWidget):
        super().__init__(parent)
        self.setObjectName("drag_overlay")
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self._theme = theme
        self.text = ""
        self.shows_through = False
        self.hide()

    def invite(self, text: str, shows_through: bool) -> None:
        """Appears with `text`. With `shows_through`, what is below stays faintly visible."""
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
