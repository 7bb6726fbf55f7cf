"""`onlooker servers`: lists servers that run models, tests them, and keeps their keys."""

from __future__ import annotations

import argparse
import threading
from collections.abc import Callable
from typing import Any

from core.errors import AppError, Cancelled
from core.model_reference import server_model
from core.remote.address import read_address
from core.remote.canary import Sight
from core.remote.discovery import find_servers
from core.remote.keys import VARIABLE, Keys, ServerKey
from core.terminal.output import (
    ALL_WELL,
    INTERRUPTED,
    SOME_FAILED,
    WRONG_USE,
    as_json,
    is_ascii,
    say,
)
from core.terminal.typed_key import read_typed_key

Print = Callable[[str], None]


def add_verb(add_parser: Callable[..., argparse.ArgumentParser]) -> None:
    """Adds `onlooker servers`, its subcommands and their options."""
    servers = add_parser(
        "servers",
        help="list, find and test servers that run models",
        description="Models can run on servers with OpenAI's API: vLLM, SGLang, llama.cpp, Ollama, "
        "LM Studio, transformers serve. Use one with: onlooker caption --server URL --model NAME",
        epilog=f"The key of a server is read from the keyring, or from {VARIABLE}: the key alone, "
        "or HOST=KEY for each of several servers, separated by spaces.",
    )
    acts = servers.add_subparsers(dest="act", metavar="list|find|test|key|forget")
    listing = acts.add_parser("list", help="list the servers used before")
    find = acts.add_parser("find", help="look for servers at the usual ports of this computer")
    test = acts.add_parser(
        "test",
        help="list a server's models, and try whether one sees images",
        description="Ask a server for its models. Then ask the model about images with random "
        "content, to see whether the server passes images on.",
    )
    test.add_argument("server", metavar="URL")
    test.add_argument("--model", default="", metavar="NAME", help="default: the only one")
    for parser in (listing, find, test):
        parser.add_argument("--json", action="store_true", help="print JSON")
    key = acts.add_parser("key", help="keep the key of a server in the keyring")
    key.add_argument("server", metavar="URL")
    forget = acts.add_parser("forget", help="forget a server and its key")
    forget.add_argument("server", metavar="URL")
    servers.set_defaults(act="list", json=False)


def run(options: argparse.Namespace, stop: threading.Event, print_line: Print) -> int:
    """Runs the subcommand and returns the exit status."""
    try:
        match options.act:
            case "find":
                return _find(options, stop, print_line)
            case "test":
                return _test(options, stop, print_line)
            case "key":
                return _keep_key(read_address(options.server))
            case "forget":
                return _forget(read_address(options.server), print_line)
            case _:
                return _list(options, print_line)
    except Cancelled:
        return INTERRUPTED
    except AppError as error:
        say(f"onlooker: {error}")
        return SOME_FAILED


def _list(options: argparse.Namespace, print_line: Print) -> int:
    from core.locations import locations
    from core.settings import load

    known = [server_model(one) for one in load(locations().folder).servers]
    rows = [
        {"servers": [address for address, _ in one.addresses], "model": one.name}
        for one in known
        if one
    ]
    if options.json:
        print_line(as_json(rows, indent=1, is_ascii=is_ascii()))
        return ALL_WELL
    for row in rows:
        print_line(f"{' '.join(row['servers'])}  {row['model']}")
    if not rows:
        say("No server was used yet. See: onlooker servers find")
    return ALL_WELL


def _find(options: argparse.Namespace, stop: threading.Event, print_line: Print) -> int:
    found = find_servers(stop)
    if options.json:
        rows = [{"server": one.address, "models": list(one.models)} for one in found]
        print_line(as_json(rows, indent=1, is_ascii=is_ascii()))
        return ALL_WELL
    for one in found:
        print_line(f"{one.address}  (port of {one.product})")
        for model in one.models or ("requires a key",):
            print_line(f"  {model}")
    if not found:
        say("No server answers at the usual ports of this computer.")
    return ALL_WELL


def _test(options: argparse.Namespace, stop: threading.Event, print_line: Print) -> int:
    from core.remote.opening import check_server, list_models

    address = read_address(options.server)
    key = Keys([address]).read(address, stop)
    if not options.json:
        for model in list_models(address, stop, key=key):
            print_line(model)
    checked = check_server(address, options.model, stop, key=key)
    sees = checked.sight is Sight.SEES
    record: dict[str, Any] = {
        "server": checked.address,
        "models": list(checked.models),
        "model": checked.model,
        "sees_images": sees,
        "answer": checked.said,
        "seconds": round(checked.answer_seconds, 3),
        "notes": list(checked.notes),
    }
    if options.json:
        print_line(as_json(record, indent=1, is_ascii=is_ascii()))
        return ALL_WELL if sees else SOME_FAILED
    print_line(f"“{checked.model}” answered in {checked.answer_seconds:.1f} s: {checked.said}")
    print_line("It sees images." if sees else "It answers, but does not see images.")
    for note in checked.notes:
        print_line(note)
    return ALL_WELL if sees else SOME_FAILED


def _keep_key(address: str) -> int:
    key = read_typed_key("Key (empty to remove it): ")
    if key is None:
        say("onlooker: No key was given. Type one, or pipe it in.")
        return WRONG_USE
    if problem := ServerKey(address).keep(key):
        say(f"onlooker: {problem}")
        say(f"Or set {VARIABLE}.")
        return SOME_FAILED
    return ALL_WELL


def _forget(address: str, print_line: Print) -> int:
    from core.locations import locations
    from core.settings import Settings, change

    def forget(settings: Settings) -> None:
        settings.servers = [one for one in settings.servers if not _has(one, address)]

    change(locations().folder, forget)
    ServerKey(address).keep("")
    print_line(f"Forgot {address}")
    return ALL_WELL


def _has(reference: str, address: str) -> bool:
    named = server_model(reference)
    return named is not None and any(one == address for one, _ in named.addresses)
