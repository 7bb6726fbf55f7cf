"""`onlooker engines`: lists, gets, removes and chooses PyTorch for graphics cards."""

from __future__ import annotations

import argparse
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from core.engine_packs.choice import CPU, is_pack_name, numbers
from core.engine_packs.current import current_engine
from core.engine_packs.driver import Graphics, ask_graphics
from core.engine_packs.get import get_pack, offline_sources
from core.engine_packs.installed import InstalledPack, prefer_engine, remove_pack
from core.engine_packs.offer import no_packs_sentence, obstacle_to
from core.engine_packs.overview import Overview, overview, torch_version
from core.engine_packs.pins import PINS_FILE, EnginePins, PackPins, read_pins
from core.engine_packs.sources import sources_here
from core.errors import AppError, Cancelled, PackError
from core.formatting import format_bytes
from core.terminal import values
from core.terminal.output import (
    ALL_WELL,
    INTERRUPTED,
    SOME_FAILED,
    WRONG_USE,
    ProgressLine,
    as_json,
    is_ascii,
    say,
)

Print = Callable[[str], None]
_AUTOMATIC = "auto"


def add_verb(add_parser: Callable[..., argparse.ArgumentParser]) -> None:
    """Adds `onlooker engines`, its subcommands and their options."""
    engines = add_parser(
        "engines",
        help="PyTorch for graphics cards; get, remove and choose it",
        description="List graphics cards and engine packs for them; get, remove and choose one.",
    )
    acts = engines.add_subparsers(dest="act", metavar="list|get|remove|use")
    listing = acts.add_parser("list", help="cards, drivers, and the packs for them")
    listing.add_argument("--json", action="store_true", help="one JSON object instead of the table")
    get = acts.add_parser(
        "get",
        help="fetch the engine pack for a graphics card and try it",
        description="Fetch PyTorch for a graphics card from the package index, check it, unpack it "
        "and try it. What has come stays when it is interrupted; the same command goes on. pip's "
        "variables and configuration (index, proxy, certificates) are respected.",
    )
    get.add_argument("name", metavar="NAME", help="as the list calls it, such as cuda130")
    source = get.add_mutually_exclusive_group()
    source.add_argument(
        "--from",
        dest="source",
        type=values.path,
        metavar="FOLDER",
        help="a folder with the wheels, for a computer without a network",
    )
    source.add_argument("--wheels", action="store_true", help="only print which wheels it takes")
    remove = acts.add_parser("remove", help="delete an engine pack, also a part of one")
    remove.add_argument("name", metavar="NAME", help="as the list calls it")
    use = acts.add_parser("use", help="choose the engine from the next start on")
    use.add_argument("name", metavar="NAME|cpu|auto", help="auto is the newest that fits")
    engines.set_defaults(act="list", json=False)


def run(
    options: argparse.Namespace,
    stop: threading.Event,
    print_line: Print,
    pins_file: Path = PINS_FILE,
) -> int:
    """Runs the subcommand and returns the exit status."""
    # Here, since the other verbs do without platformdirs.
    from core.locations import locations

    engines = locations().engines
    try:
        pins = read_pins(pins_file)
        match options.act:
            case "get":
                return _get(options, engines, pins, stop, print_line)
            case "remove":
                freed = remove_pack(engines, options.name)
                print_line(f"Removed {options.name}, {format_bytes(freed)}")
                return ALL_WELL
            case "use":
                return _use(options.name, engines, print_line)
            case _:
                return _list(options, engines, pins, print_line)
    except Cancelled:
        return INTERRUPTED
    except AppError as error:
        say(f"onlooker: {error}")
        return SOME_FAILED


# ---- list --------------------------------------------------------------------------------------


def _list(options: argparse.Namespace, engines: Path, pins: EnginePins, print_line: Print) -> int:
    found = overview(engines, pins)
    if options.json:
        print_line(as_json(_content(found), indent=1, is_ascii=is_ascii()))
    else:
        for line in _lines(found):
            print_line(line)
    return ALL_WELL


def _content(found: Overview) -> dict[str, Any]:
    return {
        "torch": found.torch,
        "in_use": found.in_use,
        "note": found.note,
        "driver": found.graphics.driver,
        "driver_cuda": ".".join(map(str, found.graphics.driver_cuda)),
        "cards": [
            {"name": card.name, "memory": card.memory, "capability": list(card.capability)}
            for card in found.graphics.cards
        ],
        "packs": _rows(found),
        "advice": found.offer.advice.value,
        "text": found.offer.sentence,
    }


def _rows(found: Overview) -> list[dict[str, Any]]:
    """The packs on the disk, and those that can be got; the newest CUDA first."""
    rows = [_row(pack, found) for pack in found.packs]
    here = {pack.name for pack in found.packs}
    rows += [_row_of_pins(pack) for pack in found.available if pack.name not in here]
    return sorted(rows, key=lambda row: numbers(row["cuda"]), reverse=True)


def _row(pack: InstalledPack, found: Overview) -> dict[str, Any]:
    pins = next((pins for pins in found.available if pins.name == pack.name), None)
    row: dict[str, Any] = {
        "name": pack.name,
        "cuda": pack.pack.cuda if pack.pack else pins.cuda if pins else "",
        "state": "in use" if pack.name == found.in_use else pack.state.value,
        "size": pack.size,
    }
    if pack.note:
        row["problem"] = pack.note
    return row


def _row_of_pins(pins: PackPins) -> dict[str, Any]:
    return {
        "name": pins.name,
        "cuda": pins.cuda,
        "state": "available",
        "download": pins.download_bytes,
        "size": pins.disk_bytes,
        "driver": pins.driver,
        "licences": list(pins.licences),
    }


def _lines(found: Overview) -> Iterator[str]:
    where = found.in_use or "the environment that Onlooker runs from"
    yield f"PyTorch {found.torch}, engine in use: {where}"
    if found.note:
        yield found.note
    yield from _card_lines(found.graphics)
    rows = _rows(found)
    if rows:
        yield f"{'PACK':10} {'CUDA':6} {'DOWNLOAD':>9} {'DISK':>9}  STATE"
    for row in rows:
        download = format_bytes(row["download"]) if "download" in row else ""
        disk = format_bytes(row["size"])
        yield f"{row['name']:10} {row['cuda']:6} {download:>9} {disk:>9}  {row['state']}"
        if "problem" in row:
            yield f"  {row['name']} {row['problem']}"
    yield found.offer.sentence
    if found.offer.is_actionable and found.offer.pack:
        yield f"To get it, run: onlooker engines get {found.offer.pack.name}"


def _card_lines(graphics: Graphics) -> Iterator[str]:
    for card in graphics.cards:
        capability = ".".join(map(str, card.capability))
        yield f"{card.name}, {format_bytes(card.memory)}, compute capability {capability}"
    if graphics.cards:
        cuda = ".".join(map(str, graphics.driver_cuda))
        yield f"NVIDIA driver {graphics.driver or '(version unknown)'}, for CUDA {cuda}"


# ---- get, use ----------------------------------------------------------------------------------


def _get(
    options: argparse.Namespace,
    engines: Path,
    pins: EnginePins,
    stop: threading.Event,
    print_line: Print,
) -> int:
    available = pins.here(torch_version() or pins.torch)
    pack = next((pack for pack in available if pack.name == options.name), None)
    if not available:
        raise PackError(no_packs_sentence())
    if pack is None:
        names = ", ".join(pack.name for pack in available)
        say(f"onlooker: There is no pack “{options.name}” for this system. Available: {names}")
        return WRONG_USE
    if options.wheels and options.source is not None:
        say("onlooker: --from is for a download, and --wheels only prints. Leave one out.")
        return WRONG_USE
    if options.wheels:
        for wheel in pack.wheels:
            print_line(f"{wheel.sha256}  {wheel.filename}")
        return ALL_WELL
    if obstacle := obstacle_to(pack, ask_graphics()):
        raise PackError(obstacle)
    if options.source is None:
        sources = sources_here(pins.default_index)
    elif options.source.is_dir():
        sources = offline_sources(options.source)
    else:
        raise PackError(f"There is no folder “{options.source}”. Choose the one with the wheels.")
    line = ProgressLine()
    try:
        got = get_pack(pack, engines, sources, line.show, stop)
    except Cancelled:
        line.end()
        say(f"Stopped; what has come is kept. Go on with: onlooker engines get {pack.name}")
        return INTERRUPTED
    finally:
        line.end()
    print_line(f"{got.name} is ready for {got.card}. It is used from the next start on.")
    if current_engine() is None:
        say("Onlooker runs from source here and uses the PyTorch of its environment.")
    return ALL_WELL


def _use(name: str, engines: Path, print_line: Print) -> int:
    if name not in (CPU, _AUTOMATIC) and not (is_pack_name(name) and (engines / name).is_dir()):
        say(f"onlooker: There is no engine pack “{name}” here. See: onlooker engines list")
        return WRONG_USE
    prefer_engine(engines, "" if name == _AUTOMATIC else name)
    print_line(f"The engine from the next start on: {name}")
    return ALL_WELL
