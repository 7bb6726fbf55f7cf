"""The whole window over scripted engines: real widgets, real events, real files."""

import logging
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest
from PIL import Image
from PySide6.QtCore import QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QDropEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QDialogButtonBox

from core.batch import BatchOptions
from core.engine import Loading, Ready
from core.locations import locations
from core.store import Store
from gui.app.faults import crash_file, open_log
from gui.window.commands import Command
from gui.window.settings_dialog import SettingsDialog
from tests.gui.conftest import until
from tests.support.tiers import slowly

ROOT = Path(__file__).parents[3]


@pytest.fixture
def start(home):
    """Start the program in a process of its own."""
    started = []

    def start(*arguments):
        environment = os.environ | {"QT_QPA_PLATFORM": "offscreen"}
        command = [sys.executable, "-m", "gui", *arguments]
        started.append(subprocess.Popen(command, cwd=ROOT, env=environment))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


def drop(program, *paths):
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    drop_mime(program, mime)


def drop_mime(program, mime):
    zone = program.window.drop_zone
    event = QDropEvent(
        QPointF(20, 20),
        Qt.DropAction.CopyAction,
        mime,
        Qt.MouseButton.LeftButton,
        Qt.KeyboardModifier.NoModifier,
    )
    zone.dropEvent(event)


def type_and_enter(program, text):
    edit = program.window.prompt_box.prompt_edit
    QTest.keyClicks(edit, text)
    QTest.keyClick(edit, Qt.Key.Key_Return)


def transcript_text(program):
    return program.window.transcript_view.text()


def test_window_opens_and_the_model_loads_behind_it(live):
    async def story(program):
        assert not isinstance(program.model.state, Ready)
        await until(lambda: isinstance(program.model.state, Ready))

    live(story)


def test_picture_given_on_the_command_line_is_open(live, picture_file):
    async def story(program):
        await until(lambda: program.window.drop_zone.has_picture)

    live(story, [picture_file])


def test_dropped_picture_is_asked_about_and_the_answer_is_shown_and_kept(live, picture_file, home):
    async def story(program):
        drop(program, picture_file)
        await until(lambda: program.window.drop_zone.has_picture)
        type_and_enter(program, "say 3 words")
        await until(lambda: "word2" in transcript_text(program))
        await until(lambda: not program.session.is_answering)

    live(story)
    assert kept_texts(home) == ["word0 word1 word2"]


@pytest.mark.skipif(os.name == "nt", reason="names are text there, and hosts network shares")
@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("", "plain.png"),
        ("localhost", "ein Bild #1 100%.png"),
        (socket.gethostname(), os.fsdecode(b"caf\xe9.png")),
        *(slowly(host, "plain.png") for host in ("localhost", "LOCALHOST", socket.gethostname())),
        *(slowly(host, "ein Bild #1 100%.png") for host in ("", "LOCALHOST")),
        *(slowly(host, os.fsdecode(b"caf\xe9.png")) for host in ("", "LOCALHOST")),
    ],
)
def test_dropped_file_opens_whatever_its_name_and_however_this_host_is_named(
    live, picture_file, tmp_path, host, name
):
    path = tmp_path / name
    path.write_bytes(picture_file.read_bytes())
    uri = path.as_uri().replace("file://", f"file://{host}", 1)

    async def story(program):
        mime = QMimeData()
        mime.setData("text/uri-list", f"{uri}\r\n".encode())
        drop_mime(program, mime)
        await until(lambda: program.window.drop_zone.has_picture)
        type_and_enter(program, "say 3 words")
        await until(lambda: "word2" in transcript_text(program))
        await until(lambda: not program.session.is_answering)
        program.window.grab()

    live(story)


def test_closing_the_window_during_an_answer_keeps_its_half(live, picture_file, home):
    async def story(program):
        drop(program, picture_file)
        await until(lambda: program.window.drop_zone.has_picture)
        type_and_enter(program, "hold")
        await until(lambda: "Half an" in transcript_text(program))
        program.window.close()
        assert not program.window.isVisible()

    live(story)
    assert kept_texts(home) == ["Half an"]


def test_closing_while_the_model_loads_ends_the_program(live):
    async def story(program):
        await until(lambda: isinstance(program.model.state, Ready))
        program.window.dialogs.model_folder_chosen.emit(Path("slow"))
        await until(lambda: isinstance(program.model.state, Loading))
        program.window.close()

    live(story)


def test_escape_stops_the_answer(live, picture_file):
    async def story(program):
        drop(program, picture_file)
        await until(lambda: program.window.drop_zone.has_picture)
        type_and_enter(program, "hold")
        await until(lambda: "Half an" in transcript_text(program))
        QTest.keyClick(program.window.prompt_box.prompt_edit, Qt.Key.Key_Escape)
        await until(lambda: not program.session.is_answering)

    live(story)


def test_question_waits_for_the_model_and_the_window_says_so(live, picture_file, checkpoint):
    async def story(program):
        await until(lambda: isinstance(program.model.state, Ready))
        drop(program, picture_file)
        await until(lambda: program.window.drop_zone.has_picture)
        program.window.dialogs.model_folder_chosen.emit(Path("slow"))
        await until(lambda: isinstance(program.model.state, Loading))
        type_and_enter(program, "say 3 words")
        await until(lambda: program.question.prompt)
        assert "waits" in program.window.prompt_box.hint_label.text()
        checkpoint.release.set()
        await until(lambda: "word2" in transcript_text(program))

    live(story)


def test_fault_is_shown_and_the_program_lives(live, picture_file):
    async def story(program):
        drop(program, picture_file)
        await until(lambda: program.window.drop_zone.has_picture)
        type_and_enter(program, "crash")
        await until(lambda: program.faults.is_showing)
        type_and_enter(program, "say 3 words")
        await until(lambda: "word2" in transcript_text(program))

    live(story)


def test_broken_model_is_reported_and_the_built_in_one_is_a_click_away(live):
    async def story(program):
        await until(lambda: isinstance(program.model.state, Ready))
        program.window.dialogs.model_folder_chosen.emit(Path("broken"))
        bar = program.window.notice_bar
        await until(bar.isVisible)
        assert "not a LLaVA" in bar.text_label.text()
        QTest.mouseClick(bar.action_button, Qt.MouseButton.LeftButton)
        await until(lambda: isinstance(program.model.state, Ready))

    live(story)


def test_settings_that_are_saved_hold_for_the_next_answer(live, picture_file, checkpoint):
    async def story(program):
        await until(lambda: isinstance(program.model.state, Ready))
        program.window.commands[Command.SETTINGS].trigger()
        [dialog] = program.window.findChildren(SettingsDialog)
        dialog.control("max_new_tokens").setValue(7)
        dialog.buttons.button(QDialogButtonBox.StandardButton.Save).click()
        drop(program, picture_file)
        await until(lambda: program.window.drop_zone.has_picture)
        type_and_enter(program, "say 3 words")
        await until(lambda: "word2" in transcript_text(program))

    live(story)
    [engine] = checkpoint.engines
    assert engine.requests[0].sampling.max_new_tokens == 7


def test_other_precision_loads_the_model_anew(live, checkpoint):
    async def story(program):
        await until(lambda: isinstance(program.model.state, Ready))
        program.window.commands[Command.SETTINGS].trigger()
        [dialog] = program.window.findChildren(SettingsDialog)
        box = dialog.control("dtype")
        box.setCurrentIndex(box.findText("float32"))
        dialog.buttons.button(QDialogButtonBox.StandardButton.Save).click()
        await until(lambda: len(checkpoint.engines) == 2)

    live(story)


def test_size_of_the_window_comes_back(live):
    async def resize(program):
        program.window.resize(701, 654)

    async def look(program):
        assert (program.window.width(), program.window.height()) == (701, 654)

    live(resize)
    live(look)


def test_prompts_come_back(live, picture_file):
    async def ask(program):
        drop(program, picture_file)
        await until(lambda: program.window.drop_zone.has_picture)
        type_and_enter(program, "say 3 words")
        await until(lambda: "word2" in transcript_text(program))

    async def look(program):
        edit = program.window.prompt_box.prompt_edit
        QTest.keyClick(edit, Qt.Key.Key_Up)
        assert edit.toPlainText() == "say 3 words"

    live(ask)
    live(look)


def test_earlier_conversation_is_opened_from_the_menu(live, picture_file):
    async def ask(program):
        drop(program, picture_file)
        await until(lambda: program.window.drop_zone.has_picture)
        type_and_enter(program, "say 3 words")
        await until(lambda: "word2" in transcript_text(program))

    async def look(program):
        menu = program.window.recent_menu.menu
        menu.aboutToShow.emit()
        [action] = menu.actions()
        assert "red.png" in action.text()
        action.trigger()
        await until(lambda: "word2" in transcript_text(program))
        assert program.window.drop_zone.has_picture
        assert program.window.commands[Command.COPY_ALL].isEnabled()

    live(ask)
    live(look)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM to catch")
@pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGTERM])
def test_signal_ends_the_program_cleanly(start, home, kind):
    program = start()
    shown = wait_for_log(home, "Window shown")
    program.send_signal(kind)
    assert program.wait(120) == 0
    assert "Traceback" not in shown
    assert not (home / "logs" / "crash.txt").exists()


@pytest.mark.parametrize(
    "gone",
    [
        {},
        pytest.param({"DISPLAY": ":987"}, marks=pytest.mark.slow),
        pytest.param({"WAYLAND_DISPLAY": "wayland-987"}, marks=pytest.mark.slow),
    ],
)
def test_without_a_display_it_says_so_and_describes_a_picture(picture_file, home, gone):
    environment = {
        key: value
        for key, value in os.environ.items()
        if key not in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")
    }
    if sys.platform != "linux":
        pytest.skip("other systems always have a display")
    run = subprocess.run(
        [sys.executable, "-m", "gui", picture_file.parent / "nothing.png"],
        cwd=ROOT,
        env=environment | gone,
        capture_output=True,
        text=True,
    )
    assert "no display" in run.stderr
    assert "nothing.png" in run.stderr
    assert run.returncode == 1


def wait_for_log(home, words) -> str:
    path = home / "logs" / "onlooker.log"
    until = time.monotonic() + 120
    while time.monotonic() < until:
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        if words in text:
            return text
        time.sleep(0.02)
    raise AssertionError(f"the log never said “{words}”")


def kept_texts(home) -> list[str]:
    store = Store(locations().transcripts)
    try:
        kept = [store.open(row.id) for row in store.recent(10)]
        return [e.answer.text for one in kept for e in one.exchanges if e.answer]
    finally:
        store.close()


def test_pictures_of_a_second_copy_open_in_the_first(live, picture_file):
    async def story(program):
        program.window.showMinimized()
        program.come_forward([picture_file])
        await until(lambda: program.session.picture is not None)
        assert not program.window.isMinimized()
        assert program.session.picture.path == picture_file

    live(story)


def test_updates_that_cannot_be_asked_for_are_a_notice(live):
    async def story(program):
        program.window.commands[Command.UPDATES].trigger()
        await until(lambda: "No update address" in program.window.notice_bar.text_label.text())

    live(story)


def test_without_a_home_the_window_says_where_things_are_kept(live, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setenv("ONLOOKER_HOME", str(tmp_path / "file" / "home"))

    async def story(program):
        label = program.window.notice_bar.text_label
        await until(lambda: "The home folder cannot be written" in label.text())

    live(story)


def test_damaged_file_of_conversations_is_mended_and_the_window_says_so(live):
    path = locations().transcripts
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"no database" * 1000)

    async def story(program):
        await until(lambda: "was damaged" in program.window.notice_bar.text_label.text())

    live(story)
    with closing(Store(path)) as store:
        assert store.notes == ()


@pytest.mark.skipif(os.name == "nt", reason="Windows keeps no such permissions")
def test_all_that_the_program_keeps_is_for_its_owner_alone(live, picture_file, tmp_path):
    places = locations()
    images = tmp_path / "images"
    images.mkdir()
    Image.new("RGB", (9, 9), "red").save(images / "1.png")
    places.folder.mkdir(parents=True, exist_ok=True)
    places.settings.write_text("{")
    before, handlers = os.umask(0), list(logging.getLogger().handlers)
    try:

        async def story(program):
            open_log(places.logs)
            await program.pictures.open_paths([picture_file])
            await until(lambda: isinstance(program.model.state, Ready))
            await program.session.ask("say 1 words")
            run = program.folder_run
            await run.choose([images])
            await run.start(BatchOptions(("say 1 words",)))
            await program.session.write_transcript(tmp_path / "said.txt")

        live(story)
        with crash_file(places.logs):
            modes = {
                str(entry.relative_to(places.folder)): stat.S_IMODE(entry.stat().st_mode)
                for entry in places.folder.rglob("*")
                if entry.is_file()
            }
    finally:
        os.umask(before)
        for handler in [one for one in logging.getLogger().handlers if one not in handlers]:
            logging.getLogger().removeHandler(handler)
            handler.close()
    assert {"settings.json", "settings.json.bak", "transcripts.sqlite"} <= modes.keys()
    assert {"logs/onlooker.log", "logs/crash.txt"} <= modes.keys()
    assert [name for name in modes if name.startswith("runs/") and name.endswith(".jsonl")]
    assert {name: mode for name, mode in modes.items() if mode != 0o600} == {}
    # What a person asked for is a file like any other.
    for asked_for in (tmp_path / "said.txt", images / "1.txt"):
        assert stat.S_IMODE(asked_for.stat().st_mode) == 0o666


def test_file_that_the_system_says_to_open_is_passed_on():
    code = (
        "from PySide6.QtGui import QFileOpenEvent\n"
        "from gui.app.application import Application\n"
        "application = Application(['onlooker'])\n"
        "application.paths_opened.connect(print)\n"
        "application.sendEvent(application, QFileOpenEvent('/Bilder/Größe.png'))\n"
    )
    done = subprocess.run(
        [sys.executable, "-X", "utf8", "-c", code],
        cwd=ROOT,
        env=os.environ | {"QT_QPA_PLATFORM": "offscreen"},
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    assert "Größe.png" in done.stdout, done.stderr
