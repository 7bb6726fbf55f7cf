"""Visits the model dialog and the one for servers, with every state that a model can be in."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from PySide6.QtTest import QTest
from PySide6.QtWidgets import QMenu, QPushButton

from core.engine import Absent, Failed, Loading, ModelState, Ready
from core.errors import HubError, HubNeed, OutOfMemory, ServerError, ServerFault
from core.hub import (
    DeviceMemory,
    DownloadOptions,
    Entry,
    JobKind,
    JobState,
    LocalModel,
    ModelJob,
    Progress,
    Where,
)
from core.model_reference import ServerModel
from core.remote.canary import Sight
from core.remote.discovery import FoundServer
from core.remote.opening import Checked
from core.transcript import Precision
from gui.app.program import Program
from gui.models.dialog import ModelsDialog
from gui.models.server_dialog import ServerDialog
from gui.window.commands import Command
from tests.gui.conftest import until
from tests.support.screens import Screen, dialog_named

GB = 10**9
NEEDS = {
    Precision.BITS_16: 15 * GB,
    Precision.BITS_8: 8 * GB,
    Precision.BITS_4: 5 * GB,
}
CARD = DeviceMemory("cuda:0", "NVIDIA GeForce RTX 4070 Laptop GPU", 7_400_000_000)
ID = "llava-hf/llava-1.5-7b-hf"
LONG_ID = "somebody-with-a-long-name/LLaVA-of-a-name-that-nobody-can-remember-v1.6-mistral-7b-hf"
FOLDER = Path("/home/ada/a folder with a long name/of models/that one keeps/on another disk")
SERVER = ServerModel(
    (("http://gpubox:8000", 1), ("http://another-gpubox.example.org:8000", 2)),
    "llava-hf/llava-v1.6-mistral-7b-hf",
)
OPTIONS = DownloadOptions(None, False, Path("/home/ada/.cache/huggingface/hub"))
LOAD_ERROR = OutOfMemory(
    "This model needs 15.0 GB of memory on cuda:0, where 7.4 GB is free. Load it in 4 bits.",
    Precision.BITS_4.value,
)


def local(
    name: str = "LLaVA-1.5-7b",
    hub_id: str = ID,
    *,
    size: int = 14_100_000_000,
    total: int = 14_100_000_000,
    problem: str = "",
    missing_id: str = "",
) -> Entry:
    """A model that is here, or partly."""
    where = Where.CACHE if hub_id else Where.FOLDER
    place = name, FOLDER / name, where, size, total, hub_id
    model = LocalModel(name, *place, problem=problem, missing_id=missing_id)
    needs = {} if problem else NEEDS
    return Entry(name, name, size, hub_id, "Llama 2", local=model, needs=needs)


def at_hub(hub_id: str = ID, size: int = 14_100_000_000, *, is_gated: bool = False) -> Entry:
    """A model that can be downloaded; with a size of 0 little is known of it."""
    needs = NEEDS if size else {}
    name = hub_id.rpartition("/")[2]
    return Entry(hub_id, name, size, hub_id, "Llama 2" if size else "", is_gated, needs=needs)


@dataclass(frozen=True)
class Shown:
    """What the dialog shows: the entry that is chosen, and what goes on with it."""

    entry: Entry
    job: ModelJob | None = None
    state: ModelState = field(default_factory=Absent)
    options: DownloadOptions = OPTIONS
    memory: DeviceMemory = CARD


def _running(kind: JobKind, stage: str = "") -> ModelJob:
    return ModelJob(kind, progress=Progress(stage, 5 * GB, 14 * GB, 48e6, 190))


def _failed(text: str, need: HubNeed | None = None) -> ModelJob:
    return ModelJob(JobKind.DOWNLOAD, JobState.FAILED, error=HubError(text, need))


STATES: Mapping[str, Shown] = {
    "here": Shown(local()),
    "here, with a long name": Shown(local(LONG_ID.rpartition("/")[2], LONG_ID)),
    "in an added folder": Shown(local("דגם שלי 🐧", "")),
    "being loaded": Shown(local(), state=Loading(0.4, "Loading weights")),
    "did not fit": Shown(local(), state=Failed(LOAD_ERROR)),
    "fits nowhere": Shown(local(), memory=DeviceMemory("cpu", "this computer", 2 * GB)),
    "without a part": Shown(
        local(
            problem="The vision tower is missing. Download “openai/clip-vit-large-patch14-336”.",
            missing_id="openai/clip-vit-large-patch14-336",
        )
    ),
    "cannot run": Shown(local(problem=f"“{LONG_ID}” has code of its own, which is not run.")),
    "being checked": Shown(local(), _running(JobKind.CHECK)),
    "being moved": Shown(local(), _running(JobKind.MOVE)),
    "being removed": Shown(local(), ModelJob(JobKind.REMOVE)),
    "half downloaded": Shown(local(size=5 * GB)),
    "to download": Shown(at_hub()),
    "with a licence": Shown(at_hub(is_gated=True)),
    "unknown": Shown(at_hub(LONG_ID, 0)),
    "being looked up": Shown(at_hub(LONG_ID, 0), ModelJob(JobKind.LOOK_UP)),
    "downloading": Shown(local(size=5 * GB), _running(JobKind.DOWNLOAD, "Downloading")),
    "waiting": Shown(at_hub(), ModelJob(JobKind.DOWNLOAD, JobState.WAITING)),
    "needs a token": Shown(
        at_hub(), _failed(f"“{ID}” needs an access token. Enter one.", HubNeed.TOKEN)
    ),
    "needs a licence": Shown(
        at_hub(), _failed("Accept the licence on the model page first.", HubNeed.LICENCE)
    ),
    "needs space": Shown(
        at_hub(),
        _failed("This model needs 14.1 GB on the disk, where 2.0 GB is free.", HubNeed.SPACE),
    ),
    "needs the network": Shown(
        at_hub(),
        _failed("Onlooker is offline. Go online to download models.", HubNeed.ONLINE),
        options=DownloadOptions(Path("/data/models"), True),
    ),
    "kept offline": Shown(at_hub(), options=DownloadOptions(None, True, is_bound=True)),
    "on servers": Shown(Entry.on_servers(SERVER.reference)),
    "being asked for on servers": Shown(
        Entry.on_servers(SERVER.reference), state=Loading(0, "Asking the server")
    ),
}


async def models_screens(program: Program, folder: Path) -> AsyncIterator[Screen]:
    """Yields each state of the model dialog, its menus, and the dialog for servers."""
    window = program.window
    await until(lambda: isinstance(program.model.state, Ready))
    window.commands[Command.MODELS].trigger()
    dialog = await dialog_named("models_dialog")
    assert isinstance(dialog, ModelsDialog)
    await until(lambda: dialog.model.count)
    await until(lambda: program.engine_packs.state.overview is not None)
    yield Screen("built-in model", dialog)
    for name, shown in STATES.items():
        _show(dialog, shown)
        yield Screen(f"model {name}", dialog)
    _show(dialog, STATES["here"])
    for button in (dialog.details.more_button, dialog.options_button):
        async for screen in _menu_of(button):
            yield screen
    dialog.details.more_menu.remove_action.trigger()
    removal = await dialog_named("remove_dialog")
    yield Screen("removing a model", removal)
    removal.reject()
    QTest.keyClicks(dialog.search_edit, "no such model")
    yield Screen("no such model", dialog)
    dialog.search_edit.clear()
    async for screen in _servers(dialog):
        yield screen
    dialog.close()


def _show(dialog: ModelsDialog, shown: Shown) -> None:
    others = [local("Another model", "someone/another", size=3 * GB, total=3 * GB), at_hub("a/b")]
    dialog.show_jobs({})
    dialog.show_options(shown.options)
    dialog.show_model_state(shown.state, shown.entry.key)
    dialog.show_entries([shown.entry, *others], shown.memory)
    if shown.job is not None:
        key = shown.entry.hub_id if shown.job.kind is JobKind.DOWNLOAD else shown.entry.key
        dialog.show_jobs({key: shown.job})
    dialog.choose(shown.entry.key)


async def _menu_of(button: QPushButton) -> AsyncIterator[Screen]:
    menu = button.menu()
    assert isinstance(menu, QMenu)
    menu.popup(button.mapToGlobal(button.rect().bottomLeft()))
    await until(menu.isVisible)
    yield Screen(f"menu {button.text()}", menu)
    menu.close()


async def _servers(dialog: ModelsDialog) -> AsyncIterator[Screen]:
    dialog.server_button.click()
    server = await dialog_named("server_dialog")
    assert isinstance(server, ServerDialog)
    yield Screen("server, empty", server)
    server.show_found([])
    yield Screen("server, none found", server)
    found = [
        FoundServer("http://localhost:8000", "vLLM", (SERVER.name,)),
        FoundServer("http://localhost:11434", "Ollama", ("llava", "bakllava")),
    ]
    server.show_found(found)
    yield Screen("server, several found", server)
    server.show_models(["llava", "bakllava", LONG_ID])
    yield Screen("server, with several models", server)
    for sight in Sight:
        server.show_checked(
            Checked(
                *("http://localhost:8000", ("llava",), LONG_ID, sight, 0.1, 2.34, "a red circle"),
                caption="A red circle on a white ground 🐧. " * 4,
            )
        )
        yield Screen(f"server, whose model {sight.value}", server)
    server.show_error(
        ServerError(
            "The certificate of a-host-with-a-very-long-name.somewhere.example.org is not trusted "
            "(self-signed certificate). Add it to the system's certificates.",
            ServerFault.TLS,
        )
    )
    yield Screen("server, failed", server)
    server.reject()
