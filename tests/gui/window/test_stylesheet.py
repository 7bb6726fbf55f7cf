"""The window is put together without its stylesheet, and looks as if it had had it all the time."""

from contextlib import nullcontext
from functools import partial

import pytest
from PySide6.QtWidgets import QStackedWidget, QWidget

from gui.widgets.theme import Theme
from gui.window.main_window import SMALLEST, MainWindow
from tests.support.tiers import slowly


class StyledAtOnce(Theme):
    """Widgets have the stylesheet while they are put together, which takes far longer."""

    def without_stylesheet(self):
        return nullcontext()


@pytest.fixture
def shown(qapp, qtbot):
    """Two windows that differ in when they got their stylesheet; neither has the focus."""

    def shown(size):
        windows = []
        for kind in (StyledAtOnce, Theme):
            window = MainWindow(kind(qapp, "light"), (("Describe", "Please describe this image."),))
            qtbot.addWidget(window)
            window.show_empty([])
            window.resize(*size)
            windows.append(window)
        for part in (*windows, *(window.inspector for window in windows)):
            part.show()
        other = QWidget()
        qtbot.addWidget(other)
        other.show()
        other.activateWindow()
        qtbot.waitUntil(other.isActiveWindow)
        return windows

    return shown


@pytest.mark.parametrize("size", [slowly(SMALLEST), (1366, 768)])
def test_window_looks_as_if_it_had_had_its_stylesheet_all_the_time(shown, qtbot, size):
    one, other = shown(size)

    def look_alike(*parts: QWidget) -> bool:
        return parts[0].grab().toImage() == parts[1].grab().toImage()

    for shows_run in (False, True):
        for window in (one, other):
            window.image_and_run.show_run(shows_run)
        qtbot.waitUntil(partial(look_alike, one, other))
        stacks = [window.findChildren(QStackedWidget) for window in (one, other)]
        for pair in zip(*stacks, strict=True):
            before = pair[0].currentIndex()
            for index in (*range(pair[0].count()), before):
                for stack in pair:
                    stack.setCurrentIndex(index)
                qtbot.waitUntil(partial(look_alike, one, other))
    qtbot.waitUntil(partial(look_alike, one.inspector, other.inspector))
