import pytest
from PIL import Image
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from gui.picture.picture_view import PictureView
from gui.widgets.preview import PreviewMaker


@pytest.fixture
def view(qtbot):
    previews = PreviewMaker()
    view = PictureView(previews)
    qtbot.addWidget(view)
    view.resize(400, 400)
    view.show()
    yield view
    previews.close()


@pytest.fixture
def show(view, qtbot):
    def show(size, colour="red"):
        with qtbot.waitSignal(view.shown):
            view.show_pixels(Image.new("RGB", size, colour))

    return show


def wheel(view, at, steps):
    event = QWheelEvent(
        QPointF(at),
        QPointF(view.mapToGlobal(at)),
        QPoint(),
        QPoint(0, round(120 * steps)),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(view, event)


def test_a_large_picture_is_fitted_whole_and_in_the_middle(view, show):
    show((1600, 800))
    rect = view.picture_rect()
    assert (rect.width(), rect.height()) == (400, 200)
    assert rect.center() == QPointF(200, 200)


def test_a_small_picture_is_enlarged_no_further_than_is_good(view, show):
    show((100, 80))
    assert view.scale == 2
    show((10, 10))
    assert view.scale == 8
    show((1, 1))
    assert view.scale == 8


def test_a_tiny_picture_keeps_its_hard_edges(view, qtbot):
    pixels = Image.new("RGB", (4, 4), "white")
    pixels.paste("black", (0, 0, 2, 4))
    with qtbot.waitSignal(view.shown):
        view.show_pixels(pixels)
    image = view.grab().toImage()
    rect = view.picture_rect().toRect()
    colours = {image.pixelColor(x, 200).name() for x in range(rect.left(), rect.right())}
    assert colours == {"#000000", "#ffffff"}


def test_what_is_painted_is_the_picture_itself(view, qtbot):
    pixels = Image.effect_noise((400, 300), 80).convert("RGB")
    with qtbot.waitSignal(view.shown):
        view.show_pixels(pixels)
    image = view.grab().toImage()
    rect = view.picture_rect().toRect()
    for x, y in ((0, 0), (17, 250), (399, 299)):
        painted = image.pixelColor(rect.left() + x, rect.top() + y).getRgb()[:3]
        assert painted == pixels.getpixel((x, y))


def test_the_wheel_zooms_where_the_pointer_is(view, show):
    show((4000, 4000))
    at = QPoint(100, 300)
    before = (QPointF(at) - view.picture_rect().topLeft()) / view.scale
    wheel(view, at, 6)
    after = (QPointF(at) - view.picture_rect().topLeft()) / view.scale
    assert not view.is_fitted
    assert (after - before).manhattanLength() < 1


def test_zooming_out_ends_at_the_whole_picture(view, show):
    show((4000, 3000))
    wheel(view, QPoint(200, 200), 3)
    wheel(view, QPoint(200, 200), -20)
    assert view.is_fitted


def test_zooming_in_has_an_end(view, show):
    show((4000, 3000))
    wheel(view, QPoint(200, 200), 100)
    assert view.scale <= 16


def test_zoomed_in_the_pictures_own_pixels_are_painted(view, qtbot):
    pixels = Image.new("RGB", (2000, 2000), "white")
    pixels.paste("black", (1000, 0, 2000, 2000))
    with qtbot.waitSignal(view.shown):
        view.show_pixels(pixels)
    view.show_actual_size()
    qtbot.waitUntil(lambda: len(view._levels) > 0)
    image = view.grab().toImage()
    assert image.pixelColor(199, 200).name() == "#ffffff"
    assert image.pixelColor(200, 200).name() == "#000000"


def test_dragging_moves_a_zoomed_picture_but_not_out_of_sight(view, show):
    show((4000, 4000))
    wheel(view, QPoint(200, 200), 8)
    before = view.picture_rect().topLeft()
    QTest.mousePress(view, Qt.MouseButton.LeftButton, pos=QPoint(200, 200))
    QTest.mouseMove(view, QPoint(230, 190))
    assert view.picture_rect().topLeft() == before + QPointF(30, -10)
    QTest.mouseMove(view, QPoint(90000, 200))
    QTest.mouseRelease(view, Qt.MouseButton.LeftButton)
    assert view.picture_rect().left() == pytest.approx(0)


def test_a_fitted_picture_is_not_dragged(view, show):
    show((800, 800))
    before = view.picture_rect()
    QTest.mousePress(view, Qt.MouseButton.LeftButton, pos=QPoint(200, 200))
    QTest.mouseMove(view, QPoint(250, 250))
    QTest.mouseRelease(view, Qt.MouseButton.LeftButton)
    assert view.picture_rect() == before


@pytest.mark.parametrize("way", ["key", "double click"])
def test_zero_and_double_click_show_the_whole_picture_again(view, show, way):
    show((4000, 3000))
    wheel(view, QPoint(10, 10), 5)
    if way == "key":
        QTest.keyClick(view, Qt.Key.Key_0)
    else:
        QTest.mouseDClick(view, Qt.MouseButton.LeftButton)
    assert view.is_fitted


def test_plus_and_minus_zoom(view, show):
    show((4000, 3000))
    fitted = view.scale
    QTest.keyClick(view, Qt.Key.Key_Plus)
    assert view.scale == pytest.approx(fitted * 1.25)
    QTest.keyClick(view, Qt.Key.Key_Minus)
    assert view.is_fitted


def test_the_picture_follows_the_size_of_the_view(view, show, qtbot):
    show((800, 800))
    view.resize(200, 300)
    assert view.picture_rect().width() == 200
    qtbot.waitUntil(lambda: view._fitted.width() == 200)


def test_the_latest_picture_wins(view, qtbot):
    for colour in ("red", "green", "blue"):
        view.show_pixels(Image.new("RGB", (500, 500), colour))
    blue = "#0000ff"
    qtbot.waitUntil(lambda: view.grab().toImage().pixelColor(200, 200).name() == blue)


def test_until_the_next_is_ready_the_one_before_stays(view, show):
    show((500, 500), "red")
    view.show_pixels(Image.new("RGB", (500, 500), "blue"))
    assert view.grab().toImage().pixelColor(200, 200).name() == "#ff0000"


def test_a_new_picture_is_shown_whole(view, show):
    show((4000, 3000))
    wheel(view, QPoint(10, 10), 5)
    show((3000, 4000))
    assert view.is_fitted


@pytest.mark.parametrize("size", [(1, 1), (1, 5000), (5000, 1), (3, 2)])
def test_odd_shapes_are_shown(view, show, size):
    show(size)
    assert not view.picture_rect().isEmpty()
    view.zoom_in()
    view.grab()


def test_leaving_and_entering_do_not_disturb(view):
    QApplication.sendEvent(view, QEvent(QEvent.Type.Leave))
    QTest.keyClick(view, Qt.Key.Key_Plus)
    wheel(view, QPoint(5, 5), 1)
    assert not view.has_picture
