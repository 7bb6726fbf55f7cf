"""Changes of folders are noticed, also those from before they were watched."""

import os
import time

import pytest
from PySide6.QtCore import QTimer

from gui.session.watched_folders import WatchedFolders


@pytest.fixture
def watched(qapp):
    watched = WatchedFolders()
    yield watched
    watched.close()


def test_folder_that_changed_while_it_was_read_is_reported_once_it_is_watched(
    qtbot, watched, tmp_path
):
    old, new = tmp_path / "old", tmp_path / "new"
    for folder in (old, new):
        folder.mkdir()
    since = time.time_ns()
    os.utime(old, ns=(since - 10**9, since - 10**9))
    (new / "caption.txt").write_text("a cat")
    with qtbot.waitSignal(watched.changed) as changed:
        watched.watch([old, new], since)
    assert changed.args == [[new]]
    assert watched.by_system == [new, old]


def test_program_that_never_pauses_is_reported_while_it_writes(qtbot, watched, tmp_path):
    watched.watch([tmp_path])
    qtbot.waitUntil(lambda: watched.by_system == [tmp_path])
    written = []
    timer = QTimer(interval=20)
    timer.timeout.connect(lambda: written.append((tmp_path / f"{len(written)}.txt").touch()))
    with qtbot.waitSignal(watched.changed, timeout=30_000) as changed:
        timer.start()
    assert changed.args == [[tmp_path]]
    assert timer.isActive()
    timer.stop()
