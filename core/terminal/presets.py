"""`onlooker presets` lists presets and hands them over; what `--preset` means for captions."""

from __future__ import annotations

import argparse
import threading
from collections.abc import Callable
from typing import Any

from core.errors import AppError
from core.files import exists
from core.terminal import values
from core.terminal.output import ALL_WELL, SOME_FAILED, WRONG_USE, as_json, is_ascii, number_of, say
from core.workspace import PRESET_KEYS, Preset, Presets, read_presets, write_presets

Print = Callable[[str], None]

# The arguments of `onlooker caption` by the field of a preset that sets them.
_ARGUMENTS = {
    "prompts": "prompt",
    "prefix": "prefix",
    "suffix": "suffix",
    "beginning": "begin",
    "strips_openings": "strip_openings",
    "ends_at_sentence": "whole_sentences",
    "is_one_line": "one_line",
    "drops_duplicates": "drop_duplicates",
    "max_new_tokens": "max_new_tokens",
    "temperature": "temperature",
    "most_characters": "most_characters",
    "vocabulary": "vocabulary",
    "has_keywords": "keywords_last",
}


def add_verb(add_parser: Callable[..., argparse.ArgumentParser]) -> None:
    """Adds `onlooker presets`, its subcommands and their options."""
    presets = add_parser(
        "presets",
        help="list, export and import presets",
        description="List the presets for `onlooker caption --preset`, and export and import "
        "your own.",
    )
    acts = presets.add_subparsers(dest="act", metavar="list|export|import")
    listing = acts.add_parser("list", help="list presets with their keys")
    listing.add_argument("--json", action="store_true", help="print JSON with all their options")
    export = acts.add_parser("export", help="write presets to a file")
    export.add_argument("names", nargs="*", metavar="NAME", help="default: the own ones")
    export.add_argument("--output", required=True, type=values.path, metavar="FILE")
    taking = acts.add_parser("import", help="add the presets of a file")
    taking.add_argument("file", type=values.path, metavar="FILE")
    presets.set_defaults(act="list", json=False)


def run(options: argparse.Namespace, _: threading.Event, print_line: Print) -> int:
    """Runs the subcommand and returns the exit status."""
    try:
        presets = known_presets()
        for note in presets.notes:
            say(note)
        match options.act:
            case "export":
                return _export(options, presets, print_line)
            case "import":
                return _import(options, presets, print_line)
            case _:
                _list(options, presets, print_line)
                return ALL_WELL
    except AppError as error:
        say(f"onlooker: {error}")
        return SOME_FAILED


def known_presets() -> Presets:
    """Returns the presets of the program and of the person. Raises StoreError."""
    # Only what keeps files of ours needs platformdirs.
    from core.locations import locations

    return Presets.load(locations().presets)


def apply_preset(arguments: argparse.Namespace, preset: Preset) -> None:
    """Sets the arguments of `onlooker caption` that are not on the command line."""
    defaults = Preset("", ())
    for field, name in _ARGUMENTS.items():
        value: Any = getattr(preset, field)
        if name not in arguments.given and value != getattr(defaults, field):
            setattr(arguments, name, list(value) if name == "prompt" else value)


def _list(options: argparse.Namespace, presets: Presets, print_line: Print) -> None:
    if options.json:
        records = [one.to_json() for one in presets.all]
        print_line(as_json(records, indent=1, is_ascii=is_ascii()))
        return
    for number, preset in enumerate(presets.all, 1):
        key = str(number) if number <= PRESET_KEYS else " "
        mark = " (own)" if preset.name in presets.own else ""
        print_line(f"{key}  {preset.name}{mark}")


def _export(options: argparse.Namespace, presets: Presets, print_line: Print) -> int:
    chosen = [one for one in presets.all if one.name in presets.own]
    if options.names:
        found = {name: presets.named(name) for name in options.names}
        for name, preset in found.items():
            if preset is None:
                say(f"onlooker: There is no preset “{name}”. See `onlooker presets list`.")
                return WRONG_USE
        chosen = [preset for preset in found.values() if preset]
    if not chosen:
        say("onlooker: There are no presets of your own. Name those to export.")
        return WRONG_USE
    write_presets(chosen, options.output)
    print_line(f"Exported {number_of(len(chosen), 'preset')} to {options.output}.")
    return ALL_WELL


def _import(options: argparse.Namespace, presets: Presets, print_line: Print) -> int:
    from core.locations import locations

    if not exists(options.file):
        say(f"onlooker: {options.file}: no such file or folder.")
        return WRONG_USE
    after = presets.with_imported(read_presets(options.file))
    new = [one.name for one in after.all if presets.named(one.name) is None]
    after.save_changes(presets, locations().presets)
    imported = f"Imported {number_of(len(new), 'preset')}."
    print_line(imported if new else "All presets were there already.")
    for name in new:
        print_line(name)
    return ALL_WELL
