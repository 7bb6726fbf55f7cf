"""The command of the command line that does what a folder run of the window does."""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from core.batch import BatchOptions, Other, OtherKind
from core.captions.formats import SEPARATORS, CaptionFormat
from core.captions.sidecar import Existing
from core.files import is_folder
from core.message import translatable
from core.model_reference import server_model
from core.transcript import BUILT_IN, ModelChoice, Precision, Sampling

_OTHERS = (Sampling().top_k, Sampling().repetition_penalty, Sampling().beams)
_NAMES = {separator: name for name, separator in SEPARATORS.items()}


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
    words += _sampling(options, bans=server is None)
    for name, value, normal in _values(options, usual):
        if value != normal:
            words.append(f"--{name}={value}")
    flags = {
        "recursive": options.is_recursive,
        "strip-openings": options.strips_openings,
        "whole-sentences": options.ends_at_sentence,
        "one-line": options.is_one_line,
        "drop-duplicates": options.drops_duplicates,
    }
    words += [f"--{name}" for name, is_set in flags.items() if is_set]
    if options.existing in (Existing.REPLACE, Existing.STALE, Existing.GENERATED):
        words += [f"--replace-edited={image}" for image in options.replaces_edited]
    return words


def _further_models(options: BatchOptions) -> list[str]:
    """Returns the models that caption the images afterwards. Raises ValueError."""
    others = list(map(Other.of, options.then))
    models = [other.name for other in others if other and other.kind is OtherKind.MODEL]
    replaces = options.existing in (Existing.REPLACE, Existing.STALE, Existing.GENERATED)
    if len(models) < len(others) or any(map(server_model, models)):
        raise ValueError(
            translatable(
                "core",
                "The command line has only models of this computer in turn. Leave out the others.",
            )
        )
    if models and not replaces:
        raise ValueError(
            translatable(
                "core",
                "The command line uses several models in turn only where captions are replaced. "
                "Choose that under “Existing captions”.",
            )
        )
    return models


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
    if options.image_notes or options.has_keywords or options.vocabulary:
        raise ValueError(
            translatable(
                "core",
                "The command line takes a vocabulary, notes on images and keywords from files and "
                "presets. Save the options as a preset and use --preset.",
            )
        )
    sampling = options.sampling
    if (sampling.top_k, sampling.repetition_penalty, sampling.beams) != _OTHERS:
        raise ValueError(
            translatable(
                "core",
                "The command line has no option for top k, beams and the repetition penalty. Set "
                "these to their defaults first.",
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
    return "'" + inside.replace("'", "''") + "'"


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


def _sampling(options: BatchOptions, *, bans: bool) -> list[str]:
    sampling = options.sampling
    words = [f"--max-new-tokens={sampling.max_new_tokens}"]
    if sampling.temperature > 0:
        words += [f"--temperature={sampling.temperature}", f"--top-p={sampling.top_p}"]
        words += [] if sampling.seed is None else [f"--seed={sampling.seed}"]
    return words + [f"--ban={word}" for word in sampling.banned_words if bans]


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
