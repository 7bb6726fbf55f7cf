"""What a person does from beginning to end: the real window, the real model thread, a real model.

The built-in model where it is there, else a tiny one with random weights.
"""

import asyncio
import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image, ImageDraw
from PySide6.QtCore import QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QDropEvent, QGuiApplication
from PySide6.QtTest import QTest

from core.engine import Ready
from core.locations import locations
from core.settings import Settings, save
from core.store import Store
from core.transcript import BUILT_IN, Ending
from gui.app.program import Program
from gui.window.commands import Command
from tests.gui.conftest import loop, run, until  # noqa: F401 (fixtures)
from tests.support.living_program import live_through

ROOT = Path(__file__).parents[1]


@pytest.fixture
def model(request) -> str:
    if any((ROOT / "resources" / "built_in_model").glob("*.safetensors")):
        return BUILT_IN
    return str(request.getfixturevalue("tiny_transformers_layout"))


@pytest.fixture
def home(tmp_path, monkeypatch, model) -> Path:
    """Where the program keeps its files; it will start with `model`."""
    folder = tmp_path / "home"
    monkeypatch.setenv("ONLOOKER_HOME", str(folder))
    save(Settings(model=model, max_new_tokens=60), locations().folder)
    return folder


@pytest.fixture
def pictures(tmp_path) -> list[Path]:
    paths = []
    for colour in ("red", "blue"):
        picture = Image.new("RGB", (320, 240), "white")
        ImageDraw.Draw(picture).ellipse((90, 50, 230, 190), fill=colour)
        paths.append(tmp_path / f"{colour} circle.png")
        picture.save(paths[-1])
    return paths


@pytest.fixture
def live(run, loop, qapp, home):  # noqa: F811
    """Run a story inside the whole program, from its start to its clean end."""

    def live(story):
        program = Program(qapp, loop, locations(), time.perf_counter())

        async def whole():
            async with asyncio.timeout(60):
                await until(lambda: isinstance(program.model.state, Ready), seconds=60)
                await story(program)

        live_through(program, whole, run)

    return live


def drop(program, path):
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(path))])
    where, button = QPointF(20, 20), Qt.MouseButton.LeftButton
    copy, plain = Qt.DropAction.CopyAction, Qt.KeyboardModifier.NoModifier
    program.window.drop_zone.dropEvent(QDropEvent(where, copy, mime, button, plain))


def press(program, key, modifier=Qt.KeyboardModifier.NoModifier):
    QTest.keyClick(program.window.prompt_box.prompt_edit, key, modifier)


async def answered(program, count):
    """Wait until the `count`th answer is complete."""
    session = program.session
    await until(lambda: len(session.transcript.exchanges) == count and not session.is_answering)
    return session.transcript.exchanges[-1]


def test_picture_is_dropped_described_and_asked_about_further(live, pictures):
    async def story(program):
        window, view = program.window, program.window.transcript_view
        grown = []
        program.session.piece_received.connect(grown.append)
        drop(program, pictures[0])
        await until(lambda: window.drop_zone.has_picture)

        press(program, Qt.Key.Key_Return)
        first = await answered(program, 1)
        assert first.answer.text
        assert "".join(grown).strip() == first.answer.text
        assert len(grown) > 1
        assert first.answer.text.split()[0] in view.text()

        QTest.keyClicks(window.prompt_box.prompt_edit, "What colour is it?")
        press(program, Qt.Key.Key_Return)
        second = await answered(program, 2)
        assert second.answer.input_tokens > first.answer.input_tokens

        window.commands[Command.COPY_ALL].trigger()
        copied = QGuiApplication.clipboard().text()
        assert "What colour is it?" in copied
        assert first.answer.text.split()[0] in copied

        drop(program, pictures[1])
        await until(lambda: program.session.picture.name == "blue circle.png")
        assert program.session.transcript.exchanges == ()
        assert not view.text()

    live(story)


def test_a_word_is_looked_into_on_the_picture_and_struck_out(live, pictures):
    async def story(program):
        window, keys = program.window, Qt.Key
        drop(program, pictures[0])
        await until(lambda: window.drop_zone.has_picture)
        press(program, keys.Key_Return)
        said = (await answered(program, 1)).answer.text
        view = window.transcript_view.exchange_views[0]
        await until(lambda: view.evidence, seconds=30)

        press(program, keys.Key_F2)
        text, picture = view.answer_text, window.drop_zone.picture_view
        before = picture.grab().toImage()
        await until(lambda: picture.grab().toImage() != before, seconds=30)
        assert window.evidence_view.popup.isVisible()
        struck = text.words.words[text.words.chosen]
        window.evidence_view.popup.strike_button.click()
        assert program.session.transcript.exchanges[0].struck == ((struck.begin, struck.end),)
        assert program.session.transcript.exchanges[0].answer.text == said
        QTest.keyClick(text, keys.Key_Escape)
        assert not window.evidence_view.popup.isVisible()

        window.commands[Command.INSPECT].trigger()
        await until(lambda: window.inspector.trace, seconds=30)
        assert window.inspector.trace.text == said
        window.inspector.close()

    live(story)


def test_escape_stops_an_answer_and_the_next_one_comes(live, pictures):
    async def story(program):
        said = []
        program.session.piece_received.connect(said.append)
        drop(program, pictures[0])
        await until(lambda: program.window.drop_zone.has_picture)
        press(program, Qt.Key.Key_Return)
        await until(lambda: said)
        press(program, Qt.Key.Key_Escape)
        stopped = await answered(program, 1)
        assert stopped.answer.ending is Ending.STOPPED
        assert stopped.answer.text

        QTest.keyClicks(program.window.prompt_box.prompt_edit, "What is this?")
        press(program, Qt.Key.Key_Return)
        following = await answered(program, 2)
        assert following.answer.ending is not Ending.STOPPED

    live(story)


# The real program in a process of its own; its window is closed at a given moment.
CLOSED_PROGRAM = """
import sys, time
from pathlib import Path
from core.engine import Loading
from gui.app.start import run
from tests.gui.conftest import until

async def close_while_loading(program):
    await until(lambda: isinstance(program.model.state, Loading), seconds=60)
    program.window.close()

async def close_while_answering(program):
    said = []
    program.session.piece_received.connect(said.append)
    await until(lambda: program.session.picture, seconds=60)
    program.window.prompt_box.asked.emit("Please describe this image in detail.")
    await until(lambda: said, seconds=60)
    program.window.close()

sys.exit(run([Path(sys.argv[1])], time.perf_counter(), globals()[sys.argv[2]]))
"""


def close_when(moment: str, picture: Path) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-c", CLOSED_PROGRAM, picture, moment],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=90,
    )


@pytest.mark.slow
def test_closing_while_the_model_loads_ends_the_process_cleanly(home, pictures):
    closed = close_when("close_while_loading", pictures[0])
    assert (closed.returncode, closed.stderr) == (0, "")
    assert "Traceback" not in (locations().logs / "onlooker.log").read_text(encoding="utf-8")
    assert not (locations().logs / "crash.txt").exists()


@pytest.mark.slow
def test_closing_during_an_answer_keeps_its_half_and_ends_the_process_cleanly(home, pictures):
    closed = close_when("close_while_answering", pictures[0])
    assert (closed.returncode, closed.stderr) == (0, "")
    store = Store(locations().transcripts)
    [kept] = store.recent(10)
    store.close()
    assert kept.answer
    settings = json.loads(locations().settings.read_text(encoding="utf-8"))
    assert settings["prompt_history"] == ["Please describe this image in detail."]
