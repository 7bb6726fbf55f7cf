"""`onlooker models`: lists local and available models; downloads, removes and checks them."""

from __future__ import annotations

import argparse
import sys
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.device.memory import PRECISIONS
from core.errors import AppError, Cancelled
from core.files import is_folder
from core.formatting import format_bytes
from core.hub import (
    AccessToken,
    DeviceMemory,
    Entry,
    Hub,
    LocalModel,
    Where,
    check_model,
    device_memory,
    fetch,
    find_models,
    list_entries,
    look_up,
    remove_model,
    with_access_token,
)
from core.model_reference import with_home
from core.terminal import values
from core.terminal.output import (
    ALL_WELL,
    INTERRUPTED,
    SOME_FAILED,
    WRONG_USE,
    ProgressLine,
    as_json,
    is_ascii,
    is_terminal,
    say,
)

Print = Callable[[str], None]


def add_verb(add_parser: Callable[..., argparse.ArgumentParser]) -> None:
    """Adds `onlooker models`, its subcommands and their options."""
    models = add_parser(
        "models",
        help="list, download, check and remove models",
        description="List, download, check and remove models.",
    )
    acts = models.add_subparsers(dest="act", metavar="list|get|remove|check")
    listing = acts.add_parser("list", help="list models on this computer and on the hub")
    listing.add_argument(
        "model", metavar="OWNER/NAME", nargs="*", help="also look these up on the hub"
    )
    listing.add_argument("--json", action="store_true", help="print JSON instead of a table")
    listing.add_argument(
        "--device",
        default="auto",
        type=values.device,
        metavar="auto|cpu|cuda[:N]",
        help="device whose memory counts",
    )
    get = acts.add_parser(
        "get",
        help="download a model",
        description="Download a model from the hub. The same command resumes an interrupted "
        "download. HF_ENDPOINT, HF_HOME, HF_TOKEN and the proxy are respected.",
    )
    get.add_argument("model", metavar="OWNER/NAME")
    get.add_argument(
        "--into",
        type=values.path,
        metavar="FOLDER",
        help="save it here instead of in the hub's cache",
    )
    remove = acts.add_parser("remove", help="delete a downloaded model")
    remove.add_argument("model", metavar="NAME", help="name as listed")
    remove.add_argument("--yes", action="store_true", help="do not ask")
    check = acts.add_parser("check", help="compare the checksums of models")
    check.add_argument("model", metavar="NAME", nargs="*", help="default: all models")
    models.set_defaults(act="list", model=[], json=False, device="auto")


def run(options: argparse.Namespace, stop: threading.Event, print_line: Print) -> int:
    """Runs the subcommand and returns the exit status."""
    library = _Library.of_settings()
    try:
        match options.act:
            case "get":
                return _get(options, library, stop, print_line)
            case "remove":
                return _remove(options, library, print_line)
            case "check":
                return _check(options, library, stop, print_line)
            case _:
                return _list(options, library, stop, print_line)
    except Cancelled:
        return INTERRUPTED
    except AppError as error:
        say(f"onlooker: {error}")
        return SOME_FAILED


@dataclass(frozen=True)
class _Library:
    """Folders with models, and the hub, as the window's settings say."""

    folders: tuple[str, ...]
    downloads: Path | None
    hub: Hub

    @classmethod
    def of_settings(cls) -> _Library:
        from core.locations import locations
        from core.settings import load

        settings = load(locations().folder)
        hub = Hub.here(is_offline=settings.works_offline)
        downloads = Path(settings.download_folder) if settings.download_folder else None
        folders = (*settings.model_folders, *filter(None, [settings.download_folder]))
        return cls(folders, downloads, hub)

    def models(self) -> list[LocalModel]:
        return find_models((Path(folder) for folder in self.folders), self.hub.cache)

    def named(self, name: str) -> LocalModel | None:
        """Returns the model with this hub id, folder or unambiguous name, None if there is none."""
        models = self.models()
        path = with_home(name)
        if is_folder(path):
            models += find_models([path.absolute()], self.hub.cache)
        for model in models:
            if name in (model.model, model.hub_id, str(model.folder)) or (
                is_folder(path) and model.folder.resolve() == path.resolve()
            ):
                return model
        alike = [model for model in models if model.name.lower() == name.lower()]
        return alike[0] if len(alike) == 1 else None


# ---- list --------------------------------------------------------------------------------------


def _list(
    options: argparse.Namespace, library: _Library, stop: threading.Event, print_line: Print
) -> int:
    read_token = AccessToken().read
    found = [
        with_access_token(
            read_token, library.hub, stop, lambda hub, name=name: look_up(hub, name, stop)
        )
        for name in options.model
    ]
    memory = device_memory(options.device)
    if options.device.startswith("cuda") and memory.device == "cpu":
        say(f"onlooker: There is no {options.device} on this computer. Leave --device out.")
        return SOME_FAILED
    rows = [_row(entry, memory) for entry in list_entries(library.models(), memory.device, found)]
    if options.json:
        content = {"device": memory.device, "free": memory.free, "models": rows}
        print_line(as_json(content, indent=1, is_ascii=is_ascii()))
    else:
        for line in _table(rows, memory):
            print_line(line)
    return ALL_WELL


def _row(entry: Entry, memory: DeviceMemory) -> dict[str, Any]:
    row: dict[str, Any] = {
        "model": entry.key,
        "state": "available",
        "size": entry.size,
        "needs": dict(entry.needs),
        "fits": memory.best_precision(entry.needs) if entry.needs else None,
        "licence": entry.licence,
        "needs_token": entry.is_gated,
    }
    if model := entry.local:
        row["state"] = "here" if model.is_complete else "unfinished"
        row["where"], row["folder"] = model.where.value, str(model.folder)
        if not model.is_complete:
            row["done"] = model.size
        if model.problem:
            row["problem"] = model.problem
    return row


def _table(rows: list[dict[str, Any]], memory: DeviceMemory) -> Iterable[str]:
    free = "unknown" if memory.free is None else f"{_gb(memory.free)} free"
    yield f"Memory of {memory.name}: {free}"
    width = max(len(row["model"]) for row in rows)
    head = "".join(f"{precision:>9}" for precision in PRECISIONS)
    yield f"{'MODEL':{width}}  {'DISK':>8} {head}  {'FITS IN':8} LICENCE, STATE"
    for row in rows:
        needs = "".join(f"{_gb(row['needs'].get(precision)):>9}" for precision in PRECISIONS)
        fits = row["fits"] or ("no" if row["needs"] else "?")
        state = row["state"]
        if state == "unfinished":
            state = f"unfinished, {row['done'] / row['size']:.0%} here"
        notes = [row["licence"], state, "gated" if row["needs_token"] else ""]
        line = f"{row['model']:{width}}  {_gb(row['size']):>8} {needs}  {fits:8} "
        yield line + ", ".join(filter(None, notes))
        if "problem" in row:
            yield f"  {row['problem']}"


def _gb(size: int | None) -> str:
    return "?" if size is None else format_bytes(size)


# ---- get, remove, check ------------------------------------------------------------------------


def _get(
    options: argparse.Namespace, library: _Library, stop: threading.Event, print_line: Print
) -> int:
    line = ProgressLine()
    into = options.into or library.downloads
    try:
        folder = with_access_token(
            AccessToken().read,
            library.hub,
            stop,
            lambda hub: fetch(hub, options.model, line.show, stop, into),
        )
    except Cancelled:
        line.end()
        say(f"Stopped. Resume with: onlooker models get {options.model}")
        return INTERRUPTED
    except AppError:
        line.end()
        raise
    line.end()
    print_line(str(folder))
    return ALL_WELL


def _remove(options: argparse.Namespace, library: _Library, print_line: Print) -> int:
    model = library.named(options.model)
    if model is None:
        return _unknown(options.model)
    if model.where is Where.BUILT_IN:
        say("onlooker: The built-in model is part of the program. Remove another model.")
        return WRONG_USE
    if not options.yes:
        if not is_terminal(sys.stdin):
            say("onlooker: No terminal to ask in. Add --yes to remove the model.")
            return WRONG_USE
        say(f"Remove {model.folder} ({_gb(model.size)})? [y/N] ", end="")
        if sys.stdin.readline().strip().lower() not in ("y", "yes"):
            return INTERRUPTED
    remove_model(model, library.hub.cache)
    print_line(f"Removed {model.model}, {_gb(model.size)}")
    return ALL_WELL


def _check(
    options: argparse.Namespace, library: _Library, stop: threading.Event, print_line: Print
) -> int:
    found = [library.named(name) for name in options.model] if options.model else library.models()
    status = ALL_WELL
    for name, model in zip(options.model or [""] * len(found), found, strict=True):
        if model is None:
            status = _unknown(name)
            continue
        line = ProgressLine()
        problems = check_model(model, line.show, stop)
        line.end()
        print_line(f"{model.model}: {'in order' if not problems else ' '.join(problems)}")
        if problems:
            status = SOME_FAILED
    return status


def _unknown(name: str) -> int:
    say(f"onlooker: There is no model “{name}” on this computer. See: onlooker models list")
    return WRONG_USE
