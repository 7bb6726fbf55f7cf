import pytest
from PIL import Image
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QColor
from PySide6.QtTest import QTest

from core.picture import ImagePreprocessing, Picture, Sending
from core.picture.pixel_values import CLIP_MEAN, CLIP_STD, PAD_COLOUR
from gui.picture.drop_zone import DropZone
from gui.picture.model_view_switch import no_model_text, own_way_text
from gui.widgets.theme import Theme

EYE = ImagePreprocessing(56, 14, CLIP_MEAN, CLIP_STD)


def picture(colour: str, size: tuple[int, int] = (400, 200)) -> Picture:
    return Picture(None, Image.new("RGB", size, colour), original_size=size, given_name=colour)


@pytest.fixture
def zone(qapp, qtbot):
    zone = DropZone(Theme(qapp))
    qtbot.addWidget(zone)
    zone.resize(600, 600)
    zone.show()
    zone.model_view_switch.set_preprocessing(EYE)
    yield zone
    zone.previews.close()


@pytest.fixture
def show(zone, qtbot):
    def show(shown: Picture) -> None:
        with qtbot.waitSignal(zone.picture_view.shown):
            zone.show_picture(shown)

    return show


def colour_at(zone: DropZone, across: float, down: float) -> QColor:
    view = zone.picture_view
    image = view.grab().toImage()
    place = QPoint(round(across * (image.width() - 1)), round(down * (image.height() - 1)))
    return image.pixelColor(place)


def test_the_switch_shows_the_square_that_the_model_was_given(zone, show, qtbot):
    show(picture("red"))
    canvas = colour_at(zone, 0.5, 0.03)
    QTest.mouseClick(zone.model_view_switch.show_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: colour_at(zone, 0.5, 0.03) == QColor(*PAD_COLOUR))
    assert canvas != QColor(*PAD_COLOUR)
    assert colour_at(zone, 0.5, 0.5) == QColor("red")
    assert "56 × 56" in zone.name_and_facts.facts_label.text()
    QTest.mouseClick(zone.model_view_switch.show_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: colour_at(zone, 0.5, 0.03) == canvas)
    assert zone.name_and_facts.facts_label.text() == "400 × 200"


def test_what_was_lost_is_one_press_from_what_was_given(zone, show, qtbot):
    show(picture("white"))
    zone.model_view_switch.toggle_lost()
    assert zone.model_view_switch.is_on
    qtbot.waitUntil(lambda: colour_at(zone, 0.5, 0.5).lightness() < 80)
    zone.model_view_switch.toggle_lost()
    qtbot.waitUntil(lambda: colour_at(zone, 0.5, 0.5) == QColor("white"))
    assert zone.model_view_switch.is_on


def test_the_switch_stays_on_for_the_next_picture(zone, show, qtbot):
    show(picture("red"))
    zone.model_view_switch.toggle()
    show(picture("blue"))
    qtbot.waitUntil(lambda: colour_at(zone, 0.5, 0.03) == QColor(*PAD_COLOUR))
    assert colour_at(zone, 0.5, 0.5) == QColor("blue")


def test_lost_detail_of_one_picture_is_not_shown_for_the_next(zone, show, qtbot):
    show(picture("red"))
    zone.model_view_switch.toggle_lost()
    show(picture("blue"))
    assert zone.model_view_switch.given_button.isChecked()
    qtbot.waitUntil(lambda: colour_at(zone, 0.5, 0.03) == QColor(*PAD_COLOUR))
    assert colour_at(zone, 0.5, 0.5) == QColor("blue")


def facts(zone: DropZone) -> str:
    return zone.name_and_facts.facts_label.text()


@pytest.mark.parametrize("is_png", [False, True])
def test_the_switch_shows_what_a_server_is_sent_and_how_large_that_is(zone, show, qtbot, is_png):
    zone.resize(900, 600)
    show(picture("red"))
    canvas = colour_at(zone, 0.5, 0.03)
    switch, kind = zone.model_view_switch, "PNG" if is_png else "JPEG"
    switch.set_preprocessing(Sending(100, is_png))
    switch.toggle()
    qtbot.waitUntil(lambda: f"100 × 50 {kind}" in facts(zone))
    assert " kB, each pixel covers 4.0 × 4.0" in facts(zone)
    assert switch.given_button.text() == "What the server is sent"
    # It has the picture's own shape, without padding.
    assert colour_at(zone, 0.5, 0.03) == canvas
    switch.toggle_lost()
    qtbot.waitUntil(lambda: colour_at(zone, 0.5, 0.5).lightness() < 80)
    # The server refused that, and was sent less.
    switch.set_preprocessing(Sending(50, is_png))
    qtbot.waitUntil(lambda: f"50 × 25 {kind}" in facts(zone))
    # Of a part that is asked about, only that is sent.
    switch.show_part((200, 0, 400, 200))
    qtbot.waitUntil(lambda: f"50 × 50 {kind}" in facts(zone))
    # A small one is sent as it is.
    show(picture("blue", (40, 20)))
    qtbot.waitUntil(lambda: f"40 × 20 {kind}" in facts(zone))
    assert facts(zone).endswith("sent in full size")
    # Another model sees pixels of its own.
    switch.set_preprocessing(EYE)
    qtbot.waitUntil(lambda: "56 × 56" in facts(zone))
    assert switch.given_button.text() == "What the model sees"


@pytest.mark.parametrize("reason", [no_model_text(), own_way_text()])
def test_without_preprocessing_the_switch_is_grey_and_says_why(zone, show, qtbot, reason):
    show(picture("red"))
    zone.model_view_switch.toggle()
    zone.model_view_switch.set_preprocessing(None, reason)
    assert not zone.model_view_switch.show_button.isEnabled()
    assert zone.model_view_switch.show_button.toolTip() == reason
    qtbot.waitUntil(lambda: colour_at(zone, 0.5, 0.03) != QColor(*PAD_COLOUR))


def test_zoomed_in_the_padding_can_be_moved_into_sight(zone, show, qtbot):
    show(picture("red"))
    zone.model_view_switch.toggle()
    view = zone.picture_view
    for _ in range(3):
        view.zoom_in()
    at, down = view.rect().center(), QPoint(0, 4000)
    QTest.mousePress(view, Qt.MouseButton.LeftButton, pos=at)
    QTest.mouseMove(view, at + down)
    QTest.mouseRelease(view, Qt.MouseButton.LeftButton, pos=at + down)
    qtbot.waitUntil(lambda: colour_at(zone, 0.5, 0.03) == QColor(*PAD_COLOUR))


def test_a_small_picture_is_said_to_lose_nothing(zone, show):
    show(picture("red", (28, 28)))
    zone.model_view_switch.toggle()
    shown = zone.name_and_facts
    assert shown.facts_label.text() in ("56 × 56, enlarged 2.0 times", "56 × 56")
    assert shown.toolTip() == "56 × 56, enlarged 2.0 times, no detail lost"
    zone.resize(1200, zone.height())
    assert shown.facts_label.text() == "56 × 56, enlarged 2.0 times, no detail lost"
    assert shown.toolTip() == ""


def test_facts_are_never_cut_where_a_shorter_form_fits(zone, show, qtbot):
    show(picture("red"))
    zone.model_view_switch.toggle()
    shown = zone.name_and_facts
    texts = set()
    for width in range(1200, 420, -20):
        zone.resize(width, zone.height())
        texts.add(shown.facts_label.text())
        needed = shown.facts_label.fontMetrics().horizontalAdvance(shown.facts_label.text())
        assert needed <= shown.facts_label.width() or not shown.facts_label.isVisible()
    assert len(texts) == 3
