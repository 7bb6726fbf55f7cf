"""What the list of captions paints, read back from a drawing that keeps text as text."""

import xml.etree.ElementTree as ET

import pytest
from PySide6.QtCore import QBuffer, QByteArray, QPoint, Qt
from PySide6.QtGui import QPainter, QRegion
from PySide6.QtSvg import QSvgGenerator
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QWidget

from core.batch import Doubt, Item, ItemState
from core.captions.wording import Replacement
from gui.batch.caption_list import BatchList
from gui.batch.rows import BatchModel, Column
from gui.widgets.preview import PreviewMaker
from gui.widgets.theme import Theme

EMOJI = "\U0001f600"


@pytest.fixture
def theme(qapp):
    return Theme(qapp, "light")


@pytest.fixture
def captions(qtbot, theme, tmp_path):
    """A visible list with one caption, as (list, model)."""
    previews = PreviewMaker()
    parent = QWidget()
    qtbot.addWidget(parent)
    model = BatchModel(previews, parent)
    view = BatchList(theme, model)
    qtbot.addWidget(view)
    view.resize(640, 200)
    view.show()

    def captions(text):
        model.set_items([Item(tmp_path / "1.png", ItemState.DONE, text)])
        return view, model

    yield captions
    previews.close()


def painted(view):
    """Colour and text of each piece of text in the rows, in the order painted."""
    data = QByteArray()
    buffer = QBuffer(data)
    buffer.open(QBuffer.OpenModeFlag.WriteOnly)
    drawing = QSvgGenerator()
    drawing.setOutputDevice(buffer)
    drawing.setSize(view.viewport().size())
    with QPainter(drawing) as painter:
        flags = QWidget.RenderFlag.DrawChildren
        view.viewport().render(painter, QPoint(), QRegion(), flags)
    root = ET.fromstring(bytes(data.data()))
    pieces = [
        (each.get("fill"), each.text or "")
        for each in root.iter("{http://www.w3.org/2000/svg}text")
    ]
    assert pieces
    return pieces


def caption_of(view):
    """The painted text behind the row's name and state."""
    texts = [text for _, text in painted(view)]
    return "".join(texts[texts.index("Done") + 1 :])


@pytest.mark.parametrize("mark", ["é", EMOJI])
def test_last_line_that_is_cut_goes_on_where_the_line_before_ended(captions, mark):
    words = [f"w{number}" for number in range(200)]
    text = " ".join([mark * 6, *words])
    view, _ = captions(text)
    shown = caption_of(view)
    assert shown.endswith("…")
    assert text.replace(" ", "").startswith(shown.rstrip("…").replace(" ", ""))


@pytest.mark.parametrize("mark", ["é", EMOJI])
def test_caption_with_a_last_line_too_much_ends_in_an_ellipsis(captions, mark):
    """Each line is as wide as the cell; the cut is found however the marks are counted."""
    view, _ = captions(mark * 4 + " a" * 400)
    whole = caption_of(view).rstrip("…")
    # One word more than fits.
    for extra in range(1, 8):
        view, _ = captions(whole + " a" * extra)
        shown = caption_of(view)
        is_all = shown.replace(" ", "") == (whole + " a" * extra).replace(" ", "")
        assert is_all or shown.endswith("…")


@pytest.mark.parametrize("mark", ["é", EMOJI])
def test_what_would_be_replaced_is_struck_out_to_the_letter(captions, theme, mark):
    view, model = captions(f"{mark * 3} a cat sits")
    model.show_replacement(Replacement("cat", "dog"))
    colours = {name: theme.colour(name).name() for name in ("danger", "accent")}
    pieces = painted(view)
    assert "".join(t for fill, t in pieces if fill == colours["danger"]).strip() == "cat"
    assert "".join(t for fill, t in pieces if fill == colours["accent"]).strip() == "dog"


@pytest.mark.parametrize("mark", ["é", EMOJI])
def test_what_would_be_replaced_is_struck_out_in_a_last_line_that_is_cut_too(captions, theme, mark):
    view, model = captions(f"{mark} " + "a cat sits " * 60)
    model.show_replacement(Replacement("cat", "dog"))
    danger, accent = (theme.colour(name).name() for name in ("danger", "accent"))
    pieces = painted(view)
    shown = caption_of(view)
    assert shown.endswith("…")
    # Each shown "cat" is struck out, and each shown "dog" is marked as new.
    whole = shown.rstrip("…")
    assert "".join(t for fill, t in pieces if fill == danger).count("cat") == whole.count("cat")
    assert "".join(t for fill, t in pieces if fill == accent).count("dog") == whole.count("dog")
    assert whole.count("cat") > 5


MODIFIERS = (
    Qt.KeyboardModifier.NoModifier,
    Qt.KeyboardModifier.ShiftModifier,
    Qt.KeyboardModifier.ControlModifier,
    Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier,
)


@pytest.mark.parametrize("modifier", MODIFIERS)
@pytest.mark.parametrize(
    ("key", "goes_to"),
    [
        (Qt.Key.Key_Home, lambda row: row == 0),
        (Qt.Key.Key_End, lambda row: row == 99),
        (Qt.Key.Key_PageUp, lambda row: row < 49),
        (Qt.Key.Key_PageDown, lambda row: row > 51),
        (Qt.Key.Key_Up, lambda row: row == 49),
        (Qt.Key.Key_Down, lambda row: row == 51),
    ],
)
def test_keys_of_a_list_move_its_current_row_with_whatever_modifier(
    captions, tmp_path, key, goes_to, modifier
):
    view, model = captions("")
    model.set_items([Item(tmp_path / f"{number}.png") for number in range(100)])
    view.setCurrentIndex(model.index(50, Column.PICTURE))
    QTest.keyClick(view, key, modifier)
    row = view.currentIndex().row()
    assert goes_to(row)
    assert [index.row() for index in view.selectionModel().selectedRows()] == [row]
    assert view.visualRect(view.currentIndex()).intersects(view.viewport().rect())


@pytest.mark.parametrize("pixels", [12, 18, 24])
@pytest.mark.parametrize("width", [600, 760, 1300])
def test_neither_headers_nor_states_are_cut_in_their_columns(captions, tmp_path, pixels, width):
    view, model = captions("A caption")
    font = view.font()
    font.setPixelSize(pixels)
    view.setFont(font)
    view.horizontalHeader().setFont(font)
    view.resize(width, 300)
    item = model.items[0]
    model.show_doubts([Doubt(0, item.caption, "caption", 0.5, 1, "model")])
    view.resize(width + 1, 300)
    header = view.horizontalHeader()
    metrics = view.fontMetrics()
    for column in Column:
        assert header.sectionSize(column) >= header.sectionSizeHint(column)
    for text in model.state_texts():
        assert metrics.horizontalAdvance(text) < header.sectionSize(Column.STATE)
