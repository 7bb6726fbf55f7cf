"""The switch that shows a picture as the model was given it, or the detail that resizing lost."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from PIL import Image
from PySide6.QtCore import QCoreApplication, QRectF, Signal, Slot
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QButtonGroup, QHBoxLayout, QSizePolicy, QToolButton, QWidget

from core.picture import ImagePreprocessing, Sending
from gui.picture.layer import Layer
from gui.picture.picture_view import PictureView
from gui.widgets.buttons import key_text
from gui.widgets.measures import bytes_text, sides_text
from gui.widgets.preview import PreviewMaker, to_image
from gui.widgets.theme import Theme

# Left, top, right and bottom, in the picture's pixels.
Box = tuple[int, int, int, int]

translate = QCoreApplication.translate


class ModelViewSwitch(QWidget):
    """Two buttons in the line under the picture. The model's view stays on for another picture,
    which is first shown as the model is given it.

    `show_button`, which the owner places, turns the model's view on. Then this widget is visible
    and offers what to show: the pixels that the model was given, or what resizing lost.
    `facts_changed(tuple[str])`: what the line under the picture should say, in forms of which the
    first one that fits is shown; () for its usual text.
    """

    facts_changed = Signal(object)

    def __init__(self, theme: Theme, view: PictureView, previews: PreviewMaker):
        super().__init__()
        self._view, self._previews = view, previews
        self._pixels: Image.Image | None = None
        self._part: Box | None = None
        self._preprocessing: ImagePreprocessing | Sending | None = None
        self._serial = 0
        self.show_button = QToolButton()
        self.show_button.setObjectName("show_model_view_button")
        self.show_button.setCheckable(True)
        self.show_button.setAccessibleName(self.tr("Show what the model sees"))
        theme.set_icon(self.show_button, "eye", "text_quiet")
        self.given_button = self._choice("", "")
        self.lost_button = self._choice(
            self.tr("Lost detail"),
            self.tr("The brighter, the more was lost by resizing ({key})").format(
                key=key_text("Ctrl+Shift+E")
            ),
        )
        self.given_button.setChecked(True)
        group = QButtonGroup(self)
        for button in (self.given_button, self.lost_button):
            group.addButton(button)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(0)
        for button in (self.given_button, self.lost_button):
            row.addWidget(button)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.show_button.toggled.connect(self._on_toggled)
        group.buttonToggled.connect(self._on_choice)
        previews.made.connect(self._on_made)
        self.set_preprocessing(None, no_model_text())
        self._show_choices()

    @property
    def is_on(self) -> bool:
        """Whether the model's view is chosen and available."""
        return self.show_button.isChecked() and self.show_button.isEnabled()

    def set_preprocessing(
        self, preprocessing: ImagePreprocessing | Sending | None, reason: str = ""
    ) -> None:
        """Takes the loaded model's preprocessing, or how images are sent to its server, or None and
        the reason why neither is known."""
        changed = preprocessing != self._preprocessing
        self._preprocessing = preprocessing
        self.show_button.setEnabled(preprocessing is not None)
        show = self.tr("Show what the model sees ({key})").format(key=key_text("Ctrl+E"))
        self.show_button.setToolTip(show if preprocessing else reason)
        self._name_given()
        if changed:
            self._show()

    def show_picture(self, pixels: Image.Image | None) -> None:
        """Takes the RGB pixels of the picture that is shown now, or None without a picture."""
        self._pixels, self._part = pixels, None
        self.given_button.setChecked(True)
        self._show()

    def show_part(self, part: Box | None) -> None:
        """Shows what the model is given of a part of the picture; None for all of it."""
        if part != self._part:
            self._part = part
            self._show()

    @Slot()
    def toggle(self) -> None:
        """Turns the model's view on or off, if it is available."""
        if self.show_button.isEnabled():
            self.show_button.toggle()

    @Slot()
    def toggle_lost(self) -> None:
        """Switches between given pixels and lost detail; from the usual view, shows lost detail."""
        if not self.show_button.isEnabled():
            return
        if not self.show_button.isChecked():
            self.lost_button.setChecked(True)
            self.show_button.setChecked(True)
        else:
            other = self.given_button if self.lost_button.isChecked() else self.lost_button
            other.setChecked(True)

    def _name_given(self) -> None:
        """A server's model may be given fewer pixels than the server is sent."""
        if isinstance(self._preprocessing, Sending):
            self.given_button.setText(self.tr("What the server is sent"))
            self.given_button.setToolTip(
                self.tr("The exact pixels that are sent. The server's model may reduce them.")
            )
        else:
            self.given_button.setText(self.tr("What the model sees"))
            self.given_button.setToolTip(self.tr("The exact pixels that the model is given"))

    def _choice(self, text: str, tip: str) -> QToolButton:
        button = QToolButton()
        button.setText(text)
        button.setToolTip(tip)
        button.setCheckable(True)
        button.setProperty("class", "choice")
        return button

    def _show(self) -> None:
        self._serial += 1
        on = self.is_on and self._pixels is not None
        self._view.fit_square(on and not isinstance(self._preprocessing, Sending))
        self._show_choices()
        if not on or self._pixels is None or self._preprocessing is None:
            self._view.show_instead(None)
            self.facts_changed.emit(())
            return
        part = self._part or (0, 0, *self._pixels.size)
        size = (part[2] - part[0], part[3] - part[1])
        if not isinstance(self._preprocessing, Sending):
            self.facts_changed.emit(_facts(size, self._preprocessing))
        key = ("model_view", self._serial, self.lost_button.isChecked())
        make = partial(
            _layer, self._pixels, part, self._preprocessing, shows_lost=self.lost_button.isChecked()
        )
        self._previews.ask(key, make)

    def _show_choices(self) -> None:
        self.setVisible(self.is_on)

    @Slot()
    def _on_toggled(self) -> None:
        self._show()

    @Slot(object, bool)
    def _on_choice(self, button: object, is_checked: bool) -> None:
        if is_checked and self.is_on:
            self._show()

    @Slot(object, object)
    def _on_made(self, key: object, made: object) -> None:
        match key:
            case ("model_view", self._serial, bool()) if isinstance(made, Layer):
                self._view.show_instead(made)
            case ("model_view", self._serial, bool()) if isinstance(made, _Sent):
                self._view.show_instead(made.layer)
                self.facts_changed.emit(made.facts)


@dataclass(frozen=True, eq=False)
class _Sent:
    """A picture as a server was sent it, or what was lost by that; and what to say of it."""

    layer: Layer
    facts: tuple[str, ...]


def _layer(
    pixels: Image.Image,
    part: Box,
    preprocessing: ImagePreprocessing | Sending,
    *,
    shows_lost: bool,
) -> Layer | _Sent:
    """Runs in the preview thread, as resizing a large picture takes a moment."""
    from core.picture import given_pixels, lost_detail, sent_picture, square_of

    if part != (0, 0, *pixels.size):
        pixels = pixels.crop(part)
    area = QRectF(part[0], part[1], *pixels.size)
    if isinstance(preprocessing, Sending):
        sent, byte_count = sent_picture(pixels, preprocessing)
        whole = (0.0, 0.0, float(pixels.width), float(pixels.height))
        shown = lost_detail(pixels, sent, whole) if shows_lost else sent
        layer = Layer(to_image(shown), area, has_hard_edges=not shows_lost)
        return _Sent(layer, _sent_facts(pixels.size, sent.size, preprocessing.kind, byte_count))
    given = given_pixels(pixels, preprocessing)
    if shows_lost:
        return Layer(to_image(lost_detail(pixels, given)), area)
    left, top, right, bottom = square_of(*pixels.size)
    square = QRectF(left, top, right - left, bottom - top).translated(part[0], part[1])
    image: QImage = to_image(given)
    return Layer(image, square, has_hard_edges=True)


def _facts(size: tuple[int, int], preprocessing: ImagePreprocessing) -> tuple[str, ...]:
    """Returns what became of the pixels, in forms that are ever shorter."""
    side = max(size)
    given = sides_text(preprocessing.image_size, preprocessing.image_size)
    covers = side / preprocessing.image_size
    if covers <= 1:
        enlarged = translate("ModelViewSwitch", "{size}, enlarged {factor} times, no detail lost")
        short = translate("ModelViewSwitch", "{size}, enlarged {factor} times")
        factor = f"{1 / covers:.1f}"
        forms = (enlarged, short, "{size}")
        return tuple(form.format(size=given, factor=factor) for form in forms)
    reduced = translate("ModelViewSwitch", "{size}, each pixel covers {sides} of the original")
    short = translate("ModelViewSwitch", "{size}, reduced {factor} times")
    factor = f"{covers:.1f}"
    forms = (reduced, short, "{size}")
    sides = sides_text(factor, factor)
    return tuple(form.format(size=given, sides=sides, factor=factor) for form in forms)


def _sent_facts(
    size: tuple[int, int], sent: tuple[int, int], kind: str, byte_count: int
) -> tuple[str, ...]:
    """Returns what a server was sent, in forms that are ever shorter."""
    whole = translate("ModelViewSwitch", "{size} {format}, {bytes}, sent in full size")
    reduced = translate("ModelViewSwitch", "{size} {format}, {bytes}, each pixel covers {sides}")
    long = reduced if sent != size else whole
    short = translate("ModelViewSwitch", "{size} {format}, {bytes}")
    return tuple(
        form.format(
            size=sides_text(*sent),
            format=kind.upper(),
            bytes=bytes_text(byte_count),
            sides=sides_text(*2 * (f"{size[0] / sent[0]:.1f}",)),
        )
        for form in (long, short, "{size}")
    )


def no_model_text() -> str:
    """Returns why the view is not available while no model is loaded."""
    return translate("ModelViewSwitch", "Load a model to see what it sees")


def own_way_text() -> str:
    """Returns why the view is not available with a model that has its own image processor."""
    return translate(
        "ModelViewSwitch", "What this model sees cannot be shown, as it prepares images differently"
    )
