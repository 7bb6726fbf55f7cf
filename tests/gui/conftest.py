import os

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import asyncio
import gc
from concurrent.futures import ThreadPoolExecutor

import pytest
import qasync
import shiboken6
from PIL import Image
from PySide6.QtCore import QCoreApplication, QEvent, Qt, QThread, QTranslator
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from core.picture import Picture
from core.transcript import ModelChoice, Request, Turn
from gui.session.model_thread import ModelThread
from gui.widgets.theme import Theme
from tests.support.scripted_engine import ScriptedCheckpoint
from tests.support.translation import STRINGS_OF_QT, compile_translation


def focused_widget() -> QWidget:
    """Returns the widget with the focus; fails if none has it."""
    widget = QApplication.focusWidget()
    assert widget is not None
    return widget


async def until(is_so, seconds: float = 60) -> None:
    """Let the loop run until `is_so()`; `seconds` is only patience with a busy machine."""
    async with asyncio.timeout(seconds):
        pause = 0.001
        while not is_so():
            await asyncio.sleep(pause)
            # A turn of the loop and what is asked take a tenth of a millisecond and more.
            pause = min(1.1 * pause, 0.008)


async def noticed(window, words: str) -> None:
    """Wait for a notice, and close newer ones until it is in front."""
    bar = window.notice_bar
    await until(lambda: any(words in notice.text for notice in window.state.notices))
    async with asyncio.timeout(60):
        while words not in bar.text_label.text():
            QTest.mouseClick(bar.close_button, Qt.MouseButton.LeftButton)
            await asyncio.sleep(0.001)


class PatientQtBot(QtBot):
    """Waits as long as `until` does: five seconds are little on a busy machine."""

    def waitSignal(self, signal, *, timeout=60_000, raising=None, check_params_cb=None):
        return super().waitSignal(
            signal, timeout=timeout, raising=raising, check_params_cb=check_params_cb
        )

    def waitSignals(
        self, signals, *, timeout=60_000, raising=None, check_params_cbs=None, order="none"
    ):
        return super().waitSignals(
            signals,
            timeout=timeout,
            raising=raising,
            check_params_cbs=check_params_cbs,
            order=order,
        )

    def waitUntil(self, callback, *, timeout=60_000):
        super().waitUntil(callback, timeout=timeout)


@pytest.fixture
def qtbot(qapp, request):
    return PatientQtBot(request)


@pytest.fixture(autouse=True)
def _garbage_is_collected_in_this_thread():
    """Previews are made in a thread; widgets in a reference cycle must not die there."""
    gc.disable()
    yield
    gc.enable()


@pytest.fixture(autouse=True)
def _closed_widgets_are_deleted():
    """pytest-qt closes the widgets of a test and schedules their deletion, which only an event loop
    carries out. Those left over would be styled again with each new theme, at seconds a test; and
    each theme left over, which belongs to the application, would do so when the system's changes.
    """
    before = set(themes())
    yield
    for theme in set(themes()) - before:
        theme.deleteLater()
    for _ in range(2):  # Some are to be deleted once another one is.
        QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)


@pytest.fixture(autouse=True)
def _clipboard_is_empty():
    """Before and after each test. What was put there by a QMimeData made in Python would also be
    deleted after Python has ended, which crashes.
    """
    yield
    if isinstance(QApplication.instance(), QApplication):
        QApplication.clipboard().clear()


def themes() -> list[Theme]:
    application = QApplication.instance()
    return application.findChildren(Theme) if application else []


@pytest.fixture
def loop(qapp):
    """The program's own event loop, with its small executor.

    Garbage is collected in this thread alone, as `gui.app.garbage` does in the program.
    """
    gc.disable()
    with ThreadPoolExecutor(2) as executor, qasync.QEventLoop(qapp) as loop:
        loop.set_default_executor(executor)
        yield loop
    del loop, executor
    gc.collect()
    gc.enable()


@pytest.fixture
def run(loop):
    """Run a coroutine to its end inside the Qt loop."""
    return loop.run_until_complete


@pytest.fixture
def checkpoint():
    return ScriptedCheckpoint()


@pytest.fixture
def model(run, checkpoint):
    """A model thread over scripted engines, nothing loaded yet."""
    model = ModelThread(checkpoint)
    yield model
    assert run(model.close())


@pytest.fixture
def ready(run, model):
    run(model.load(ModelChoice()))
    return model


@pytest.fixture(autouse=True)
def _no_thread_is_left():
    yield
    # Not `gc.get_objects`: there may be a million of those.
    threads = [thing for thing in shiboken6.getAllValidWrappers() if isinstance(thing, QThread)]
    running = [thread.objectName() for thread in threads if _is_running(thread)]
    assert not running, f"threads are still running: {running}"


def _is_running(thread: QThread) -> bool:
    try:
        return thread.isRunning() and thread is not QThread.currentThread()
    except RuntimeError:  # Qt has deleted it already.
        return False


@pytest.fixture
def red_square() -> Picture:
    return Picture(path=None, pixels=Image.new("RGB", (40, 30), "red"), original_size=(40, 30))


@pytest.fixture
def ask(red_square):
    """A request with one question about a red square."""
    return lambda prompt: Request(red_square, (Turn(prompt),))


@pytest.fixture(scope="session")
def brackets(tmp_path_factory):
    """A translation of every string into itself in brackets."""
    folder = tmp_path_factory.mktemp("brackets")
    return compile_translation(folder, lambda _, text: f"⟦{text}⟧", STRINGS_OF_QT)


@pytest.fixture
def bracketed(qapp, brackets):
    """Every string that the window translates is shown in brackets."""
    translator = QTranslator()
    assert translator.load(str(brackets))
    qapp.installTranslator(translator)
    yield
    qapp.removeTranslator(translator)
