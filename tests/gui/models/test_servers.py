"""A model on a server is tried, used, listed and forgotten in the model dialog."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import constants
from PIL import Image
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLabel, QPushButton

from core.batch import Phase
from core.engine import SETTINGS, Absent, Failed, Ready
from core.locations import locations
from core.model_reference import server_model
from core.picture import Picture
from core.remote.discovery import USUAL_PORTS
from core.settings import load
from core.transcript import Request, Sampling, Turn
from gui.app.program import Program
from gui.batch.rows import Column
from gui.models.dialog import ModelsDialog
from gui.models.server_dialog import ServerDialog
from gui.session.engine_start import open_engine
from gui.session.model_thread import ModelThread
from gui.window.commands import Command
from gui.window.settings_dialog import SettingsDialog
from gui.workspace.again_dialog import AgainDialog
from gui.workspace.image_list import ImageList
from tests.gui.conftest import until
from tests.support.living_program import live_through
from tests.support.model_server import MODEL, ModelServer, scored

pytestmark = pytest.mark.usefixtures("ring")

SECRET = "sk-very-secret"


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("ONLOOKER_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    return tmp_path / "home"


@pytest.fixture
def live(run, loop, qapp, checkpoint):
    """Run a story inside a whole living program, with the dialog for a server open.

    Models on servers are opened as ever, others by the scripted checkpoint.
    """

    def opened_engine(choice, on_progress, stop):
        opens = open_engine if server_model(choice.model) else checkpoint
        return opens(choice, on_progress, stop)

    def live(story):
        program = Program(qapp, loop, locations(), time.perf_counter(), ModelThread(opened_engine))

        async def whole():
            await until(lambda: isinstance(program.model.state, Ready))
            program.window.commands[Command.MODELS].trigger()
            await until(lambda: program.window.findChild(ModelsDialog) is not None)
            dialog = program.window.findChild(ModelsDialog)
            assert dialog is not None
            await until(lambda: dialog.chosen_key != "")
            click(dialog.server_button)
            await until(lambda: dialog.findChild(ServerDialog) is not None)
            with ModelServer().running() as server:
                await story(program, dialog, dialog.findChild(ServerDialog), server)

        live_through(program, whole, run)

    return live


def click(button) -> None:
    assert button.isEnabled()
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)


def enter(field, text: str) -> None:
    field.setFocus()
    field.selectAll() if hasattr(field, "selectAll") else field.lineEdit().selectAll()
    QTest.keyClicks(field if hasattr(field, "selectAll") else field.lineEdit(), text)


async def outcome_of_test(dialog: ServerDialog) -> str:
    """Press Test, and return what the dialog says once the test is over."""
    click(dialog.test_button)
    await until(dialog.test_button.isEnabled)
    return dialog.result_label.text()


def rows(dialog: ModelsDialog) -> list[str]:
    model = dialog.list.model()
    return [model.index(number, 0).data() for number in range(model.rowCount())]


def test_server_is_tried_used_listed_and_forgotten(live, home):
    async def story(program, dialog, asking, server):
        server.key = SECRET
        enter(asking.address_edit, f"{server.address}/v1")
        assert "requires a key" in await outcome_of_test(asking)
        enter(asking.key_edit, SECRET)
        said = await outcome_of_test(asking)
        assert "sees images" in said
        assert asking.model_edit.currentText() == MODEL
        assert asking.caption_label.text().startswith("It says of a sample: colour")
        click(asking.use_button)
        host = server.address.partition("//")[2]
        await until(lambda: host in program.window.status_line.state_label.text())
        await until(lambda: "On servers" in rows(dialog))
        reference = f"{server.address} #{MODEL}"
        await until(lambda: load(locations().folder).servers == [reference])
        assert load(locations().folder).model == reference
        assert set(server.keys) == {"", f"Bearer {SECRET}"}
        # The folder form offers no words to avoid, and says why.
        banned = program.window.batch_panel.form.more.banned_edit
        await until(lambda: not banned.isEnabled())
        assert "cannot avoid words" in banned.toolTip()
        dialog.choose(reference)
        assert dialog.details.primary_button.text() == "Stop using"
        click(dialog.details.primary_button)
        await until(lambda: dialog.details.primary_button.text() == "Use")
        await until(banned.isEnabled)
        assert "cannot" not in banned.toolTip()
        dialog.details.more_menu.forget_action.trigger()
        await until(lambda: "On servers" not in rows(dialog))

    live(story)
    # The program has ended, and so no file is just replaced.
    files = [path for path in home.rglob("*") if path.is_file()]
    assert files
    assert not [path for path in files if SECRET.encode() in path.read_bytes()]


def test_settings_that_a_server_ignores_are_greyed_out_and_change_nothing(live):
    async def story(program, dialog, asking, server):
        server.refused = {"temperature", "seed", "continue_final_message"}
        enter(asking.address_edit, server.address)
        assert "sees images" in await outcome_of_test(asking)
        click(asking.use_button)
        form = program.window.batch_panel.form.more
        variant = program.window.batch_panel.trial_page.variants[0]
        await until(lambda: isinstance(program.model.state, Ready))
        await until(lambda: "ignores this setting" in form.temperature_box.toolTip())
        assert not form.temperature_box.isEnabled()
        assert not variant.temperature_box.isEnabled()
        request = Request(
            Picture(None, Image.new("RGB", (64, 48))),
            (Turn("What is it?"),),
            Sampling(temperature=0.5, beams=4, seed=3),
        )
        answer = await program.model.answer(request, lambda piece: None)
        assert answer.text.endswith("What is it?")
        program.window.commands[Command.SETTINGS].trigger()
        await until(lambda: program.window.findChild(SettingsDialog) is not None)
        settings = program.window.findChild(SettingsDialog)
        enabled = {name for name in SETTINGS.values() if name != "banned_words"}
        assert {name for name in enabled if not settings.control(name).isEnabled()} == {
            *("temperature", "seed", "beams")
        }
        assert "no beam search" in settings.control("beams").toolTip()
        settings.reject()

    live(story)


def test_doubt_of_a_servers_model_is_shown_as_that_of_a_local_one(live, tmp_path):
    Image.new("RGB", (320, 240), (200, 40, 40)).save(tmp_path / "red.png")

    def scores(piece):
        unsure = {
            "colour": [scored("colour", 0.15, shape=0.14)],
            "No": [scored("No", 0.9, Yes=0.05)],
        }
        return unsure.get(piece) or [scored(piece, 0.99)] if piece else []

    async def story(program, dialog, asking, server):
        server.scores = scores
        enter(asking.address_edit, server.address)
        assert "sees images" in await outcome_of_test(asking)
        click(asking.use_button)
        host = server.address.partition("//")[2]
        await until(lambda: host in program.window.status_line.state_label.text())
        dialog.close()
        window = program.window
        window.paths_opened.emit([tmp_path / "red.png"])
        await until(lambda: window.drop_zone.has_picture)
        QTest.keyClicks(window.prompt_box.prompt_edit, "What is it?")
        QTest.keyClick(window.prompt_box.prompt_edit, Qt.Key.Key_Return)
        views = window.transcript_view
        await until(lambda: views.exchange_views and views.exchange_views[0].evidence)
        view = views.exchange_views[0]
        [doubtful] = [word for word in view.evidence.words if word.doubt_step]
        assert doubtful.text == "colour"
        window.commands[Command.WORDS].trigger()
        popup = window.evidence_view.popup
        await until(lambda: popup.isVisible() and popup.word == doubtful)
        shown = {label.text() for label in popup.findChildren(QLabel) if label.isVisible()}
        assert {"colour", "15%", "shape", "14%"} <= shown
        assert "A server does not say where in the image a word rests." in shown
        assert not any("The image makes" in text or "The text alone" in text for text in shown)
        # What it was sent is shown, smaller after it refused that.
        facts = window.drop_zone.name_and_facts.facts_label
        window.resize(1600, 900)
        window.commands[Command.MODEL_VIEW].trigger()
        await until(lambda: "320 × 240 JPEG" in facts.text())
        server.largest_body = len(json.dumps(server.captions()[-1])) - 500
        QTest.keyClicks(window.prompt_box.prompt_edit, "And now?")
        QTest.keyClick(window.prompt_box.prompt_edit, Qt.Key.Key_Return)
        await until(lambda: "160 × 120 JPEG" in facts.text())
        window.commands[Command.WORDS].trigger()
        await until(lambda: popup.isVisible() and popup.word and popup.word.doubt_step)
        # Whether it is there is asked of the server too.
        click(popup.look_button)
        await until(lambda: popup.presence_label.isVisible())
        assert popup.presence_label.text()

    live(story)


class Doubt:
    """What a server says of the drawings of `folder`: the second is captioned with a doubtful word,
    and the third waits until `goes_on` is set."""

    def __init__(self, folder: Path):
        self.folder, self.goes_on = folder, threading.Event()
        folder.mkdir()
        for number in range(3):
            Image.new("RGB", (64, 48), (16 * number, 128, 128)).save(folder / f"{number}.png")

    def scores(self, piece: str) -> list[dict[str, Any]]:
        # What is said of each begins with a colour of its own.
        if piece.strip() == "2-8-8":
            self.goes_on.wait(60)
        return [scored(piece, 0.02 if piece.strip() == "1-8-8" else 0.99)] if piece else []

    async def begin(self, program, dialog, asking, server) -> None:
        """Begins a run over them."""
        window, workspace = program.window, program.workspace
        server.scores = self.scores
        enter(asking.address_edit, server.address)
        assert "sees images" in await outcome_of_test(asking)
        click(asking.use_button)
        host = server.address.partition("//")[2]
        await until(lambda: host in window.status_line.state_label.text())
        dialog.close()
        window.paths_opened.emit([self.folder])
        await until(lambda: workspace.counts.images == 3 and not workspace.counts.unread)
        window.commands[Command.GENERATE].trigger()
        run = program.folder_run
        await until(lambda: run.phase is Phase.CHOOSING and len(run.items) == 3)
        window.batch_panel.form.prompt_edit.setPlainText("What is it?")
        window.commands[Command.RUN_START].trigger()


@pytest.fixture
def doubt(tmp_path) -> Iterator[Doubt]:
    found = Doubt(tmp_path / "pictures")
    yield found
    found.goes_on.set()


async def until_so(is_so: Callable[[], Awaitable[bool]]) -> None:
    """As `until`, for what the workspace is asked."""
    async with asyncio.timeout(60):
        while not await is_so():
            pass


async def focused(program) -> ImageList:
    """The list of images, with the focus."""
    images = program.window.workspace_pane.list
    program.window.activateWindow()
    images.setFocus()
    await until(lambda: program.window.state.workspace.has_focus)
    return images


def test_doubt_of_a_run_over_a_server_is_in_its_column_and_goes_with_the_images(live, doubt):
    """It is there while the run goes on. A search finds it, and so does the key for the next
    doubtful image."""

    async def story(program, *asked):
        window, run, workspace = program.window, program.folder_run, program.workspace
        await doubt.begin(program, *asked)
        table = window.batch_panel.model
        await until(lambda: table.index(1, Column.DOUBT).data() == "1-8-8")
        assert not window.batch_panel.list.isColumnHidden(Column.DOUBT)
        assert run.phase is Phase.RUNNING

        async def is_doubtful() -> bool:
            rows = [await workspace.row_of(doubt.folder / f"{number}.png") for number in range(3)]
            return [(row.doubt or 0) >= 0.5 for row in rows] == [False, True, False]

        await until_so(is_doubtful)
        doubt.goes_on.set()
        await until(lambda: run.phase is Phase.OVER)
        window.show_conversation()
        images = await focused(program)
        QTest.keyClick(images, Qt.Key.Key_Home)
        await until(lambda: window.state.picture.name == "0.png")
        await until(window.commands[Command.NEXT_DOUBTFUL].isEnabled)
        QTest.keyClick(images, Qt.Key.Key_D)
        await until(lambda: window.state.picture.name == "1.png")
        line = window.workspace_pane.query_line
        line.edit.setFocus()
        QTest.keyClicks(line.edit, "doubt:>0.5")
        await until(lambda: len(workspace.ids) == 1)
        assert (await workspace.row_of(doubt.folder / "1.png")).id == workspace.ids[0]

    live(story)


def test_undo_of_caption_again_brings_back_the_answer_though_doubt_came_before_the_end(live, doubt):
    async def story(program, *asked):
        window, run, workspace = program.window, program.folder_run, program.workspace
        control, alt = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.AltModifier
        doubt.goes_on.set()
        await doubt.begin(program, *asked)
        await until(lambda: run.phase is Phase.OVER)

        async def answer() -> str | None:
            row = await workspace.row_of(doubt.folder / "1.png")
            return await workspace.read(lambda open: open.answers.of(row.id))

        async def is_first() -> bool:
            return await answer() == "colour 1-8-8 for What is it?"

        await until_so(is_first)
        doubt.goes_on.clear()
        window.batch_panel.form.prompt_edit.setPlainText("And now?")
        images = await focused(program)
        QTest.keyClick(images, Qt.Key.Key_A, control)
        await until(lambda: window.state.workspace.selected == 3)
        await until(window.commands[Command.CAPTION_AGAIN].isEnabled)
        QTest.keyClick(images, Qt.Key.Key_G, control | alt)
        await until(lambda: window.findChild(AgainDialog) is not None)
        click(window.findChild(AgainDialog).findChild(QPushButton, "again_button"))
        table = window.batch_panel.model
        await until(lambda: table.items[1].caption.endswith("And now?"))
        await until(lambda: table.index(1, Column.DOUBT).data() == "1-8-8")
        doubt.goes_on.set()
        await until(lambda: workspace.undo_text == "Caption again")
        assert await answer() == "colour 1-8-8 for And now?"
        images = await focused(program)
        await until(window.commands[Command.UNDO].isEnabled)
        QTest.keyClick(images, Qt.Key.Key_Z, control)
        await until_so(is_first)

    live(story)


def test_server_that_does_not_do_is_told_in_the_dialog(live):
    async def story(program, dialog, asking, server):
        enter(asking.address_edit, "127.0.0.1:1")
        assert "cannot be reached" in await outcome_of_test(asking)
        enter(asking.address_edit, server.address)
        server.models = ["a", MODEL]
        assert "2 models" in await outcome_of_test(asking)
        enter(asking.model_edit, MODEL)
        server.is_blind = True
        assert "does not see images" in await outcome_of_test(asking)
        server.models = []
        assert "lists no model" in await outcome_of_test(asking)

    live(story)


def test_several_servers_are_tried_and_used_together(live):
    async def story(program, dialog, asking, server):
        with ModelServer().running() as other:
            enter(asking.address_edit, f"{server.address},2 {other.address}")
            server.models = ["a", MODEL]
            # What both have is the only model that there is to choose.
            assert "on all 2 servers" in await outcome_of_test(asking)
            assert asking.model_edit.currentText() == MODEL
            other.is_blind = True
            host = other.address.partition("//")[2]
            said = await outcome_of_test(asking)
            assert f"on {host} answers, but does not see images" in said
            other.is_blind = False
            enter(asking.key_edit, SECRET)
            assert "A key is for one server" in await outcome_of_test(asking)
            click(asking.use_button)
            assert "A key is for one server" in asking.result_label.text()
            asking.key_edit.clear()
            click(asking.use_button)
            reference = f"{server.address},2 {other.address} #{MODEL}"
            await until(lambda: load(locations().folder).servers == [reference])
            shown = program.window.status_line.state_label
            await until(lambda: host in shown.text())
            assert set(server.keys) | set(other.keys) == {""}

    live(story)


def test_servers_on_this_computer_are_found_at_their_usual_ports(live, monkeypatch):
    async def story(program, dialog, asking, server):
        with ModelServer().running() as other:
            other.key = SECRET  # It answers too, that it requires a key.
            products = {server.server_port: "LM Studio", other.server_port: "vLLM", 1: "Ollama"}
            for port in list(USUAL_PORTS):
                monkeypatch.delitem(USUAL_PORTS, port)
            for port, product in products.items():
                monkeypatch.setitem(USUAL_PORTS, port, product)
            assert not server.asked
            click(asking.search_button)
            await until(asking.search_button.isEnabled)
            said = asking.result_label.text()
            assert f"{server.address} (LM Studio)" in said
            assert f"{other.address} (vLLM)" in said
            assert "Ollama" not in said
            box = asking.address_edit
            offered = [box.itemText(row) for row in range(box.count())]
            assert offered == [server.address, other.address]
            assert not server.asked

    live(story)


def elsewhere(server: ModelServer) -> str:
    """An address that only the system's resolver knows to be this machine."""
    return f"http://127.1:{server.server_port}"


def test_nothing_is_sent_to_another_computer_while_offline(live):
    async def story(program, dialog, asking, server):
        address = elsewhere(server)
        enter(asking.address_edit, address)
        assert "sees images" in await outcome_of_test(asking)
        click(asking.use_button)
        await until(lambda: "127.1" in program.window.status_line.state_label.text())
        reference = f"{address} #{MODEL}"
        await until(lambda: load(locations().folder).servers == [reference])
        # A server that is used is not used any more.
        dialog.options_menu.offline_action.trigger()
        await until(lambda: isinstance(program.model.state, Absent))
        requests = len(server.keys)
        # Nor is one that is chosen from the list, or tried.
        await until(lambda: "On servers" in rows(dialog))
        dialog.choose(reference)
        button = dialog.details.primary_button
        await until(lambda: dialog.chosen_key == reference and button.text() == "Use")
        await until(button.isEnabled)
        click(button)
        await until(lambda: isinstance(program.model.state, Failed))
        assert "nothing is sent to 127.1" in str(program.model.state.error)

        def shown() -> list[ServerDialog]:
            return [one for one in dialog.findChildren(ServerDialog) if one.isVisible()]

        # The one before may not be deleted yet.
        await until(lambda: not shown())
        click(dialog.server_button)
        await until(lambda: len(shown()) == 1)
        (again,) = shown()
        enter(again.address_edit, address)
        assert "nothing is sent to 127.1" in await outcome_of_test(again)
        assert len(server.keys) == requests
        # This computer's own servers stay at hand.
        enter(again.address_edit, server.address)
        assert "sees images" in await outcome_of_test(again)

    live(story)
