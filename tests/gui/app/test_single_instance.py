import subprocess
import sys
import threading
from pathlib import Path

import pytest
from PySide6.QtCore import QLockFile

from gui.app.single_instance import SingleInstance

SECOND_COPY = """
import sys
from pathlib import Path
from PySide6.QtCore import QCoreApplication
from gui.app.single_instance import SingleInstance
application = QCoreApplication(["onlooker"])
copy = SingleInstance(Path(sys.argv[1]))
print("opens a window" if copy.takes_part([Path(path) for path in sys.argv[2:]]) else "leaves")
"""


@pytest.fixture
def first(qapp, tmp_path):
    first = SingleInstance(tmp_path)
    assert first.takes_part([])
    yield first
    first.close()


def start_second_copy(folder: Path, *paths: str) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-c", SECOND_COPY, str(folder), *paths], stdout=subprocess.PIPE, text=True
    )


def test_second_copy_hands_its_pictures_to_the_first_and_leaves(first, qtbot, tmp_path):
    path = str(tmp_path / "zwei Bäume.png")
    with qtbot.waitSignal(first.paths_received) as received:
        second = start_second_copy(tmp_path, path)
    assert received.args == [[Path(path)]]
    assert second.communicate(timeout=60)[0] == "leaves\n"


def test_second_copy_without_pictures_calls_the_first_to_the_front(first, qtbot, tmp_path):
    with qtbot.waitSignal(first.paths_received) as received:
        second = start_second_copy(tmp_path)
    assert received.args == [[]]
    assert second.communicate(timeout=60)[0] == "leaves\n"


def test_copy_with_another_home_opens_its_own_window(first, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    assert start_second_copy(elsewhere).communicate(timeout=60)[0] == "opens a window\n"


def test_what_a_crash_left_behind_is_not_in_the_way(qapp, tmp_path):
    crash = SECOND_COPY + "import os; sys.stdout.flush(); os._exit(1)"
    subprocess.run([sys.executable, "-c", crash, str(tmp_path)], check=False, capture_output=True)
    assert (tmp_path / "instance.lock").exists()
    next_ = SingleInstance(tmp_path)
    assert next_.takes_part([])
    next_.close()


def test_folder_that_cannot_be_written_does_not_keep_the_window_away(qapp, tmp_path):
    not_a_folder = tmp_path / "file"
    not_a_folder.write_text("")
    assert SingleInstance(not_a_folder).takes_part([])


def test_first_copy_that_does_not_answer_does_not_keep_the_window_away(qapp, tmp_path, monkeypatch):
    monkeypatch.setattr("gui.app.single_instance.PATIENCE_MS", 200)
    hung = QLockFile(str(tmp_path / "instance.lock"))
    assert hung.tryLock(0)
    assert SingleInstance(tmp_path).takes_part([])
    hung.unlock()


def test_copy_that_comes_while_the_first_leaves_takes_its_place(qapp, qtbot, tmp_path):
    leaving = QLockFile(str(tmp_path / "instance.lock"))
    assert leaving.tryLock(0)
    heir = SingleInstance(tmp_path)
    leaves = threading.Timer(0.1, leaving.unlock)
    leaves.start()
    assert heir.takes_part([])
    leaves.join()
    with qtbot.waitSignal(heir.paths_received):
        third = start_second_copy(tmp_path)
    assert third.communicate(timeout=60)[0] == "leaves\n"
    heir.close()
