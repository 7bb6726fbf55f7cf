"""`onlooker serve`: the model behind OpenAI's chat completions, until Ctrl+C."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace

from core.engine import Engine, EngineFacts
from core.errors import AppError, Cancelled, ServeError
from core.model_reference import is_hub_id, short_name
from core.terminal.caption import torch_wanted
from core.terminal.options import ServeCommand
from core.terminal.output import (
    ALL_WELL,
    INTERRUPTED,
    SOME_FAILED,
    WRONG_USE,
    say,
    show_progress,
)
from core.terminal.typed_key import read_typed_key
from core.transcript import BUILT_IN

_LOOK_SECONDS = 1.0


def run(command: ServeCommand, stop: threading.Event, print_line: Callable[[str], None]) -> int:
    """Serves until `stop` is set, or keeps the key; returns the exit status."""
    try:
        if command.sets_key:
            return _set_key(print_line)
        return _serve(command, stop, print_line)
    except Cancelled:
        return INTERRUPTED
    except AppError as error:
        say(f"onlooker: {error}")
        return SOME_FAILED


def _set_key(print_line: Callable[[str], None]) -> int:
    from core.serve.key import keep_key

    key = read_typed_key("Key for clients (empty to remove it): ")
    if key is None:
        say("onlooker: No key was given. Type one, or pipe it in.")
        return WRONG_USE
    keep_key(key)
    print_line("The key is in the keyring." if key else "The key is removed.")
    return ALL_WELL


def _serve(command: ServeCommand, stop: threading.Event, print_line: Callable[[str], None]) -> int:
    try:
        from core.serve.server import ServeOptions, serving
    except ImportError as error:
        raise ServeError(
            "The web server's libraries are missing. Install the extra: pip install -e '.[serve]'"
        ) from error
    from core.serve.key import read_key

    model = command.choice.model
    options = ServeOptions(
        model=model if model == BUILT_IN or is_hub_id(model) else short_name(model),
        host=command.host,
        port=command.port,
        slots=command.slots,
        queue=command.queue,
        key=read_key(),
    )

    def open_engine(_: threading.Event) -> Engine:
        with torch_wanted():
            from core.open_engine import open_engine as load
            from core.terminal.several_cards import devices_on, open_several

        devices = devices_on(command.choice.device, command.cards)
        first, *others = devices
        if others:
            return open_several(devices, command.choice, stop)
        return load(replace(command.choice, device=first), show_progress, stop)

    with serving(options, open_engine) as server:
        show_progress(1.0, "")
        _say_notes(server.facts)
        who = "with the key" if options.key else "from this computer"
        print_line(f"Serving {options.model} at {server.address}/v1 to anybody {who}.")
        say("Press Ctrl+C to stop.")
        while not stop.wait(_LOOK_SECONDS):
            if server.has_ended():
                raise ServeError("The web server stopped. See the log, then start it again.")
    return INTERRUPTED


def _say_notes(facts: EngineFacts) -> None:
    for note in facts.notes:
        say(note)
    if facts.knows_only_drawings:
        say("The built-in model knows drawings, not photos. For photos, give another --model.")
