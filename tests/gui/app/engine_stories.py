"""The whole window on a computer with an NVIDIA card, as the packaged program runs there.

`test_engines` runs these tests in a process of their own, whose driver is a stand-in: the drivers'
libraries are found by LD_LIBRARY_PATH, which a process reads once.
"""

import json
import os
import time
from contextlib import contextmanager, suppress

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QDialog, QMessageBox, QPushButton

from core.engine_packs.choice import Chosen
from core.engine_packs.current import set_current
from core.locations import locations, writable_locations
from core.version import program_version
from gui.app.program import Program
from gui.engines.panel import EnginePanel
from gui.engines.state import Stage
from gui.models.dialog import ModelsDialog
from gui.session.model_thread import ModelThread
from gui.widgets.notice import NoticeActionKind
from gui.window.commands import Command
from gui.window.settings_dialog import SettingsDialog
from tests.gui.conftest import until
from tests.support.index_server import IndexServer
from tests.support.living_program import live_through
from tests.support.packs import TORCH_WHEEL, make_wheels, pins_of, write_pack, write_pins

WHEELS = make_wheels()
KINDS = NoticeActionKind


@pytest.fixture(autouse=True)
def card(monkeypatch):
    monkeypatch.setenv("CUDA", "13000")
    monkeypatch.setenv("CARDS", "NVIDIA GeForce RTX 3060|12884901888|8|6")
    monkeypatch.setenv("DRIVER", "580.65.06")
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    for name in ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "PIP_NO_INDEX"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def server():
    with IndexServer(WHEELS).running() as server:
        yield server


@pytest.fixture
def packaged(run, loop, qapp, home, tmp_path, checkpoint, server):
    """Runs a story in a program whose engine is the processor's, or another one."""

    def packaged(story, engine="cpu", note="", wheels=WHEELS):
        engines = locations().engines
        folder = tmp_path / "program" / "engines" / "cpu" if engine == "cpu" else engines / engine
        set_current(Chosen(folder, engine, note))
        server.files = dict(wheels)
        pins = write_pins(tmp_path / "pins.json", pins_of(wheels), server.address)
        thread = ModelThread(checkpoint)
        places = writable_locations()
        program = Program(qapp, loop, places, time.perf_counter(), thread, pins)

        async def whole():
            await until(program.window.isVisible)
            await story(program)

        live_through(program, whole, run)
        return program

    return packaged


async def looked(program):
    await program.engine_packs.look()


def notice(program):
    return program.window.notice_bar.notice


async def panel_of(program):
    """Opens the dialog by its menu command and returns what is in it."""
    program.window.commands[Command.ENGINES].trigger()
    await until(lambda: _dialogs("engines_dialog"))
    return _panel_in(_dialogs("engines_dialog")[0])


def _panel_in(dialog: QDialog) -> EnginePanel:
    panel = dialog.findChild(EnginePanel)
    assert panel is not None
    return panel


def _dialogs(name):
    return [
        widget
        for widget in QApplication.topLevelWidgets()
        if isinstance(widget, QDialog) and widget.objectName() == name and widget.isVisible()
    ]


def bytes_in(folder):
    """How much of a download is there; its files get other names when they are complete."""
    size = 0
    for part in folder.rglob("*.part"):
        with suppress(FileNotFoundError):
            size += part.stat().st_size
    return size


def click(panel, caption):
    (button,) = [one for one in panel.buttons if one.isVisible() and one.text() == caption]
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)


def stage_is(program, *stages):
    return lambda: program.engine_packs.state.stage in stages


def test_offer_is_made_once_for_each_pack_and_version(packaged, home):
    async def first(program):
        await until(lambda: notice(program) is not None)  # By itself, seconds after the start.
        shown = notice(program)
        for words in ("NVIDIA GeForce RTX 3060", "8 bits", "502 kB", "NVIDIA's licences"):
            assert words in shown.text
        assert (shown.action.kind, shown.action.text) == (KINDS.SHOW_ENGINES, "Get…")
        QTest.mouseClick(program.window.notice_bar.action_button, Qt.MouseButton.LeftButton)
        await until(lambda: _dialogs("engines_dialog"))

    async def second(program):
        await looked(program)
        assert program.engine_packs.state.stage is Stage.OFFERED
        assert notice(program) is None

    packaged(first)
    kept = json.loads((home / "settings.json").read_text())["seen_offers"]
    assert kept == [f"{program_version()} offered cuda130"]
    packaged(second)
    (home / "settings.json").write_text(
        json.dumps({"seen_offers": ["0.0.1 offered cuda130", 7, None]})
    )

    async def newer(program):
        await looked(program)
        assert notice(program) is not None

    packaged(newer)


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"CUDA": "12020", "DRIVER": "535.1"}, "driver 580 or newer"),
        ({"HANG": "0", "CARDS": ""}, ""),
        ({"CARDS": "Tesla K80|11997020160|3|7"}, ""),
    ],
)
def test_driver_that_is_too_old_is_named_and_what_cannot_be_helped_is_not(
    packaged, monkeypatch, environment, words
):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    async def story(program):
        await looked(program)
        shown = notice(program)
        assert (words in shown.text) if words else (shown is None)

    packaged(story)


def test_pack_is_got_and_used_after_a_restart(packaged, home):
    async def story(program):
        panel = await panel_of(program)
        await until(stage_is(program, Stage.OFFERED))
        click(panel, "Download")
        await until(stage_is(program, Stage.GETTING))
        await until(stage_is(program, Stage.NEEDS_RESTART))
        assert "Restart Onlooker" in panel.sentence_label.text()
        shown = notice(program)
        assert (shown.action.kind, shown.action.text) == (KINDS.RESTART, "Restart")
        (home / "engines" / "use").write_text("cpu")
        QTest.mouseClick(program.window.notice_bar.action_button, Qt.MouseButton.LeftButton)
        await until(lambda: not program.window.isVisible())

    program = packaged(story)
    assert program.restarts_on == []
    assert not (home / "engines" / "use").exists()  # So that the pack is used.

    async def used(program):
        await looked(program)
        assert program.engine_packs.state.stage is Stage.IN_USE
        assert notice(program) is None
        assert program.restarts_on is None

    packaged(used, engine="cuda130")


def test_download_is_paused_resumed_from_the_last_byte_and_discarded(packaged, server, home):
    getting = home / "engines" / ".getting-cuda130"

    async def story(program):
        packs = program.engine_packs
        panel = await panel_of(program)
        await until(stage_is(program, Stage.OFFERED))
        server.faults.holds = [50_000, 50_000]
        click(panel, "Download")
        await until(server.is_held.is_set)
        await until(lambda: (job := packs.state.job) and job.progress and job.progress.total)
        # Both files are held; the server only knows what it sent.
        await until(lambda: bytes_in(getting) >= 100_000)
        assert program.window.status_line.download_button.isVisible()
        click(panel, "Pause")
        await until(stage_is(program, Stage.PAUSED))
        assert panel.progress.stage_label.text() == "Paused"
        assert not program.window.status_line.download_button.isVisible()
        assert bytes_in(getting)
        server.faults.holds, server.asked = [], []
        server.go_on.set()
        click(panel, "Resume")
        await until(stage_is(program, Stage.NEEDS_RESTART))
        assert any(server.ranges(TORCH_WHEEL))
        assert not getting.exists()

    packaged(story)


@pytest.mark.parametrize("is_paused", [True, False])
def test_cancelled_download_leaves_nothing(packaged, server, home, is_paused):
    async def story(program):
        panel = await panel_of(program)
        await until(stage_is(program, Stage.OFFERED))
        server.faults.holds = [50_000, 50_000]
        click(panel, "Download")
        await until(server.is_held.is_set)
        if is_paused:
            click(panel, "Pause")
            await until(stage_is(program, Stage.PAUSED))
            click(panel, "Discard download")
        else:
            click(panel, "Cancel")
        await until(stage_is(program, Stage.OFFERED))
        server.go_on.set()
        assert not (home / "engines" / ".getting-cuda130").exists()

    packaged(story)


def test_failure_is_a_notice_where_no_panel_shows_it_and_names_what_to_do(packaged, server):
    async def story(program):
        await looked(program)
        server.faults.missing = {TORCH_WHEEL}
        await program.engine_packs.get()
        shown = notice(program)
        assert TORCH_WHEEL in shown.text
        assert shown.action.kind is KINDS.SHOW_ENGINES
        panel = await panel_of(program)
        assert panel.error_frame.isVisible()
        server.faults.missing = set()
        click(panel, "Resume")
        await until(stage_is(program, Stage.NEEDS_RESTART))
        assert not panel.error_frame.isVisible()

    packaged(story)


def test_pack_that_fails_its_trial_is_told_of_again_at_the_next_start_and_removed(packaged, home):
    wheels = make_wheels(on_card="9000.0")

    async def failing(program):
        panel = await panel_of(program)
        await until(stage_is(program, Stage.OFFERED))
        click(panel, "Download")
        await until(stage_is(program, Stage.FAILED))
        assert "computes wrongly" in panel.error_label.text()

    async def next_start(program):
        await looked(program)
        assert "computes wrongly" in notice(program).text
        panel = await panel_of(program)
        click(panel, "Remove…")
        (box,) = [w for w in QApplication.topLevelWidgets() if isinstance(w, QMessageBox)]
        (remove,) = [one for one in box.findChildren(QPushButton) if one.text() == "Remove"]
        QTest.mouseClick(remove, Qt.MouseButton.LeftButton)
        await until(stage_is(program, Stage.OFFERED))
        assert notice(program) is None  # It is no longer true.

    packaged(failing, wheels=wheels)
    packaged(next_start, wheels=wheels)
    assert not (home / "engines" / ".getting-cuda130").exists()


def test_pack_of_another_version_is_replaced(packaged, home):
    write_pack(home / "engines" / "cuda129", torch="2.12.0")

    async def story(program):
        await looked(program)
        assert "for another version of Onlooker" in notice(program).text
        panel = await panel_of(program)
        click(panel, "Download")
        await until(stage_is(program, Stage.NEEDS_RESTART))
        assert not (home / "engines" / "cuda129").exists()

    packaged(story, note="The engine pack cuda129 is not used: it is for PyTorch 2.12.0.")


def test_why_a_pack_is_not_used_is_said(packaged, home):
    write_pack(home / "engines" / "cuda130", files={"torch/lib/missing.so": 7})
    note = "The engine pack cuda130 is not used: it is damaged (torch/lib/missing.so)."

    async def story(program):
        await looked(program)
        assert note in notice(program).text
        assert notice(program).action.kind is KINDS.SHOW_ENGINES

    packaged(story, note=note)


def test_pack_in_use_keeps_its_files_until_the_next_start(packaged, home):
    folder = write_pack(home / "engines" / "cuda130")

    async def removing(program):
        panel = await panel_of(program)
        await until(stage_is(program, Stage.IN_USE))
        click(panel, "Remove…")
        (box,) = [w for w in QApplication.topLevelWidgets() if isinstance(w, QMessageBox)]
        (remove,) = [one for one in box.findChildren(QPushButton) if one.text() == "Remove"]
        QTest.mouseClick(remove, Qt.MouseButton.LeftButton)
        await until(stage_is(program, Stage.REMOVED))
        assert (folder / "torch" / "lib" / "libtorch_cuda.so").exists()
        click(panel, "Restart")
        await until(lambda: not program.window.isVisible())

    async def next_start(program):
        await looked(program)
        assert not folder.exists()
        assert program.engine_packs.state.stage is Stage.OFFERED

    packaged(removing, engine="cuda130")
    packaged(next_start)


def test_offline_program_says_how_to_go_online(packaged, home):
    home.mkdir()
    (home / "settings.json").write_text(json.dumps({"works_offline": True}))

    async def story(program):
        panel = await panel_of(program)
        await until(stage_is(program, Stage.OFFERED))
        click(panel, "Download")
        await until(panel.error_frame.isVisible)
        assert "Go online" in panel.error_label.text()

    packaged(story)


def test_wheels_come_from_a_folder_without_a_network(packaged, server, home, tmp_path):
    home.mkdir()
    (home / "settings.json").write_text(json.dumps({"works_offline": True}))
    for name, content in WHEELS.items():
        (tmp_path / name).write_bytes(content)

    async def story(program):
        panel = await panel_of(program)
        await until(stage_is(program, Stage.OFFERED))
        panel.folder_chosen.emit(str(tmp_path))
        await until(stage_is(program, Stage.NEEDS_RESTART))

    packaged(story)
    assert not server.asked


def test_settings_and_models_show_the_same(packaged):
    async def story(program):
        await looked(program)
        program.window.commands[Command.SETTINGS].trigger()
        await until(lambda: _dialogs("settings_dialog"))
        (settings,) = _dialogs("settings_dialog")
        assert isinstance(settings, SettingsDialog)
        titles = [settings.tabs.tabText(number) for number in range(settings.tabs.count())]
        settings.tabs.setCurrentIndex(titles.index("Graphics card"))
        panel = _panel_in(settings)
        assert panel.buttons[0].text() == "Download"
        settings.reject()
        program.window.commands[Command.MODELS].trigger()
        await until(lambda: _dialogs("models_dialog"))
        (models,) = _dialogs("models_dialog")
        assert isinstance(models, ModelsDialog)
        assert models.focusWidget() is models.search_edit
        assert "RTX 3060" in models.engine_line.label.text()
        QTest.mouseClick(models.engine_line.button, Qt.MouseButton.LeftButton)
        await until(lambda: _dialogs("engines_dialog"))

    packaged(story)


def test_closing_the_window_during_a_download_keeps_what_has_come(packaged, server, home):
    async def story(program):
        panel = await panel_of(program)
        await until(stage_is(program, Stage.OFFERED))
        server.faults.holds = [50_000, 50_000]
        click(panel, "Download")
        await until(server.is_held.is_set)
        getting = home / "engines" / ".getting-cuda130"
        await until(lambda: bytes_in(getting))

    packaged(story)
    parts = (home / "engines" / ".getting-cuda130").rglob("*.part")
    assert sum(path.stat().st_size for path in parts)


def test_looking_does_not_keep_the_window_waiting(packaged, monkeypatch):
    monkeypatch.setenv("HANG", "3")

    async def story(program):
        panel = await panel_of(program)
        with ticking() as longest:
            await until(stage_is(program, Stage.OFFERED))
        assert "502 kB" in panel.sentence_label.text()
        assert longest[0] < 2.5  # The driver's library takes three seconds to answer.

    packaged(story)


@contextmanager
def ticking():
    """The longest time that a timer of the event loop was late, in seconds."""
    import asyncio

    longest = [0.0]

    async def tick():
        while True:
            before = time.perf_counter()
            await asyncio.sleep(0.01)
            longest[0] = max(longest[0], time.perf_counter() - before)

    task = asyncio.ensure_future(tick())
    try:
        yield longest
    finally:
        task.cancel()
