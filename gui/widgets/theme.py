"""How the window looks: colours, type, icons and the stylesheet, in light and in dark.

All colours are tokens of `Palette`. `resources/style.qss` refers to them as `$accent`; icons are
one-colour SVGs, tinted with a token.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import lru_cache
from string import Template

import shiboken6
from PySide6.QtCore import QByteArray, QEvent, QObject, QRectF, Qt, QTimer, Signal, Slot
from PySide6.QtGui import QColor, QFont, QFontInfo, QIcon, QPainter, QPalette, QPixmap
from PySide6.QtSvg import QSvgRenderer
from PySide6.QtWidgets import QAbstractButton, QApplication, QWidget

from core.resources import RESOURCES
from gui.widgets.all_layouts import lay_out_all

MODES = ("system", "light", "dark")

# Qt asks for icons of 16, 20 and 24 pixels, on screens with a pixel ratio of 1, 1.5, 2 and 3.
_ICON_SIDES = (16, 20, 24, 30, 32, 36, 40, 48, 60, 72, 96)
_SMALLEST_BODY = 14


@dataclass(frozen=True)
class Palette:
    """The colours of one mode. Text tokens reach WCAG AA (4.5 to 1) on each background listed."""

    name: str
    window: str
    """The window's background."""
    surface: str
    """The background of fields and text."""
    canvas: str
    """Around the picture."""
    raised: str
    """A control under the pointer, and a question."""
    border: str
    """Hairlines that only separate."""
    border_strong: str
    """Edges by which a control is recognised: 3 to 1."""
    text: str
    """On window, surface, canvas, raised, accent_soft."""
    text_quiet: str
    """On window, surface, canvas, raised."""
    accent: str
    """Links and the one button that matters; as text on window, surface, canvas, accent_soft."""
    accent_hover: str
    accent_pressed: str
    accent_soft: str
    """Selected, marked, noticed."""
    on_accent: str
    """On accent, accent_hover, accent_pressed."""
    danger: str
    """On window, surface, canvas, danger_soft."""
    danger_soft: str
    doubt: str
    """Under words: an edge, 3 to 1, and text on window, surface."""


# The arrows and checks of fields are SVGs that Qt reads by itself: their colours are written there.
LIGHT = Palette(
    name="light",
    window="#f5f5f2",
    surface="#ffffff",
    canvas="#ebebe7",
    raised="#e9eae6",
    border="#dcdcd6",
    border_strong="#86877f",
    text="#1d1f1f",
    text_quiet="#595c5b",
    accent="#0d665d",
    accent_hover="#0a574f",
    accent_pressed="#084740",
    accent_soft="#dcedea",
    on_accent="#ffffff",
    danger="#a32a24",
    danger_soft="#fbe9e7",
    doubt="#95580a",
)
DARK = Palette(
    name="dark",
    window="#1c1d1e",
    surface="#242627",
    canvas="#161718",
    raised="#303334",
    border="#37393a",
    border_strong="#7c8180",
    text="#e8e9e7",
    text_quiet="#aeb2b0",
    accent="#63c5b6",
    accent_hover="#7bd2c5",
    accent_pressed="#96dfd4",
    accent_soft="#1f3b38",
    on_accent="#06211d",
    danger="#f49b93",
    danger_soft="#40241f",
    doubt="#e2ac57",
)


class Theme(QObject):
    """Styles the application, and again whenever the system or the user changes the mode.

    `changed()`: all widgets have the new style. With a visible window that takes a few turns of
    the event loop. `text_size_changed()`: `reading_font` and `asking_font` have another size.
    """

    changed = Signal()
    text_size_changed = Signal()

    def __init__(self, app: QApplication, mode: str = "system", text_percent: int = 100):
        super().__init__(app)
        self._app = app
        self._mode = mode
        self._text_percent = text_percent
        self._icons: list[tuple[weakref.ref[QAbstractButton], str, str]] = []
        self._frozen: list[QWidget] = []
        self._has_other_size = False
        self._steps: list[Callable[[], None]] = []
        self._step_timer = QTimer(self, singleShot=True, interval=0)
        self._step_timer.timeout.connect(self._on_step_due)
        app.setStyle("Fusion")
        font = QFont(app.font())
        # A system font of 9 points is 12 pixels at 96 dpi: too small to read paragraphs in.
        self.body_pixels = max(_SMALLEST_BODY, QFontInfo(font).pixelSize())
        font.setPixelSize(self.body_pixels)
        app.setFont(font)
        app.setWindowIcon(QIcon(str(RESOURCES / "icons" / "onlooker.svg")))
        app.styleHints().colorSchemeChanged.connect(self._on_color_scheme_changed)
        self._set_system_scheme(mode)
        self._restyle()

    @property
    def mode(self) -> str:
        """The chosen mode: one of `MODES`."""
        return self._mode

    @property
    def is_dark(self) -> bool:
        """Whether the dark palette is in use."""
        if self._mode == "system":
            return self._app.styleHints().colorScheme() == Qt.ColorScheme.Dark
        return self._mode == "dark"

    @property
    def is_restyling(self) -> bool:
        """Whether the stylesheet is being replaced: sizes measured now are not final."""
        return bool(self._frozen)

    @property
    def palette(self) -> Palette:
        """The palette in use."""
        return DARK if self.is_dark else LIGHT

    @property
    def reading_font(self) -> QFont:
        """The font of answers. It is not in the stylesheet because a change of colours would then
        lay out the whole conversation again, several times."""
        return self._font(self.body_pixels + 1)

    @property
    def asking_font(self) -> QFont:
        """The font of questions."""
        return self._font(self.body_pixels)

    def choose(self, mode: str) -> None:
        """Sets the mode, one of `MODES`: follow the system, light or dark. Raises ValueError."""
        if mode not in MODES:
            raise ValueError(f"No such mode: {mode}")
        if mode != self._mode:
            self._mode = mode
            self._set_system_scheme(mode)
            self._restyle()

    def choose_text_percent(self, percent: int) -> None:
        """Sets the size of questions and answers, in percent of the usual size."""
        if percent != self._text_percent:
            self._text_percent = percent
            self._has_other_size = True
            self._restyle()

    def colour(self, token: str) -> QColor:
        """Returns the present colour of a token of `Palette`."""
        return QColor(getattr(self.palette, token))

    def icon(self, name: str, token: str = "text") -> QIcon:
        """Returns `resources/icons/<name>.svg` in the colour of `token`; faded when disabled."""
        palette = self.palette
        return _tinted_icon(name, getattr(palette, token), palette.border_strong)

    def pixmap(self, name: str, side: int, ratio: float, token: str = "text_quiet") -> QPixmap:
        """Returns an icon of `side` logical pixels for a screen with this pixel ratio."""
        pixmap = _draw(_drawing(name, getattr(self.palette, token)), round(side * ratio))
        pixmap.setDevicePixelRatio(ratio)
        return pixmap

    @contextmanager
    def without_stylesheet(self) -> Iterator[None]:
        """Inside, many widgets are put together; afterwards they have the stylesheet.

        Each time a widget gets a parent, Qt styles it and all below it again. For the main window
        that takes three times as long as all the rest. Sizes that are measured inside are not
        final: a widget measures text and buttons when it is shown.
        """
        sheet = self._app.styleSheet()
        self._app.setStyleSheet("")
        try:
            yield
        finally:
            self._app.setStyleSheet(sheet)

    def set_icon(self, button: QAbstractButton, name: str, token: str = "text") -> None:
        """Gives `button` an icon that is tinted again when the theme changes."""
        self._icons = [entry for entry in self._icons if entry[0]() not in (None, button)]
        self._icons.append((weakref.ref(button), name, token))
        button.setIcon(self.icon(name, token))

    def _font(self, pixels: int) -> QFont:
        font = QFont(self._app.font())
        font.setPixelSize(round(pixels * self._text_percent / 100))
        return font

    @Slot()
    def _on_color_scheme_changed(self) -> None:
        if self._mode == "system":
            self._restyle()

    def _set_system_scheme(self, mode: str) -> None:
        """Lets window frames and native dialogs follow, where the system has both modes."""
        hints = self._app.styleHints()
        if mode == "system":
            hints.unsetColorScheme()
        else:
            dark = mode == "dark"
            hints.setColorScheme(Qt.ColorScheme.Dark if dark else Qt.ColorScheme.Light)

    def _restyle(self) -> None:
        """Works in three steps, between which the event loop runs and nothing is painted."""
        if not self._frozen:
            self._frozen = [w for w in self._app.topLevelWidgets() if w.isVisible()]
            for window in self._frozen:
                window.setUpdatesEnabled(False)
        self._app.setPalette(_qt_palette(self.palette))
        # Removed first: when one sheet replaces another, Qt styles every widget again for each of
        # its ancestors (four times as long with 200 exchanges); a first sheet, only once.
        self._app.setStyleSheet("")
        if self._frozen:
            self._steps = [self._set_stylesheet, self._finish]
            self._step_timer.start()
        else:
            self._set_stylesheet()
            self._finish()

    @Slot()
    def _on_step_due(self) -> None:
        self._steps.pop(0)()
        if self._steps:
            self._step_timer.start()

    def _set_stylesheet(self) -> None:
        self._app.setStyleSheet(stylesheet(self.palette, self.body_pixels, self._text_percent))

    def _finish(self) -> None:
        living = []
        for entry in self._icons:
            button = entry[0]()
            if button is not None and shiboken6.isValid(button):
                button.setIcon(self.icon(entry[1], entry[2]))
                living.append(entry)
        self._icons = living
        frozen, self._frozen = self._frozen, []
        self.changed.emit()
        if self._has_other_size:
            self._has_other_size = False
            self.text_size_changed.emit()
        if frozen:
            lay_out_all(self._app)
        for window in frozen:
            if shiboken6.isValid(window):
                window.setUpdatesEnabled(True)
                # Qt drops a request to paint that comes meanwhile (a menu closes above, say), and
                # makes no other until that one is done: without this the window stays as it was.
                self._app.postEvent(window, QEvent(QEvent.Type.UpdateRequest))


def stylesheet(palette: Palette, body_pixels: int = _SMALLEST_BODY, text_percent: int = 100) -> str:
    """Returns `resources/style.qss` with its tokens filled in."""
    template = Template((RESOURCES / "style.qss").read_text(encoding="utf-8"))
    sizes = {
        "small": f"{max(12, body_pixels - 1)}px",
        "body": f"{body_pixels}px",
        "reading": f"{round((body_pixels + 1) * text_percent / 100)}px",
        "title": f"{round(body_pixels * 1.45)}px",
    }
    icons = (RESOURCES / "icons").as_posix()
    return template.substitute(asdict(palette), icons=icons, **sizes)


def contrast(one: str, other: str) -> float:
    """Returns the contrast ratio of two colours as WCAG 2 defines it, 1 to 21."""
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: str) -> float:
    def linear(value: float) -> float:
        return value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4

    parsed = QColor(colour)
    red, green, blue = map(linear, (parsed.redF(), parsed.greenF(), parsed.blueF()))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _qt_palette(palette: Palette) -> QPalette:
    """The colours of what the stylesheet does not name: dialogs, menus, spin boxes."""
    role = QPalette.ColorRole
    colours = {
        role.Window: palette.window,
        role.WindowText: palette.text,
        role.Base: palette.surface,
        role.AlternateBase: palette.window,
        role.Text: palette.text,
        role.PlaceholderText: palette.text_quiet,
        role.Button: palette.surface,
        role.ButtonText: palette.text,
        role.BrightText: palette.danger,
        role.ToolTipBase: palette.surface,
        role.ToolTipText: palette.text,
        role.Highlight: palette.accent,
        role.HighlightedText: palette.on_accent,
        role.Accent: palette.accent,
        role.Link: palette.accent,
        role.LinkVisited: palette.accent,
        role.Light: palette.raised,
        role.Midlight: palette.border,
        role.Mid: palette.border,
        role.Dark: palette.border_strong,
        role.Shadow: palette.border_strong,
    }
    result = QPalette()
    for name, colour in colours.items():
        result.setColor(name, QColor(colour))
    for name in (role.WindowText, role.Text, role.ButtonText):
        result.setColor(QPalette.ColorGroup.Disabled, name, QColor(palette.border_strong))
    return result


@lru_cache(maxsize=256)
def _tinted_icon(name: str, colour: str, disabled: str) -> QIcon:
    icon = QIcon()
    for mode, tint in ((QIcon.Mode.Normal, colour), (QIcon.Mode.Disabled, disabled)):
        drawing = _drawing(name, tint)
        for side in _ICON_SIDES:
            icon.addPixmap(_draw(drawing, side), mode)
    return icon


def _drawing(name: str, colour: str) -> QSvgRenderer:
    path = RESOURCES / "icons" / f"{name}.svg"
    return QSvgRenderer(QByteArray(path.read_bytes().replace(b"currentColor", colour.encode())))


def _draw(drawing: QSvgRenderer, side: int) -> QPixmap:
    pixmap = QPixmap(side, side)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    drawing.render(painter, QRectF(0, 0, side, side))
    painter.end()
    return pixmap
