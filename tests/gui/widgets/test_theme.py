import re
from itertools import product
from pathlib import Path

import pytest
from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QPalette
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QDialog, QPushButton, QWidget

from core.resources import RESOURCES
from gui.widgets.foreign_markdown import ForeignMarkdown
from gui.widgets.labels import LinkLabel
from gui.widgets.theme import DARK, LIGHT, Palette, Theme, contrast, stylesheet

# Which text stands on which ground, as the docstrings of Palette and style.qss have it.
TEXT_ON = {
    "text": ("window", "surface", "canvas", "raised", "accent_soft", "border"),
    "text_quiet": ("window", "surface", "canvas", "raised"),
    "accent": ("window", "surface", "canvas", "accent_soft"),
    "on_accent": ("accent", "accent_hover", "accent_pressed"),
    "danger": ("window", "surface", "canvas", "danger_soft"),
    "doubt": ("window", "surface"),
}
EDGES_ON = {
    "border_strong": ("window", "surface", "canvas"),
    "accent": ("window", "surface", "canvas"),
}


@pytest.fixture
def theme(qapp):
    theme = Theme(qapp, "light")
    yield theme
    theme.deleteLater()


def pairs(table):
    return [(one, ground) for one, grounds in table.items() for ground in grounds]


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize(("text", "ground"), pairs(TEXT_ON))
def test_text_can_be_read_on_its_grounds(palette: Palette, text, ground):
    assert contrast(getattr(palette, text), getattr(palette, ground)) >= 4.5


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize(("edge", "ground"), pairs(EDGES_ON))
def test_controls_can_be_distinguished_from_their_backgrounds(palette: Palette, edge, ground):
    assert contrast(getattr(palette, edge), getattr(palette, ground)) >= 3


def test_contrast_is_that_of_the_standard():
    assert contrast("#ffffff", "#000000") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


def test_stylesheet_holds_no_colour_of_its_own():
    text = (RESOURCES / "style.qss").read_text(encoding="utf-8")
    assert not re.findall(r"#[0-9a-f]{3,8}\s*[;}]|rgba?\(", text)
    assert "$" not in stylesheet(LIGHT)


def test_choosing_dark_changes_every_widget_and_its_icons(theme, qapp, qtbot):
    button = QPushButton()
    qtbot.addWidget(button)
    theme.set_icon(button, "copy", "text")
    light = button.icon().pixmap(24, 24).toImage()
    with qtbot.waitSignal(theme.changed):
        theme.choose("dark")
    assert theme.is_dark
    assert button.icon().pixmap(24, 24).toImage() != light
    assert qapp.palette().color(QPalette.ColorRole.Window).name() == DARK.window


@pytest.mark.parametrize(
    "make",
    [
        lambda: LinkLabel('<a href="https://example.org" style="font-size: 40pt">WWW</a>'),
        lambda: ForeignMarkdown("# [WWWWWWWW](https://example.org)"),
    ],
    ids=["label", "Markdown"],
)
def test_link_is_painted_in_the_theme_that_is_chosen(theme, qtbot, make):
    label = make()
    qtbot.addWidget(label)
    for mode, palette in (("dark", DARK), ("light", LIGHT)):
        theme.choose(mode)
        image = label.grab().toImage()
        painted = {
            image.pixelColor(x, y).name()
            for x, y in product(range(image.width()), range(image.height()))
        }
        assert palette.accent in painted


def test_no_window_is_painted_half_dressed(theme, qapp, qtbot):
    button = _Painted()
    qtbot.addWidget(button)
    button.show()
    qtbot.waitUntil(lambda: bool(button.sheets))
    button.sheets.clear()
    with qtbot.waitSignal(theme.changed):
        theme.choose("dark")
        theme.choose("light")
        theme.choose("dark")
        button.update()
    qtbot.waitUntil(lambda: bool(button.sheets))
    assert set(button.sheets) == {stylesheet(DARK, theme.body_pixels)}
    assert not theme.is_restyling


class _Painted(QPushButton):
    """Notes what it wore whenever it was painted."""

    def __init__(self):
        super().__init__()
        self.sheets = []

    def paintEvent(self, event):
        program = QApplication.instance()
        assert isinstance(program, QApplication)
        self.sheets.append(program.styleSheet())
        super().paintEvent(event)


def test_following_the_system_takes_its_change_at_once(theme, qapp, qtbot):
    theme.choose("system")
    with qtbot.waitSignal(theme.changed):
        qapp.styleHints().colorSchemeChanged.emit(Qt.ColorScheme.Dark)


def test_a_chosen_mode_does_not_follow_the_system(theme, qapp, qtbot):
    with qtbot.assertNotEmitted(theme.changed):
        qapp.styleHints().colorSchemeChanged.emit(Qt.ColorScheme.Dark)


def test_body_text_is_not_tiny(theme, qapp):
    assert qapp.font().pixelSize() >= 14


@pytest.mark.parametrize("ratio", [1, 2, 3])
def test_icons_are_drawn_for_the_screens_own_pixels(theme, ratio):
    pixmap = theme.icon("copy").pixmap(theme.pixmap("copy", 16, 1).size(), float(ratio))
    assert pixmap.width() == 16 * ratio


def test_a_mode_that_does_not_exist_is_refused(theme):
    with pytest.raises(ValueError, match="No such mode"):
        theme.choose("purple")


class _Counted(QWidget):
    """Counts how often it was painted."""

    count = 0

    def paintEvent(self, event):
        self.count += 1


def test_a_window_is_painted_anew_though_it_was_to_be_painted_during_the_switch(qapp, qtbot):
    """As when the theme is chosen in a menu, which closes above the window meanwhile."""
    theme = Theme(qapp, "light")
    window = _Counted()
    qtbot.addWidget(window)
    window.show()
    qtbot.waitUntil(lambda: window.count > 0)
    QTest.qWait(50)
    window.update()
    theme.choose("dark")
    QApplication.sendEvent(window.windowHandle(), QEvent(QEvent.Type.UpdateRequest))
    with qtbot.waitSignal(theme.changed):
        pass
    window.count = 0
    qtbot.waitUntil(lambda: window.count > 0)


def test_button_for_enter_looks_disabled_where_it_is(qtbot, theme):
    dialog = QDialog()
    qtbot.addWidget(dialog)
    button = QPushButton("Import", dialog)
    button.setDefault(True)
    dialog.show()
    grounds = []
    for is_enabled in (True, False):
        button.setEnabled(is_enabled)
        image = button.grab().toImage()
        grounds.append(image.pixelColor(image.width() // 2, 5))
    assert grounds[0] == theme.colour("accent")
    assert grounds[1] == theme.colour("raised")


def test_fields_for_numbers_are_made_where_their_text_stands_off_the_border():
    gui = Path(__file__).parents[3] / "gui"
    made = re.compile(r"= Q(Double)?SpinBox\(")
    users = [path.name for path in gui.rglob("*.py") if made.search(path.read_text("utf-8"))]
    assert not users
