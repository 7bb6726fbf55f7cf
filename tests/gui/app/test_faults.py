import asyncio
import logging
import subprocess
import sys
import threading

import pytest
from PySide6.QtCore import QTimer
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QApplication, QPlainTextEdit, QPushButton

from gui.app.faults import FaultDialog, FaultReporter, crash_file, open_log
from tests.gui.conftest import until


@pytest.fixture
def reporter(loop):
    reporter = FaultReporter()
    with reporter.catching(loop):
        yield reporter
    for dialog in dialogs():
        dialog.reject()


def dialogs() -> list[FaultDialog]:
    windows = QApplication.topLevelWidgets()
    return [w for w in windows if isinstance(w, FaultDialog) and w.isVisible()]


def details() -> str:
    [dialog] = dialogs()
    return dialog.findChildren(QPlainTextEdit)[0].toPlainText()


def fail():
    raise ZeroDivisionError("nobody foresaw this")


def test_error_in_the_windows_thread_is_shown_with_its_details(run, reporter):
    QTimer.singleShot(0, fail)
    run(until(dialogs))
    assert "nobody foresaw this" in details()
    assert "in fail" in details()
    assert not dialogs()[0].isModal()


def test_error_in_another_thread_is_shown(run, reporter):
    thread = threading.Thread(target=fail)
    thread.start()
    run(until(dialogs))
    thread.join()
    assert "nobody foresaw this" in details()


def test_error_that_only_the_loop_saw_is_shown(run, reporter):
    async def story():
        asyncio.get_running_loop().call_soon(fail)
        await until(dialogs)

    run(story())
    assert "nobody foresaw this" in details()


def test_second_error_joins_the_dialog_of_the_first(run, reporter):
    reporter.report(ValueError("the first"))
    reporter.report(ValueError("the second"))
    run(until(dialogs))
    run(until(lambda: "the second" in details()))
    assert "the first" in details()


def test_details_are_copied_with_the_versions(run, reporter):
    reporter.report(ValueError("the first"))
    run(until(dialogs))
    dialogs()[0].findChildren(QPushButton, "copy_button")[0].click()
    copied = QGuiApplication.clipboard().text()
    assert copied.startswith("Onlooker ")
    assert "the first" in copied
    assert dialogs()


def test_errors_go_into_the_log(run, reporter, caplog):
    reporter.report(ValueError("the first"))
    run(until(dialogs))
    assert "the first" in caplog.text
    assert caplog.records[0].levelno == logging.ERROR


def test_crash_of_the_process_is_found_at_the_next_start(tmp_path):
    script = (
        "import faulthandler, sys\n"
        "from pathlib import Path\n"
        "from gui.app.faults import crash_file\n"
        "with crash_file(Path(sys.argv[1])):\n"
        "    faulthandler._sigsegv()\n"
    )
    crash = subprocess.run([sys.executable, "-c", script, tmp_path], capture_output=True)
    assert crash.returncode != 0
    with crash_file(tmp_path) as before:
        assert "Segmentation fault" in before
    with crash_file(tmp_path) as before:
        assert before == ""


def test_folder_that_cannot_be_written_costs_the_log_and_nothing_else(tmp_path, caplog):
    occupied = tmp_path / "file"
    occupied.write_text("in the way")
    open_log(occupied / "logs")
    with crash_file(occupied / "logs") as before:
        assert before == ""
