import threading

import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QGuiApplication, QMouseEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLabel, QWidget

from core.open_engine import open_engine
from core.picture import Picture
from core.trace import as_json
from core.transcript import ModelChoice, Request, Sampling, Turn
from gui.inspector.panel import Inspector
from gui.widgets.preview import PreviewMaker
from gui.widgets.theme import Theme
from tests.support.tiny_llava import TINY
from tests.support.translation import untranslated

PROMPT = "What is <this>?"


@pytest.fixture(scope="module")
def engine(tiny_transformers_layout):
    choice = ModelChoice(str(tiny_transformers_layout), "cpu")
    engine = open_engine(choice, lambda *_: None, threading.Event())
    yield engine
    engine.close()


@pytest.fixture
def trace(engine, red_square):
    request = Request(red_square, (Turn(PROMPT),), Sampling(max_new_tokens=12))
    answer = engine.answer(request, lambda piece: None, threading.Event())
    return engine.trace(request, answer)


@pytest.fixture
def inspector(qapp, qtbot):
    window, previews = QWidget(), PreviewMaker()
    window.resize(800, 700)
    qtbot.addWidget(window)
    inspector = Inspector(Theme(qapp), previews, window)
    inspector.show()
    yield inspector
    previews.close()


@pytest.fixture
def shown(inspector, engine, trace, red_square: Picture):
    inspector.show_waiting(PROMPT)
    inspector.show_trace(trace, red_square, engine.facts.preprocessing)
    return inspector


def said(widget: QWidget) -> list[str]:
    return [label.text() for label in widget.findChildren(QLabel) if label.isVisible()]


def point_at(widget: QWidget, at: QPoint) -> None:
    event = QMouseEvent(
        QEvent.Type.MouseMove,
        QPointF(at),
        QPointF(widget.mapToGlobal(at)),
        Qt.MouseButton.NoButton,
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
    )
    QApplication.sendEvent(widget, event)


def test_it_says_that_it_waits_and_offers_nothing_to_copy(inspector):
    inspector.show_waiting(PROMPT)
    assert inspector.message.text() == "Tracing the answer…"
    assert not inspector.json_button.isEnabled()
    inspector.show_reason("No model is loaded. Load one.")
    assert inspector.message.text() == "No model is loaded. Load one."


def test_every_stage_is_shown(shown, trace):
    words = said(shown)
    assert "1 × 3 × 56 × 56  float32, from -1.752 to 1.930" in words
    assert "1 × 16 × 32" in words
    assert "1 × 16 × 48" in words
    assert trace.prompt in words
    assert "12 tokens" in words
    assert shown.prompt_label.text() == PROMPT


def test_the_patches_lie_over_the_picture_as_given(shown, qtbot):
    figure = shown.given_figure
    qtbot.waitUntil(lambda: not figure.image_rect().isEmpty())
    place = figure.image_rect().toRect()
    assert place.width() == place.height()
    point_at(figure, place.bottomRight() - QPoint(4, 4))
    assert shown.given_caption.text().startswith("patch 16, row 4, column 4")
    point_at(figure, place.topLeft() + QPoint(4, 4))
    assert shown.given_caption.text().startswith("patch 1, row 1, column 1")


def test_image_tokens_are_one_cell_that_opens(shown, trace):
    flow = shown.input_flow
    folded = len(trace.input.ids)
    assert len(flow.texts) == folded
    fold = flow.texts.index(f"image × {TINY.image_tokens}")
    QTest.mouseClick(flow, Qt.MouseButton.LeftButton, pos=flow.cell_rect(fold).center())
    assert len(flow.texts) == folded - 1 + TINY.image_tokens
    QTest.mouseClick(flow, Qt.MouseButton.LeftButton, pos=flow.cell_rect(fold).center())
    assert len(flow.texts) == folded


def test_keys_go_from_token_to_token_and_open_the_image(shown):
    flow = shown.input_flow
    flow.setFocus()
    QTest.keyClick(flow, Qt.Key.Key_Home)
    assert shown.input_description.text() == "Position 0, id 1"
    QTest.keyClick(flow, Qt.Key.Key_Right)
    assert shown.input_description.text().startswith("Position 1,")
    while "the image" not in shown.input_description.text():
        QTest.keyClick(flow, Qt.Key.Key_Right)
    QTest.keyClick(flow, Qt.Key.Key_Space)
    assert flow.is_open
    assert "patch 1 of the image" in shown.input_description.text()
    QTest.keyClick(flow, Qt.Key.Key_Down)
    QTest.keyClick(flow, Qt.Key.Key_End)
    assert flow.current == len(flow.texts) - 1


def test_the_trace_is_copied_as_json_and_as_markdown(shown, trace):
    QTest.mouseClick(shown.json_button, Qt.MouseButton.LeftButton)
    assert QGuiApplication.clipboard().text() == as_json(trace)
    QTest.mouseClick(shown.markdown_button, Qt.MouseButton.LeftButton)
    assert QGuiApplication.clipboard().text().startswith("# Trace of an answer")


def test_the_cells_fit_into_a_narrow_window(shown):
    shown.resize(420, 480)
    flow = shown.input_flow
    assert all(flow.rect().contains(flow.cell_rect(index)) for index in range(len(flow.texts)))


def test_nothing_is_shown_untranslated(bracketed, shown, trace):
    pieces = [piece.strip("▁") for piece in (*trace.input.pieces, *trace.output.pieces)]
    data = (trace.prompt, PROMPT, trace.stop_string, *pieces)
    assert untranslated(shown, *filter(None, data)) == []


def test_names_in_json_are_not_shown_raw(shown, trace):
    shown_texts = {text.lower() for text in said(shown)}
    stored = {time.stage for time in trace.times} | {"keys and values"}
    assert not stored - {"whole answer"} & shown_texts
