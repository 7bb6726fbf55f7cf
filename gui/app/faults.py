"""Reports unexpected errors: one dialog with details to copy, and the log file.

Expected errors are shown by the widget where they belong. What reaches this module is a fault
of the program, from whichever thread, loop or library it comes.
"""

from __future__ import annotations

import asyncio
import faulthandler
import logging
import platform
import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import FileIO, TextIOWrapper
from logging.handlers import RotatingFileHandler
from pathlib import Path
from types import TracebackType
from typing import Any

from PySide6.QtCore import (
    QMessageLogContext,
    QObject,
    QtMsgType,
    Signal,
    Slot,
    qInstallMessageHandler,
    qVersion,
)
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QLabel,
    QPlainTextEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from core.files import private, read_regular
from core.version import program_version
from gui.widgets.screen_fit import ScreenFit
from gui.widgets.text_direction import PlainTextEdit

LOG_BYTES = 1_000_000
CRASH_FILE = "crash.txt"

log = logging.getLogger(__name__)


class FaultReporter(QObject):
    """The one way by which an unexpected error reaches the user and the log."""

    _reported = Signal(str, str)

    def __init__(self, parent: QObject | None = None):
        super().__init__(parent)
        self.window: QWidget | None = None
        self._dialog: FaultDialog | None = None
        # Errors come from any thread; the dialog belongs to the GUI thread.
        self._reported.connect(self._on_reported)

    @property
    def is_showing(self) -> bool:
        """Whether the dialog is open."""
        return self._dialog is not None

    def report(self, error: BaseException) -> None:
        """Log and show an error. May be called from any thread."""
        log.error("Unforeseen", exc_info=error)
        details = "".join(traceback.format_exception(error))
        if isinstance(error, MemoryError):
            text = self.tr("There is no free memory left. Close other programs, then try again.")
        else:
            text = self.tr("Something went wrong in Onlooker. What you wrote is kept.")
        self._reported.emit(text, details)

    def report_crash(self, details: str) -> None:
        """Say once that the program crashed the last time, and write the details to the log."""
        log.error("Onlooker ended unexpectedly the last time:\n%s", details)
        self._show(self.tr("Onlooker ended unexpectedly the last time."), details)

    @contextmanager
    def catching(self, loop: asyncio.AbstractEventLoop) -> Iterator[None]:
        """Report what is caught nowhere: in any thread or in the loop. Log Qt's messages."""
        hooks = sys.excepthook, threading.excepthook
        sys.excepthook = self._on_exception
        threading.excepthook = self._on_thread_exception
        loop.set_exception_handler(self._on_loop_exception)
        qt_handler = qInstallMessageHandler(_log_qt_message)
        try:
            yield
        finally:
            qInstallMessageHandler(qt_handler)
            loop.set_exception_handler(None)
            sys.excepthook, threading.excepthook = hooks

    def _on_exception(
        self, kind: type[BaseException], error: BaseException, trace: TracebackType | None
    ) -> None:
        self.report(error.with_traceback(trace))

    def _on_thread_exception(self, arguments: threading.ExceptHookArgs) -> None:
        if arguments.exc_value and not isinstance(arguments.exc_value, SystemExit):
            self.report(arguments.exc_value)

    def _on_loop_exception(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        if error := context.get("exception"):
            self.report(error)
        else:
            log.error("Event loop: %s", context.get("message"))

    @Slot(str, str)
    def _on_reported(self, text: str, details: str) -> None:
        self._show(text, details)

    def _show(self, text: str, details: str) -> None:
        if self._dialog:
            self._dialog.add(details)
            return
        self._dialog = FaultDialog(text, details, self.window)
        self._dialog.finished.connect(self._on_dialog_finished)
        self._dialog.show()

    @Slot(int)
    def _on_dialog_finished(self, result: int) -> None:
        if self._dialog:
            self._dialog.deleteLater()
            self._dialog = None


class FaultDialog(QDialog):
    """What happened, in words, and the details for whoever can fix it. Not modal."""

    def __init__(self, text: str, details: str, parent: QWidget | None = None):
        super().__init__(parent)
        self.setObjectName("fault_dialog")
        self.setWindowTitle("Onlooker")
        self.setModal(False)
        report = self.tr("You can keep working. To report this, copy the details.")
        sentence = QLabel(f"{text} {report}")
        sentence.setWordWrap(True)
        self._details = PlainTextEdit(details)
        self._details.setObjectName("details_text")
        self._details.setProperty("class", "field")
        self._details.setReadOnly(True)
        self._details.setAccessibleName(self.tr("Details"))
        self._details.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        copy_button = QPushButton(self.tr("Copy details"))
        copy_button.setObjectName("copy_button")
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.addButton(copy_button, QDialogButtonBox.ButtonRole.ActionRole)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(24, 20, 24, 16)
        layout.setSpacing(12)
        layout.addWidget(sentence)
        layout.addWidget(self._details)
        layout.addWidget(buttons)
        self.resize(560, 320)
        ScreenFit(self)
        copy_button.clicked.connect(self._on_copy_clicked)
        buttons.rejected.connect(self.reject)

    def add(self, details: str) -> None:
        """Add a further error to a dialog that is still open."""
        self._details.appendPlainText(f"\n{details}")

    @Slot()
    def _on_copy_clicked(self) -> None:
        QGuiApplication.clipboard().setText(f"{_about()}\n\n{self._details.toPlainText()}")


def open_log(folder: Path) -> None:
    """Write the log to a file in `folder`, at most 1 MB and the one before it.

    Where nothing can be written there is no log, and the program runs.
    """
    root = logging.getLogger()
    root.setLevel(logging.INFO)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handler = _PrivateLog(
            folder / "onlooker.log", maxBytes=LOG_BYTES, backupCount=1, encoding="utf-8"
        )
    except OSError:
        root.addHandler(logging.NullHandler())
        return
    handler.setFormatter(
        logging.Formatter("%(asctime)s %(levelname)s %(threadName)s %(name)s: %(message)s")
    )
    root.addHandler(handler)
    log.info(_about())


class _PrivateLog(RotatingFileHandler):
    """A log that only its owner may read: it has names of images and may have what was asked."""

    def _open(self) -> TextIOWrapper:
        return open(self.baseFilename, "a", encoding=self.encoding, opener=private)


@contextmanager
def crash_file(folder: Path) -> Iterator[str]:
    """Let a crash of the process itself leave its stacks in `folder`.

    Yields what the crash before left, or "". A clean end removes the file: on Windows faulthandler
    also reports exceptions that Qt handles.
    """
    path = folder / CRASH_FILE
    before = ""
    try:
        if path.exists():
            content = read_regular(path, most=LOG_BYTES)
            before = content.decode("utf-8", "replace").strip()
        file = FileIO(path, "w", opener=private)
    except OSError:
        yield before
        return
    with file:
        faulthandler.enable(file)
        try:
            yield before
        finally:
            faulthandler.disable()
    with suppress(OSError):
        path.unlink()


def _about() -> str:
    return (
        f"Onlooker {program_version()}, Python {platform.python_version()}, Qt {qVersion()}, "
        f"{platform.platform()}"
    )


_LEVELS = {
    QtMsgType.QtDebugMsg: logging.DEBUG,
    QtMsgType.QtInfoMsg: logging.INFO,
    QtMsgType.QtWarningMsg: logging.WARNING,
    QtMsgType.QtCriticalMsg: logging.ERROR,
    QtMsgType.QtFatalMsg: logging.CRITICAL,
}


def _log_qt_message(kind: QtMsgType, context: QMessageLogContext, text: str) -> None:
    logging.getLogger("qt").log(_LEVELS.get(kind, logging.WARNING), text)
