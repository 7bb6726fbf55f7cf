"""The command of the command line that does what a folder run of the window does."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from core.batch import BatchOptions, Other, OtherKind, next_options
from core.captions.formats import SEPARATORS, CaptionFormat
from core.captions.sidecar import Existing
from core.files import is_folder
from core.message import translatable
from core.model_reference import server_model
from core.transcript import BUILT_IN, ModelChoice, Precision, Sampling

# Windows takes 32,767 characters in all.
_MOST_TAG_CHARACTERS = 20_000
_NAMES = {separator: name for name, separator in SEPARATORS.items()}


def series_commands(
    paths: Sequence[Path],
    options: BatchOptions,
    choice: ModelChoice,
    with_preset: Callable[[BatchOptions, str], BatchOptions],
    *,
    slots: int = 0,
    devices: Sequence[str] = (),
) -> list[list[str]]:
    """Returns the words of the commands that do what a run and those that follow it do, one after
    the other: one command where that can say it. `with_preset` returns options with what the preset
    of a name has, and raises ValueError if they make no run. Raises ValueError with a sentence if
    the command line cannot say what the options do."""

    def command(options: BatchOptions, choice: ModelChoice) -> list[str]:
        return caption_command(paths, options.checked(), choice, slots=slots, devices=devices)

    if _is_one_command(options):
        return [command(options, choice)]
    commands = [command(replace(options, then=()), choice)]
    while options.then:
        other = Other.of(options.then[0])
        options = next_options(options)
        if other is None:
            continue
        if other.kind is OtherKind.MODEL:
            choice = replace(choice, model=other.name)
        else:
            options = with_preset(options, other.name)
        commands.append(command(replace(options, then=()), choice))
    return commands


def caption_command(
    paths: Sequence[Path],
    options: BatchOptions,
    choice: ModelChoice,
    *,
    slots: int = 0,
    devices: Sequence[str] = (),
) -> list[str]:
    """Returns the words of the command. `slots` 0 and no `devices` leave these to the program.

    Raises ValueError with a sentence if the command line cannot say what the options do.
    """
    _refuse_unwritable(options)
    usual = BatchOptions(options.prompts)
    words = ["onlooker", "caption", *map(_path_word, paths)]
    for prompt in options.prompts:
        words.append(f"--prompt={prompt}")
    words.append(f"--write={','.join((*options.writes, *_tables(paths, options)))}")
    words += _model(choice)
    words += [f"--then-model={model}" for model in _further_models(options)]
    server = server_model(choice.model)
    if slots:
        words.append(f"--parallel={slots}" if server else f"--slots={slots}")
    if devices and not server and choice.device in ("auto", "cuda"):
        words.append(f"--cards={','.join(one.removeprefix('cuda:') for one in devices)}")
    words += _sampling(options, local=server is None)
    for name, value, normal in _values(options, usual):
        if value != normal:
            words.append(f"--{name}={value}")
    words += [f"--only-tag={tag}" for tag in options.vocabulary]
    flags = {
        "recursive": options.is_recursive,
        "strip-openings": options.strips_openings,
        "whole-sentences": options.ends_at_sentence,
        "one-line": options.is_one_line,
        "drop-duplicates": options.drops_duplicates,
        "keywords-last": options.has_keywords,
    }
    words += [f"--{name}" for name, is_set in flags.items() if is_set]
    if options.existing in (Existing.REPLACE, Existing.STALE, Existing.GENERATED):
        words += [f"--replace-edited={image}" for image in options.replaces_edited]
    return words


def _is_one_command(options: BatchOptions) -> bool:
    """Returns whether all runs that follow are with models of this computer, and replace captions:
    --then-model has no others."""
    others = list(map(Other.of, options.then))
    replaces = options.existing in (Existing.REPLACE, Existing.STALE, Existing.GENERATED)
    are_local = all(
        other and other.kind is OtherKind.MODEL and not server_model(other.name) for other in others
    )
    return not others or (replaces and are_local)


def _further_models(options: BatchOptions) -> list[str]:
    """Returns the models of --then-model."""
    assert _is_one_command(options), "these are several commands"
    return [other.name for one in options.then if (other := Other.of(one))]


def _tables(paths: Sequence[Path], options: BatchOptions) -> list[str]:
    """Returns the tables whose rows are changed: by name where they are in the run's folders.
    Raises ValueError for a name that the option would take apart."""
    if any("," in table for table in options.tables):
        text = translatable(
            "core", "The command line takes no table with a comma in its path. Rename “{name}”."
        )
        raise ValueError(text.format(name=options.tables[0]))
    folders = {str(path if is_folder(path) else path.parent) for path in paths}
    names = {Path(table).name for table in options.tables}
    is_in_place = {str(Path(table).parent) for table in options.tables} == folders
    return list(names) if is_in_place and len(names) == 1 else list(options.tables)


def _refuse_unwritable(options: BatchOptions) -> None:
    if options.image_notes:
        raise ValueError(
            translatable(
                "core",
                "The command line has no option for notes on single images. Start the run here.",
            )
        )
    if sum(map(len, options.vocabulary)) > _MOST_TAG_CHARACTERS:
        raise ValueError(
            translatable(
                "core",
                "These are too many tags for a command. Keep them in a file, and use --vocabulary.",
            )
        )


def quoted(words: Sequence[str], platform: str = sys.platform) -> str:
    """Returns the words as one line to paste into the usual shell of a platform: `sh`, or on
    Windows PowerShell."""
    if platform != "win32":
        return shlex.join(words)
    return " ".join(_quoted_for_powershell(word) for word in words)


def _quoted_for_powershell(word: str) -> str:
    if word and all(character.isalnum() or character in "-_=./\\:" for character in word):
        return word
    # Its own quotes first, then those by which Windows splits a command into words.
    inside = subprocess.list2cmdline([word])
    if inside.startswith('"') and inside.endswith('"'):
        inside = inside[1:-1]
    # PowerShell takes typographic quotes for plain ones.
    return "'" + re.sub("['‘’‚‛]", r"\g<0>\g<0>", inside) + "'"


def _path_word(path: Path) -> str:
    text = str(path)
    return f"./{text}" if text.startswith("-") else text


def _model(choice: ModelChoice) -> list[str]:
    words: list[str] = []
    if server := server_model(choice.model):
        words += [
            f"--server={address}" + (f",{weight}" if weight != 1 else "")
            for address, weight in server.addresses
        ]
        words += [f"--model={server.name}"] if server.name else []
        words += [f"--image-side={server.longest_side}"] if server.longest_side != 1024 else []
        words += ["--image-format=png"] if server.sends_png else []
        return words
    if choice.model != BUILT_IN:
        words.append(f"--model={choice.model}")
    if choice.device != "auto":
        words.append(f"--device={choice.device}")
    if choice.dtype is not Precision.AUTO:
        words.append(f"--dtype={choice.dtype.value}")
    if choice.quantizes_cache:
        words.append(f"--kv-cache={Precision.BITS_8.value}")
    return words


def _sampling(options: BatchOptions, *, local: bool) -> list[str]:
    sampling = options.sampling
    words = [f"--max-new-tokens={sampling.max_new_tokens}"]
    if sampling.temperature > 0:
        words += [f"--temperature={sampling.temperature}", f"--top-p={sampling.top_p}"]
        words += [] if sampling.seed is None else [f"--seed={sampling.seed}"]
    usual = Sampling()
    if local and sampling.temperature > 0 and sampling.top_k != usual.top_k:
        words.append(f"--top-k={sampling.top_k}")
    if local and sampling.repetition_penalty != usual.repetition_penalty:
        words.append(f"--repetition-penalty={sampling.repetition_penalty}")
    if local and sampling.beams != usual.beams:
        words.append(f"--beams={sampling.beams}")
    return words + [f"--ban={word}" for word in sampling.banned_words if local]


def _values(options: BatchOptions, usual: BatchOptions) -> list[tuple[str, object, object]]:
    """Returns the options with a value that mean something beside the others."""
    separator = options.separator.replace("\n", "\\n").replace("\t", "\\t") or "none"
    existing: list[tuple[str, object, object]] = [("existing", options.existing, usual.existing)]
    names = [("name", options.name, usual.name)]
    adding = [("separator", separator, "\\n")]
    tables = [("table-paths", options.table_paths, usual.table_paths)]
    columns = [("csv-separator", _NAMES[options.csv_separator], _NAMES[usual.csv_separator])]
    adds = options.existing in (Existing.APPEND, Existing.PREPEND)
    return [
        *(existing if options.formats_beside or options.tables else []),
        *(names if options.formats_beside else []),
        *(adding if (options.formats_beside or options.tables) and adds else []),
        *(tables if options.table_formats else []),
        *(columns if CaptionFormat.CSV in options.writes else []),
        ("begin", options.beginning, usual.beginning),
        ("prefix", options.prefix, usual.prefix),
        ("suffix", options.suffix, usual.suffix),
        ("note", options.note, usual.note),
        ("most-characters", options.most_characters, usual.most_characters),
    ]
