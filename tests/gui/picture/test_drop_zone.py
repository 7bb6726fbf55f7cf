import base64
import io
import threading
from pathlib import Path

import pytest
from PIL import Image
from PySide6.QtCore import QEvent, QMimeData, QObject, QPointF, Qt, QUrl, Slot
from PySide6.QtGui import (
    QDragEnterEvent,
    QDragLeaveEvent,
    QDragMoveEvent,
    QDropEvent,
    QGuiApplication,
    QImage,
)
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QToolButton

from core.picture import Picture
from gui.picture.drop_zone import DropZone
from gui.widgets.theme import Theme


@pytest.fixture
def zone(qapp, qtbot):
    zone = DropZone(Theme(qapp, "light"))
    qtbot.addWidget(zone)
    zone.resize(500, 500)
    zone.show_empty([])
    zone.show()
    return zone


@pytest.fixture
def files(tmp_path) -> list[Path]:
    paths = []
    for number, colour in enumerate(("red", "green", "blue", "white")):
        path = tmp_path / f"{number}.png"
        Image.new("RGB", (30, 20), colour).save(path)
        paths.append(path)
    return paths


def picture(size=(300, 200), notes=(), name="a.png"):
    return Picture(Path(name), Image.new("RGB", size, "red"), notes, size)


def encoded(image_format="PNG"):
    file = io.BytesIO()
    Image.new("RGB", (8, 6), "navy").save(file, image_format)
    return file.getvalue()


def of_urls(*urls):
    mime = QMimeData()
    mime.setUrls([QUrl(url) for url in urls])
    return mime


def of_files(paths):
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    return mime


def drag_over(zone, mime):
    event = QDragEnterEvent(
        zone.rect().center(),
        Qt.DropAction.CopyAction | Qt.DropAction.MoveAction,
        mime,
        Qt.MouseButton.LeftButton,
        Qt.KeyboardModifier.NoModifier,
    )
    event.setAccepted(False)
    QApplication.sendEvent(zone, event)
    return event.isAccepted()


def drop(zone, mime):
    drag_over(zone, mime)
    event = QDropEvent(
        QPointF(zone.rect().center()),
        Qt.DropAction.CopyAction | Qt.DropAction.MoveAction,
        mime,
        Qt.MouseButton.LeftButton,
        Qt.KeyboardModifier.NoModifier,
        QEvent.Type.Drop,
    )
    QApplication.sendEvent(zone, event)
    return event


def heard(signal):
    said = []
    signal.connect(lambda *arguments: said.append(arguments))
    return said


def test_dropped_files_are_reported_in_their_order(zone, files):
    paths = heard(zone.paths_dropped)
    drop(zone, of_files(files))
    assert paths == [(files,)]


def test_a_dropped_folder_is_reported_as_it_is(zone, tmp_path):
    paths = heard(zone.paths_dropped)
    drop(zone, of_files([tmp_path]))
    assert paths == [([tmp_path],)]


def test_a_drop_never_moves_the_original(zone, files):
    event = drop(zone, of_files(files))
    assert event.isAccepted()
    assert event.dropAction() == Qt.DropAction.CopyAction


@pytest.mark.parametrize("kind", [QDragEnterEvent, QDragMoveEvent])
def test_nothing_else_than_a_copy_is_agreed_to_while_it_is_dragged(zone, files, kind):
    """On X11 the other program goes by what was said last before the drop."""
    mime = of_files(files)
    event = kind(
        zone.rect().center(),
        Qt.DropAction.CopyAction | Qt.DropAction.MoveAction,
        mime,
        Qt.MouseButton.LeftButton,
        Qt.KeyboardModifier.ShiftModifier,
    )
    event.setDropAction(Qt.DropAction.MoveAction)
    take = {QDragEnterEvent: zone.dragEnterEvent, QDragMoveEvent: zone.dragMoveEvent}
    take[kind](event)
    assert event.isAccepted()
    assert event.dropAction() == Qt.DropAction.CopyAction


def test_while_dragging_it_shows_where_to_let_go(zone, files):
    assert not zone.drag_overlay.isVisible()
    assert drag_over(zone, of_files(files))
    assert zone.drag_overlay.isVisible()
    assert zone.drag_overlay.geometry() == zone.rect()
    assert "4 files" in zone.drag_overlay.text
    QApplication.sendEvent(zone, QDragLeaveEvent())
    assert not zone.drag_overlay.isVisible()


def test_the_invitation_goes_with_the_drop(zone, files):
    drop(zone, of_files(files[:1]))
    assert not zone.drag_overlay.isVisible()


def test_dragged_text_is_not_invited(zone):
    mime = QMimeData()
    mime.setText("just words")
    assert not drag_over(zone, mime)
    assert not zone.drag_overlay.isVisible()


@pytest.mark.parametrize("image_format", ["PNG", "JPEG", "WEBP"])
def test_an_image_from_a_browser_is_passed_on_byte_by_byte(zone, image_format):
    data = heard(zone.image_data_dropped)
    mime = of_urls("https://pictures.invalid/animals/a%20cat.png?size=2")
    mime.setData(f"image/{image_format.lower()}", encoded(image_format))
    drop(zone, mime)
    assert data == [(encoded(image_format), "a cat.png")]


def test_image_data_without_a_file_is_encoded_off_the_windows_thread(zone, qtbot):
    mime = QMimeData()
    image = QImage(12, 8, QImage.Format.Format_ARGB32)
    image.fill(Qt.GlobalColor.green)
    mime.setImageData(image)
    mime.setUrls([QUrl("https://pictures.invalid/")])
    with qtbot.waitSignal(zone.image_data_dropped) as signal:
        drop(zone, mime)
    data, name = signal.args
    assert name == ""
    shown = Image.open(io.BytesIO(data)).convert("RGB")
    assert shown.size == (12, 8)
    assert shown.getpixel((3, 3)) == (0, 255, 0)


def test_a_picture_within_its_address_is_taken(zone):
    data = heard(zone.image_data_dropped)
    text = base64.b64encode(encoded()).decode()
    drop(zone, of_urls(f"data:image/png;base64,{text}"))
    assert data == [(encoded(), "")]


def test_a_link_alone_is_refused_with_what_to_do(zone):
    refused, paths, data = map(heard, (zone.refused, zone.paths_dropped, zone.image_data_dropped))
    drop(zone, of_urls("https://pictures.invalid/cat.png"))
    assert "Save the image" in refused[0][0]
    assert paths == data == []


def test_pasted_files_are_reported(zone, files):
    paths = heard(zone.paths_dropped)
    QGuiApplication.clipboard().setMimeData(of_files(files))
    zone.paste()
    assert paths == [(files,)]


def test_a_pasted_image_is_reported(zone, qtbot):
    QGuiApplication.clipboard().setImage(QImage(5, 4, QImage.Format.Format_RGB32))
    with qtbot.waitSignal(zone.image_data_dropped):
        zone.paste()


def test_pasting_words_says_that_there_is_no_picture(zone):
    refused = heard(zone.refused)
    QGuiApplication.clipboard().setText("words")
    zone.paste()
    assert "clipboard has no image" in refused[0][0]


def test_pasting_from_an_empty_clipboard_says_that_there_is_no_picture(zone):
    refused = heard(zone.refused)
    QGuiApplication.clipboard().clear()
    zone.paste()
    assert "clipboard has no image" in refused[0][0]


def test_button_and_double_click_ask_for_the_dialog(zone):
    requests = heard(zone.open_requested)
    QTest.mouseClick(zone.empty_page.open_button, Qt.MouseButton.LeftButton)
    QTest.mouseDClick(zone.empty_page, Qt.MouseButton.LeftButton)
    assert len(requests) == 2


def test_samples_are_offered_as_thumbnails_and_opened_like_files(zone, files, qtbot):
    zone.show_empty(files)
    buttons = zone.empty_page.samples.findChildren(QToolButton)
    assert len(buttons) == 4
    qtbot.waitUntil(lambda: not any(button.icon().isNull() for button in buttons))
    assert all(button.accessibleName() for button in buttons)
    paths = heard(zone.paths_dropped)
    QTest.mouseClick(buttons[2], Qt.MouseButton.LeftButton)
    assert paths == [([files[2]],)]


def test_a_picture_is_shown_with_name_size_and_notes(zone, qtbot):
    shown = heard(zone.picture_shown)
    zone.show_picture(picture((300, 200), ("First of 12 frames.",), "trip.gif"))
    qtbot.waitUntil(lambda: zone.picture_view.has_picture)
    assert shown == [(True,)]
    assert zone.name_and_facts.name_label.text() == "trip.gif"
    assert zone.name_and_facts.facts_label.text() == "300 × 200  ·  First of 12 frames"
    centre = zone.picture_view.mapTo(zone, zone.picture_view.rect().center())
    assert zone.grab().toImage().pixelColor(centre).name() == "#ff0000"


def shown_text(label) -> str:
    """What of a label is painted, elided or not."""
    inside = label.contentsRect().width()
    return label.fontMetrics().elidedText(label.text(), Qt.TextElideMode.ElideMiddle, inside)


@pytest.mark.parametrize("width", [320, 420, 600, 900])
@pytest.mark.parametrize("name", ["trip.gif", "a_holiday_in_the_south_of_france_2019.jpeg"])
def test_the_name_is_shortened_after_all_else_and_keeps_its_ending(zone, qtbot, name, width):
    zone.resize(width, 400)
    zone.show_picture(picture((300, 200), ("First of 12 frames.",), name))
    qtbot.waitUntil(lambda: zone.picture_view.has_picture)
    label, facts = zone.name_and_facts.name_label, zone.name_and_facts.facts_label
    if shown_text(label) != name:
        assert shown_text(label).endswith(name[-4:])
        assert not facts.isVisible()
        assert "300 × 200" in zone.name_and_facts.toolTip()
    if width == 900:
        assert shown_text(label) == name
        assert shown_text(facts) == "300 × 200  ·  First of 12 frames"


def test_an_error_is_shown_in_its_place_with_a_way_on(zone, qtbot):
    zone.show_picture(picture())
    qtbot.waitUntil(lambda: zone.picture_view.has_picture)
    shown = heard(zone.picture_shown)
    zone.show_error("“x.jpg” is empty. Choose another picture.")
    assert zone.error_page.isVisible()
    assert "is empty" in zone.error_page.text_label.text()
    assert not zone.caption.isVisible()
    assert shown == [(False,)]
    with qtbot.waitSignal(zone.open_requested):
        QTest.mouseClick(zone.error_page.open_button, Qt.MouseButton.LeftButton)


def test_a_name_as_long_as_it_likes_does_not_widen_the_zone(zone, qtbot):
    before = zone.minimumSizeHint().width()
    zone.show_picture(picture(name="x" * 250 + ".png"))
    zone.show_error(f"“{'y' * 250}.png” is cut short.")
    assert zone.minimumSizeHint().width() <= max(before, 312)


def test_one_picture_has_no_strip_and_several_have(zone, files):
    zone.show_pictures_at_hand(files[:1], 0)
    assert not zone.picture_strip.isVisible()
    zone.show_pictures_at_hand(files, 1)
    assert zone.picture_strip.isVisible()
    assert zone.picture_strip.current == 1


def test_the_strip_is_walked_by_click_and_by_key(zone, files):
    chosen = heard(zone.picture_chosen)
    zone.show_pictures_at_hand(files, 1)
    strip = zone.picture_strip
    third = strip.visualRect(strip.model().index(2, 0)).center()
    QTest.mouseClick(strip.viewport(), Qt.MouseButton.LeftButton, pos=third)
    zone.show_pictures_at_hand(files, 2)
    for key in (Qt.Key.Key_Left, Qt.Key.Key_Right, Qt.Key.Key_Home, Qt.Key.Key_End):
        QTest.keyClick(strip, key)
    assert chosen == [(2,), (1,), (3,), (0,), (3,)]


def test_the_strip_ends_at_its_ends(zone, files):
    chosen = heard(zone.picture_chosen)
    zone.show_pictures_at_hand(files, 3)
    QTest.keyClick(zone.picture_strip, Qt.Key.Key_Right)
    assert chosen == []


def test_only_thumbnails_in_sight_are_made(zone, files, qtbot):
    many = [*files, *(files[0].with_name(f"missing{n}.png") for n in range(5000))]
    asked = set()
    zone.previews.made.connect(lambda key, image: asked.add(key))
    zone.show_pictures_at_hand(many, 0)
    zone.grab()
    qtbot.waitUntil(lambda: len(asked) >= 4)
    qtbot.waitUntil(lambda: ("strip", files[3]) in asked)
    assert len(asked) < 50


def test_a_large_picture_is_prepared_off_the_windows_thread(zone, qtbot):
    threads = set()
    original = Image.Image.resize

    def resize(self, *arguments, **options):
        threads.add(threading.current_thread() is threading.main_thread())
        return original(self, *arguments, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Image.Image, "resize", resize)
        zone.show_picture(picture((4000, 3000)))
        qtbot.waitUntil(lambda: zone.picture_view.has_picture)
    assert threads == {False}


def test_the_picture_before_a_broken_one_can_be_returned_to(zone, qtbot):
    zone.show_error("“b.png” is empty.")
    assert not zone.error_page.back_button.isVisible()
    one = picture(name="one.png")
    zone.show_picture(one)
    zone.show_error("“b.png” is empty.")
    with qtbot.waitSignal(zone.returned, check_params_cb=lambda picture: picture is one):
        QTest.mouseClick(zone.error_page.back_button, Qt.MouseButton.LeftButton)
    zone.show_empty()
    zone.show_error("“b.png” is empty.")
    assert not zone.error_page.back_button.isVisible()


def test_very_many_pictures_are_laid_out_bit_by_bit_and_can_be_walked_to_the_end(
    zone, files, qtbot
):
    many = [*files, *(files[0].with_name(f"missing{n}.png") for n in range(5000))]
    zone.show_pictures_at_hand(many, 0)
    strip = zone.picture_strip
    last = strip.model().index(len(many) - 1, 0)
    qtbot.waitUntil(lambda: strip.visualRect(last).isValid())
    zone.show_pictures_at_hand(many, len(many) - 1)
    assert strip.viewport().rect().intersects(strip.visualRect(last))


class PaintCounter(QObject):
    """Counts how often a widget is painted."""

    def __init__(self, widget):
        super().__init__(widget)
        self.count = 0
        self.when_made = []
        widget.installEventFilter(self)

    def eventFilter(self, watched, event):
        self.count += event.type() == QEvent.Type.Paint
        return False

    @Slot(object, object)
    def on_made(self, key, image):
        """A lambda would be called in the thread that makes the thumbnails, at any time."""
        self.when_made.append(self.count)


def test_a_thumbnail_is_painted_once_it_is_made(zone, files, qtbot):
    painted = PaintCounter(zone.picture_strip.viewport())
    zone.previews.made.connect(painted.on_made)
    zone.show_pictures_at_hand(files, 0)
    qtbot.waitUntil(lambda: len(painted.when_made) == len(files))
    qtbot.waitUntil(lambda: painted.count > painted.when_made[-1])
