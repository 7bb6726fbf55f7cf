"""The model dialog in the whole program, over a hub on loopback and real files."""

import asyncio
import json
import shutil
import threading
import time
from dataclasses import replace

import pytest
from huggingface_hub import constants
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QFileDialog, QMessageBox

from core.engine import EngineFacts, Failed, Loading, Ready
from core.errors import Cancelled, OutOfMemory
from core.hub import DeviceMemory, Entry, Hub, JobKind, ModelJob, fetch, find_models, list_entries
from core.hub.catalogue import offers
from core.locations import locations
from core.settings import Settings, load
from core.transcript import BUILT_IN, Precision
from gui.app.program import Program
from gui.models.dialog import ModelsDialog
from gui.models.facts import Fact
from gui.models.token_dialog import TokenDialog
from gui.session.model_library import ModelLibrary
from gui.session.model_thread import ModelThread
from gui.widgets.theme import Theme
from gui.window.commands import Command
from tests.gui.conftest import until
from tests.support.hub_server import HubServer
from tests.support.living_program import live_through

pytestmark = pytest.mark.usefixtures("ring")

ID = "someone/tiny-llava"
KEY = Qt.Key
FACTS = EngineFacts("Built-in model", "cpu", "A processor", Precision.FLOAT32, 1000, 2048)


@pytest.fixture
def server(tiny_transformers_layout, monkeypatch, tmp_path):
    """The hub that HF_ENDPOINT names, and an empty HF_HOME."""
    server = HubServer()
    server.add(ID, tiny_transformers_layout)
    monkeypatch.setattr(constants, "ENDPOINT", server.endpoint)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "no token"))
    with server.running():
        yield server


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("ONLOOKER_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def live(run, loop, qapp, home, server, checkpoint):
    """Run a story inside a whole living program, its dialog open; `engines` opens models."""

    def live(story, engines=checkpoint):
        program = Program(qapp, loop, locations(), time.perf_counter(), ModelThread(engines))

        async def whole():
            await until(lambda: isinstance(program.model.state, Ready), seconds=60)
            await story(program, await opened(program))

        live_through(program, whole, run)

    return live


async def opened(program) -> ModelsDialog:
    """The dialog, once it knows what is here."""
    program.window.commands[Command.MODELS].trigger()
    await until(lambda: program.window.findChild(ModelsDialog) is not None)
    dialog = program.window.findChild(ModelsDialog)
    await until(lambda: dialog.chosen_key != "")
    return dialog


def type_id(dialog, hub_id=ID) -> None:
    dialog.search_edit.clear()
    QTest.keyClicks(dialog.search_edit, hub_id)
    QTest.keyClick(dialog.search_edit, KEY.Key_Return)


def press(dialog, name) -> None:
    """Press the first or the second button, which must say so."""
    details = dialog.details
    button = next(b for b in (details.primary_button, details.second_button) if b.text() == name)
    assert button.isEnabled()
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)


def says(dialog, words) -> bool:
    return words in dialog.details.primary_button.text()


def rows(dialog) -> list[str]:
    model = dialog.list.model()
    return [model.index(number).data() for number in range(model.rowCount())]


async def got(dialog) -> None:
    type_id(dialog)
    press(dialog, "Download")
    await until(lambda: says(dialog, "Load in"))


async def held(program, server, dialog) -> None:
    """A download that stands still half way."""
    server.faults.holds = [1000]
    type_id(dialog)
    press(dialog, "Download")
    is_half_way = server.is_half_way(ID, 1000)
    await until(
        lambda: (
            (job := program.model_library.jobs.get(ID))
            and job.progress
            and is_half_way(job.progress)
        )
    )
    await until(lambda: dialog.details.progress.bar.isVisible())


# Get


def test_model_is_got_loaded_and_remembered_by_the_keyboard_alone(live, home):
    from core.open_engine import open_engine

    async def story(program, dialog):
        type_id(dialog)
        QTest.keyClick(dialog.list, KEY.Key_Return)
        await until(lambda: says(dialog, "Load in 16 bits"))
        assert rows(dialog)[0] == "On this computer"
        QTest.keyClick(dialog.list, KEY.Key_Return)
        await until(lambda: says(dialog, "Unload"), seconds=60)
        assert program.model.state.facts.model == ID
        assert ID.rpartition("/")[2] in program.window.status_line.state_label.text()
        await until(lambda: load(home).model == ID)

    live(story, open_engine)


def test_download_pauses_at_once_and_goes_on(live, server):
    async def story(program, dialog):
        await held(program, server, dialog)
        began = time.monotonic()
        press(dialog, "Pause")
        await until(lambda: says(dialog, "Resume"))
        assert time.monotonic() - began < 10  # The server says no more, and is waited for for 20.
        assert dialog.details.progress.stage_label.text() == "Paused"
        server.go_on.set()
        press(dialog, "Resume")
        await until(lambda: says(dialog, "Load in"))

    live(story)


def test_download_goes_on_while_the_dialog_is_closed_and_the_status_line_says_so(live, server):
    async def story(program, dialog):
        await held(program, server, dialog)
        dialog.close()
        button = program.window.status_line.download_button
        await until(button.isVisible)
        assert "tiny-llava" in button.toolTip()
        server.go_on.set()
        await until(lambda: not button.isVisible())
        dialog = await opened(program)
        assert "tiny-llava" in rows(dialog)

    live(story)


def test_program_that_is_closed_during_a_download_goes_on_with_it_at_the_next_start(live, server):
    async def first(program, dialog):
        await held(program, server, dialog)

    async def second(program, dialog):
        server.go_on.set()
        dialog.choose(ID)
        assert dialog.details.progress.stage_label.text() == "Paused"
        press(dialog, "Resume")
        await until(lambda: says(dialog, "Load in"))
        assert any(ranges.startswith("bytes=") for ranges in _ranges(server))

    live(first)
    live(second)


def _ranges(server) -> list[str]:
    return [asked.headers.get("range", "") for asked in server.asked]


def test_cancelled_download_leaves_nothing_behind(live, server, tmp_path):
    async def story(program, dialog):
        await held(program, server, dialog)
        press(dialog, "Cancel")
        await until(lambda: not list((tmp_path / "cache").glob("models--*")))
        await until(lambda: says(dialog, "Download"))

    live(story)


def test_discarded_download_is_one_to_be_had_again(live, server, tmp_path):
    async def story(program, dialog):
        await held(program, server, dialog)
        press(dialog, "Pause")
        await until(lambda: says(dialog, "Resume"))
        press(dialog, "Discard download")
        await until(lambda: says(dialog, "Download"))
        assert not list((tmp_path / "cache").glob("models--*"))

    live(story)


def test_second_download_waits_for_the_first(live, server):
    server.repositories["someone/other-llava"] = server.repositories[ID]

    async def story(program, dialog):
        await held(program, server, dialog)
        type_id(dialog, "someone/other-llava")
        press(dialog, "Download")
        await until(lambda: "Waiting for another" in dialog.details.progress.stage_label.text())
        server.go_on.set()
        await until(lambda: says(dialog, "Load in"))
        assert {"tiny-llava", "other-llava"} <= set(_all_names(dialog))

    live(story)


def _all_names(dialog) -> list[str]:
    dialog.search_edit.clear()
    return rows(dialog)


def test_failed_download_says_why_and_is_tried_again(live, server):
    server.faults.busy = [(500, None), (429, "3600")]

    async def story(program, dialog):
        type_id(dialog)
        press(dialog, "Download")
        await until(dialog.details.error_frame.isVisible)
        assert "too many requests" in dialog.details.error_label.text()
        press(dialog, "Try again")
        await until(lambda: says(dialog, "Load in"))
        assert not dialog.details.error_frame.isVisible()

    live(story)


def test_gated_model_asks_for_a_token_which_is_kept_in_the_keyring(live, server, ring):
    server.gated = {ID}

    async def story(program, dialog):
        type_id(dialog)
        press(dialog, "Download")
        await until(dialog.details.help_button.isVisible)
        assert "requires accepting its licence" in dialog.details.error_label.text()
        QTest.mouseClick(dialog.details.help_button, Qt.MouseButton.LeftButton)
        await until(lambda: dialog.findChild(TokenDialog) is not None)
        asking = dialog.findChild(TokenDialog)
        QTest.keyClicks(asking.token_edit, "hf_right")
        QTest.keyClick(asking.token_edit, KEY.Key_Return)
        await until(lambda: "hf_right" in ring.kept.values())
        press(dialog, "Try again")
        await until(lambda: says(dialog, "Load in"))

    live(story)


def test_model_is_looked_up_before_it_is_got(live, server):
    server.cards[ID] = {"cardData": {"license": "mit"}}

    async def story(program, dialog):
        type_id(dialog)
        assert "Look it up" in dialog.details.hint_label.text()
        press(dialog, "Look up")
        await until(lambda: dialog.details.memory_table.isVisible())
        assert "Available to download" in rows(dialog)
        assert dialog.details.facts.value_labels[Fact.LICENCE].text() == "MIT"
        assert not dialog.details.second_button.isVisible()
        assert not server.sent("model-00001-of-00003.safetensors")
        press(dialog, "Download")
        await until(lambda: says(dialog, "Load in"))
        assert dialog.details.facts.value_labels[Fact.LICENCE].text() == "MIT"

    live(story)


def test_look_up_that_fails_says_why(live, server):
    async def story(program, dialog):
        type_id(dialog, "someone/nothing")
        press(dialog, "Look up")
        await until(dialog.details.error_frame.isVisible)
        assert "has no public model “someone/nothing”" in dialog.details.error_label.text()
        press(dialog, "Look up")
        await until(lambda: not program.model_library.jobs.all or not says(dialog, "Stop"))

    live(story)


def test_download_that_waits_for_a_locked_keyring_is_ended_at_once(live, server, ring, monkeypatch):
    server.gated = {ID}
    asked, unlocked = threading.Event(), threading.Event()
    monkeypatch.setattr(ring, "get_password", lambda *_: asked.set() or unlocked.wait(30) or None)

    async def story(program, dialog):
        type_id(dialog)
        press(dialog, "Download")
        await until(asked.is_set)
        press(dialog, "Pause")
        await until(lambda: not program.model_library.jobs.all, seconds=20)

    live(story)
    unlocked.set()


def test_program_does_not_wait_for_a_keyring_for_ever(run, loop, ring, home, monkeypatch):
    asked, unlocked = threading.Event(), threading.Event()
    monkeypatch.setattr(ring, "set_password", lambda *_: asked.set() or unlocked.wait(30))

    async def story() -> None:
        library = ModelLibrary(Settings(), lambda: asyncio.sleep(0))
        keeping = asyncio.create_task(library.keep_token("hf_mine"))
        await until(asked.is_set)
        assert not await library.jobs.close(0.05)
        unlocked.set()
        await keeping
        assert await library.jobs.close(10)

    run(story())


def test_vision_tower_that_is_missing_is_got_with_one_click(
    live, server, tiny_original_layout, tmp_path
):
    whole = "someone/tiny-original"
    server.add(whole, tiny_original_layout)
    config = json.loads(server.repositories[whole]["config.json"])
    config["mm_vision_tower"] = "someone/tiny-clip"
    server.repositories[whole]["config.json"] = json.dumps(config).encode()
    server.add("someone/tiny-clip", tiny_original_layout / "clip")

    async def story(program, dialog):
        type_id(dialog, whole)
        press(dialog, "Download")
        await until(lambda: says(dialog, "Load in"))
        shutil.rmtree(tmp_path / "cache" / "models--someone--tiny-clip")
        await program.model_library.refresh()
        assert "“someone/tiny-clip” is not on this computer" in dialog.details.error_label.text()
        assert not dialog.details.primary_button.isEnabled()
        assert dialog.details.help_button.text() == "Download tiny-clip"
        QTest.mouseClick(dialog.details.help_button, Qt.MouseButton.LeftButton)
        await until(lambda: says(dialog, "Load in"))
        assert not dialog.details.error_frame.isVisible()

    live(story)


def test_nothing_is_asked_of_the_network_before_a_model_is_wanted_nor_while_offline(live, server):
    async def story(program, dialog):
        assert not server.asked
        dialog.options_menu.offline_action.trigger()
        await until(dialog.notice_bar.isVisible)
        type_id(dialog)
        assert not dialog.details.primary_button.isEnabled()
        QTest.keyClick(dialog.list, KEY.Key_Return)
        QTest.mouseClick(dialog.notice_bar.action_button, Qt.MouseButton.LeftButton)
        await until(dialog.details.primary_button.isEnabled)
        assert not server.asked

    live(story)


def test_environment_that_forbids_the_network_is_reported_and_cannot_be_overruled(
    live, server, monkeypatch
):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)

    async def story(program, dialog):
        await until(dialog.notice_bar.isVisible)
        assert "HF_HUB_OFFLINE keeps Onlooker offline" in dialog.notice_bar.text_label.text()
        assert not dialog.notice_bar.action_button.isVisible()
        assert not dialog.options_menu.offline_action.isEnabled()
        type_id(dialog)
        assert not dialog.details.primary_button.isEnabled()
        assert not server.asked

    live(story)


def test_offline_nobody_asks_for_a_newer_version_either(live, server, home):
    async def story(program, dialog):
        dialog.options_menu.offline_action.trigger()
        await until(lambda: load(home).works_offline)
        program.window.commands[Command.UPDATES].trigger()
        await until(program.window.notice_bar.isVisible)
        assert "Onlooker is offline" in program.window.notice_bar.text_label.text()

    live(story)


def test_models_go_into_the_folder_that_was_chosen(live, server, tmp_path, home):
    folder = tmp_path / "disk"
    folder.mkdir()

    async def story(program, dialog):
        dialog.options_menu.into_action.trigger()
        choose_folder(dialog, folder)
        await until(lambda: dialog.options_menu.into_action.isChecked())
        await got(dialog)
        assert (folder / "tiny-llava" / "config.json").exists()
        assert dialog.chosen_key == str(folder / "tiny-llava")

    live(story)
    assert load(home).download_folder == str(folder)


def test_download_that_finds_no_space_goes_on_in_the_folder_chosen_then(
    live, server, tmp_path, home, monkeypatch
):
    folder = tmp_path / "disk"
    folder.mkdir()
    here = "core.hub.download.free_bytes"
    monkeypatch.setattr(here, lambda place: 10**12 if place.is_relative_to(folder) else 1000)

    async def story(program, dialog):
        type_id(dialog)
        press(dialog, "Download")
        await until(dialog.details.help_button.isVisible)
        assert "on the disk" in dialog.details.error_label.text()
        QTest.mouseClick(dialog.details.help_button, Qt.MouseButton.LeftButton)
        choose_folder(dialog, folder)
        await until(lambda: load(home).download_folder == str(folder))
        await until(lambda: says(dialog, "Resume"))
        press(dialog, "Resume")
        await until(lambda: dialog.model.index_of(str(folder / "tiny-llava")).isValid())
        dialog.choose(str(folder / "tiny-llava"))
        await until(lambda: says(dialog, "Load in"))
        assert not list((tmp_path / "cache").glob("models--*"))

    live(story)


def choose_folder(dialog, folder) -> None:
    (asking,) = (one for one in dialog.findChildren(QFileDialog) if one.isVisible())
    assert asking.fileMode() is QFileDialog.FileMode.Directory
    asking.fileSelected.emit(str(folder))
    asking.close()


# Move, check, remove


def test_model_is_moved_and_loads_from_there(live, tmp_path, home):
    folder = tmp_path / "disk"

    async def story(program, dialog):
        await got(dialog)
        press(dialog, "Load in 16 bits")
        await until(lambda: says(dialog, "Unload"))
        assert not dialog.details.more_menu.move_action.isEnabled()
        assert dialog.details.more_menu.move_action.toolTip() == "Unload the model first."
        press(dialog, "Unload")
        await until(lambda: says(dialog, "Load in"))
        dialog.details.more_menu.move_action.trigger()
        choose_folder(dialog, folder)
        await until(lambda: dialog.chosen_key == str(folder / "tiny-llava"))
        press(dialog, "Load in 16 bits")
        await until(lambda: program.model.choice.model == str(folder / "tiny-llava"))
        await until(lambda: says(dialog, "Unload"))

    live(story)
    assert load(home).model == str(folder / "tiny-llava")


def test_damaged_model_is_found_out(live, tmp_path):
    async def story(program, dialog):
        await got(dialog)
        dialog.details.more_menu.check_action.trigger()
        await until(dialog.notice_bar.isVisible)
        assert "is complete and intact" in dialog.notice_bar.text_label.text()
        blob = max((tmp_path / "cache").rglob("blobs/*"), key=lambda path: path.stat().st_size)
        blob.write_bytes(bytes(blob.stat().st_size))
        dialog.details.more_menu.check_action.trigger()
        await until(dialog.details.error_frame.isVisible)
        assert "is damaged" in dialog.details.error_label.text()

    live(story)


def test_model_is_removed_only_after_it_was_asked(live, tmp_path):
    async def story(program, dialog):
        await got(dialog)
        for answer in ("Cancel", "Remove"):
            dialog.activateWindow()
            dialog.list.setFocus()
            await until(dialog.list.hasFocus)
            QTest.keyClick(dialog.list, KEY.Key_Delete)
            await until(lambda: dialog.findChild(QMessageBox, "remove_dialog") is not None)
            box = dialog.findChild(QMessageBox, "remove_dialog")
            (button,) = (one for one in box.buttons() if one.text() == answer)
            assert (tmp_path / "cache" / "models--someone--tiny-llava").exists()
            QTest.mouseClick(button, Qt.MouseButton.LeftButton)
            await until(lambda: dialog.findChild(QMessageBox, "remove_dialog") is None)
        await until(lambda: says(dialog, "Download"))
        assert not (tmp_path / "cache" / "models--someone--tiny-llava").exists()

    live(story)


def test_folder_of_ones_own_is_listed_and_taken_out_of_the_list_but_never_removed(
    live, tiny_transformers_layout
):
    async def story(program, dialog):
        dialog.options_menu.add_folder_action.trigger()
        choose_folder(dialog, tiny_transformers_layout)
        await until(lambda: tiny_transformers_layout.name in rows(dialog))
        dialog.choose(str(tiny_transformers_layout))
        assert not dialog.details.more_menu.remove_action.isEnabled()
        dialog.details.more_menu.forget_action.trigger()
        await until(lambda: tiny_transformers_layout.name not in rows(dialog))
        assert (tiny_transformers_layout / "config.json").exists()

    live(story)


@pytest.fixture
def large_settings(tiny_transformers_layout, server, tmp_path):
    """The model of the hub says that it is as large as LLaVA-1.5-7b."""
    folder = shutil.copytree(tiny_transformers_layout, tmp_path / "large")
    config = json.loads((folder / "config.json").read_text())
    config["text_config"] |= {
        "hidden_size": 4096,
        "intermediate_size": 11008,
        "num_hidden_layers": 32,
        "num_attention_heads": 32,
        "num_key_value_heads": 32,
    }
    (folder / "config.json").write_text(json.dumps(config))
    server.add(ID, folder)


@pytest.mark.usefixtures("large_settings")
def test_chosen_precision_is_the_one_that_is_loaded(live):
    async def story(program, dialog):
        await got(dialog)
        QTest.mouseClick(
            dialog.details.memory_table.precisions.button(2), Qt.MouseButton.LeftButton
        )
        press(dialog, "Load in 4 bits")
        await until(lambda: program.model.choice.model == ID)
        assert program.model.choice.dtype == "4-bit"
        await until(lambda: isinstance(program.model.state, Ready))
        dialog.choose(BUILT_IN)
        press(dialog, "Load in 16 bits")
        await until(lambda: program.model.choice.model == BUILT_IN)
        assert program.model.choice.dtype == "auto"

    live(story)


# The dialog by itself


@pytest.fixture
def dialog(qapp, qtbot):
    dialog = ModelsDialog(Theme(qapp))
    qtbot.addWidget(dialog)
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose, False)
    dialog.show()
    return dialog


def entries_of(tmp_path) -> list[Entry]:
    return list_entries(find_models([], tmp_path), "cuda:0")


CARD = DeviceMemory("cuda:0", "A card", 8_000_000_000)


def here(tmp_path, hub_id) -> list[Entry]:
    """The entries with this offer as if it were here."""
    built_in, *others = entries_of(tmp_path)
    assert built_in.local
    return [
        built_in,
        *(
            replace(entry, local=replace(built_in.local, model=hub_id, hub_id=hub_id))
            if entry.key == hub_id
            else entry
            for entry in others
        ),
    ]


def test_precision_that_fits_is_one_click_away(dialog, qtbot, tmp_path):
    dialog.show_entries(here(tmp_path, "llava-hf/llava-1.5-7b-hf"), CARD)
    dialog.choose("llava-hf/llava-1.5-7b-hf")
    shown = [label.text() for label in dialog.details.memory_table.fit_labels]
    assert [words.endswith("short") for words in shown] == [True, True, False]
    with qtbot.waitSignal(dialog.requests.load_asked) as asked:
        press(dialog, "Load in 4 bits")
    assert asked.args == ["llava-hf/llava-1.5-7b-hf", "4-bit"]


def test_model_that_fits_in_no_precision_says_so(dialog, tmp_path):
    dialog.show_entries(here(tmp_path, "llava-hf/llava-1.5-13b-hf"), CARD)
    dialog.choose("llava-hf/llava-1.5-13b-hf")
    assert "Too large for the free memory" in dialog.details.hint_label.text()
    assert "too large" in dialog.model.data(
        dialog.list.currentIndex(), Qt.ItemDataRole.AccessibleTextRole
    )


def test_model_that_ran_out_of_memory_offers_fewer_bits(dialog, qtbot, tmp_path):
    key = "llava-hf/llava-1.5-7b-hf"
    dialog.show_entries(here(tmp_path, key), replace(CARD, free=20_000_000_000))
    dialog.show_model_state(Failed(OutOfMemory("The memory is used up.", "8-bit")), key)
    dialog.choose(key)
    assert "used up" in dialog.details.error_label.text()
    assert says(dialog, "Load in 16 bits")
    with qtbot.waitSignal(dialog.requests.load_asked) as asked:
        QTest.mouseClick(dialog.details.help_button, Qt.MouseButton.LeftButton)
    assert asked.args == [key, "8-bit"]


def test_loaded_model_shows_its_precision_and_loads_in_another(dialog, qtbot, tmp_path):
    key = "llava-hf/llava-1.5-7b-hf"
    dialog.show_entries(here(tmp_path, key), CARD)
    dialog.show_model_state(Ready(replace(FACTS, dtype="4-bit")), key)
    dialog.choose(key)
    assert dialog.details.memory_table.precisions.checkedId() == 2
    assert says(dialog, "Unload")
    QTest.mouseClick(dialog.details.memory_table.precisions.button(1), Qt.MouseButton.LeftButton)
    with qtbot.waitSignal(dialog.requests.load_asked) as asked:
        press(dialog, "Load in 8 bits")
    assert asked.args == [key, "8-bit"]


@pytest.mark.parametrize("device", ["cpu", "cuda:0"])
def test_only_precisions_that_save_memory_can_be_chosen(dialog, tmp_path, device):
    entries = list_entries(find_models([], tmp_path), device)
    dialog.show_entries(entries, replace(CARD, device=device))
    for entry in entries:
        dialog.choose(entry.key)
        table = dialog.details.memory_table
        least = None
        for number, need in enumerate(entry.needs.values()):
            saves = least is None or need < least
            least = need if saves else least
            assert table.precisions.button(number).isEnabled() is saves
            assert (table.fit_labels[number].text() == "saves no memory") is not saves
    assert not entries[0].needs or not all(
        saves_memory(entries[0].needs, precision) for precision in entries[0].needs
    )


def saves_memory(needs, precision) -> bool:
    return precision is next(iter(needs)) or needs[precision] < next(iter(needs.values()))


def test_loading_is_shown_and_can_be_cancelled(dialog, qtbot, tmp_path):
    dialog.show_entries(entries_of(tmp_path), CARD)
    dialog.show_model_state(Loading(0.4, "Loading the weights"), BUILT_IN)
    dialog.choose(BUILT_IN)
    assert dialog.details.progress.stage_label.text() == "Loading the weights"
    assert not dialog.details.progress.rate_label.isVisible()
    with qtbot.waitSignal(dialog.requests.unload_asked):
        press(dialog, "Cancel loading")


def test_with_nothing_but_the_built_in_model_the_first_offer_is_shown(dialog, tmp_path):
    dialog.show_entries(entries_of(tmp_path), CARD)
    assert dialog.chosen_key == offers()[0].hub_id
    assert says(dialog, "Download")


def test_arrow_keys_walk_over_the_headings(dialog, tmp_path):
    dialog.show_entries(entries_of(tmp_path), CARD)
    dialog.choose(BUILT_IN)
    dialog.list.setFocus()
    QTest.keyClick(dialog.list, KEY.Key_Down)
    assert dialog.chosen_key == offers()[0].hub_id
    QTest.keyClick(dialog.list, KEY.Key_Up)
    assert dialog.chosen_key == BUILT_IN


def test_words_that_are_looked_for_leave_what_has_them(dialog, tmp_path):
    dialog.show_entries(entries_of(tmp_path), CARD)
    QTest.keyClick(dialog, KEY.Key_F, Qt.KeyboardModifier.ControlModifier)
    QTest.keyClicks(dialog.search_edit, "qwen3 4b")
    assert rows(dialog) == ["Available to download", "Qwen3-VL 4B"]
    QTest.keyClick(dialog.search_edit, KEY.Key_Down)
    assert dialog.list.hasFocus()
    QTest.keyClick(dialog.search_edit, KEY.Key_Escape)
    assert len(rows(dialog)) > 10
    QTest.keyClick(dialog.search_edit, KEY.Key_Escape)
    assert not dialog.isVisible()


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("someone/model", ["On the hub", "model"]),
        (
            "https://huggingface.co/Qwen/Qwen3-VL-4B-Instruct?x=1",
            ["Available to download", "Qwen3-VL 4B"],
        ),
        ("https://huggingface.co/someone/model/tree/main", ["On the hub", "model"]),
        ("no such thing", []),
        ("../../etc/passwd", []),
    ],
)
def test_any_name_at_the_hub_can_be_typed(dialog, tmp_path, typed, found):
    dialog.show_entries(entries_of(tmp_path), CARD)
    dialog.search_edit.setText(typed)
    assert rows(dialog) == found
    assert dialog.nothing_label.isVisible() is not bool(found)


def test_choice_stays_when_the_list_is_filled_again(dialog, tmp_path):
    dialog.show_entries(entries_of(tmp_path), CARD)
    dialog.choose("google/gemma-3-4b-it")
    dialog.show_entries(entries_of(tmp_path), CARD)
    assert dialog.chosen_key == "google/gemma-3-4b-it"
    assert "access token" in dialog.details.hint_label.text()


def test_choice_stays_when_work_on_models_is_reported(dialog, tmp_path):
    dialog.show_entries(entries_of(tmp_path), CARD)
    dialog.choose("google/gemma-3-4b-it")
    dialog.show_jobs({"google/gemma-3-4b-it": ModelJob(JobKind.DOWNLOAD)})
    assert dialog.chosen_key == "google/gemma-3-4b-it"
    assert says(dialog, "Pause")


def test_until_it_knows_what_is_here_it_says_that_it_looks(dialog, tmp_path):
    assert "Looking" in dialog.nothing_label.text()
    assert dialog.nothing_label.isVisible()
    dialog.show_entries(entries_of(tmp_path), CARD)
    assert not dialog.nothing_label.isVisible()
    dialog.search_edit.setText("no such thing")
    assert "No such model" in dialog.nothing_label.text()


def test_model_that_is_wanted_is_shown_or_the_one_that_misses_it(dialog, tmp_path):
    dialog.want("someone/gone")
    dialog.show_entries(entries_of(tmp_path), CARD)
    assert rows(dialog) == ["On the hub", "gone"]
    assert dialog.chosen_key == "someone/gone"
    dialog.want("google/gemma-3-4b-it")
    assert dialog.chosen_key == "google/gemma-3-4b-it"
    assert len(rows(dialog)) > 10
    built_in, *others = entries_of(tmp_path)
    assert built_in.local
    local = replace(built_in.local, problem="Its tower is missing.", missing_id="openai/clip")
    dialog.show_entries([built_in, replace(built_in, key="/a", local=local), *others], CARD)
    dialog.want("openai/clip")
    assert dialog.chosen_key == "/a"


def test_five_hundred_models_are_shown_in_a_frame(dialog, tmp_path):
    model = entries_of(tmp_path)[0]
    entries = [replace(model, key=f"/models/{n}", name=f"model {n}") for n in range(500)]
    began = time.thread_time()
    dialog.show_entries(entries, CARD)
    QApplication.sendPostedEvents()
    dialog.grab()
    assert time.thread_time() - began < 1  # 30 ms are usual.
    assert rows(dialog)[-1] == "model 499"


@pytest.mark.parametrize("size", [(860, 600), (560, 400)])
def test_buttons_lie_inside_of_a_small_dialog(dialog, tmp_path, size):
    dialog.resize(*size)
    dialog.show_entries(entries_of(tmp_path), CARD)
    QApplication.sendPostedEvents()
    for button in (
        *(dialog.details.primary_button, dialog.details.more_button),
        dialog.options_button,
    ):
        corner = button.mapTo(dialog, button.rect().bottomRight())
        assert dialog.rect().contains(corner)


def test_half_a_download_of_another_program_is_no_model(tmp_path, server):
    hub = Hub(server.endpoint, tmp_path)
    stop, is_held = threading.Event(), server.is_half_way(ID, 10)
    server.faults.holds = [10]
    with pytest.raises(Cancelled):
        fetch(hub, ID, lambda progress: stop.set() if is_held(progress) else None, stop)
    (tmp_path / "models--someone--tiny-llava" / ".onlooker-download").unlink()
    assert len(find_models([], tmp_path)) == 1
