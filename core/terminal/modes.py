"""Which options of `onlooker caption` belong to which of its modes, in one table.

An option that does not apply is refused with a sentence, never ignored.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from contextlib import suppress
from enum import Enum
from pathlib import Path
from typing import Any

from core.captions.formats import TABLE_FORMATS, TEXT_FORMATS, CaptionFormat
from core.captions.sidecar import Existing
from core.picture import is_picture


class Mode(Enum):
    """What `onlooker caption` does."""

    PRINT = "captions on standard output"
    RUN = "a new folder run"
    CONTINUE = "a folder run that is continued"
    UNDO = "a folder run that is undone"


# A run that is continued keeps its options: `core.terminal.batch` refuses others than these.
_NEW = frozenset({Mode.PRINT, Mode.RUN, Mode.CONTINUE})
_PRINT, _RUN = frozenset({Mode.PRINT}), frozenset({Mode.RUN, Mode.CONTINUE})

MODES: dict[str, frozenset[Mode]] = {
    "paths": frozenset(Mode),
    "model": _NEW,
    "then_model": frozenset({Mode.RUN}),
    "server": _NEW,
    "parallel": _RUN,
    "image_side": _NEW,
    "image_format": _NEW,
    "device": _NEW,
    "dtype": _NEW,
    "kv_cache": _NEW,
    "prompt": _NEW,
    "note": _NEW,
    "send_metadata": _NEW,
    "preset": frozenset({Mode.PRINT, Mode.RUN}),
    "most_characters": _NEW,
    "vocabulary": _NEW,
    "only_tag": _NEW,
    "keywords_last": _RUN,
    "max_new_tokens": _NEW,
    "temperature": _NEW,
    "top_p": _NEW,
    "top_k": _NEW,
    "repetition_penalty": _NEW,
    "beams": _NEW,
    "seed": _NEW,
    "ban": _NEW,
    "recursive": _NEW,
    "begin": _NEW,
    "together": _PRINT,
    "format": _PRINT,
    "trace": _PRINT,
    "evidence": _NEW,
    "write": _RUN,
    "existing": _RUN,
    "separator": _RUN,
    "replace_edited": _RUN,
    "name": _RUN,
    "prefix": _RUN,
    "suffix": _RUN,
    "strip_openings": _RUN,
    "whole_sentences": _RUN,
    "one_line": _RUN,
    "drop_duplicates": _RUN,
    "table_paths": _RUN,
    "csv_separator": _RUN,
    "slots": _RUN,
    "cards": _RUN,
    "resume": _RUN,
    "retry_failed": _RUN,
    "undo": frozenset({Mode.UNDO}),
}
"""The modes of each option, by its `dest`."""

_REFUSALS = {
    Mode.PRINT: "{} needs a folder run. Add --write.",
    Mode.RUN: "{} does not work with --write. Leave it out.",
    Mode.CONTINUE: "{} does not work with --resume or --retry-failed. Leave it out.",
    Mode.UNDO: "{} does not work with --undo. Leave it out.",
}


class NotingParser(argparse.ArgumentParser):
    """Adds `given` to what it parses: the `dest`s of the arguments that are on the command line."""

    _is_mixed = False

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: Any = None
    ) -> tuple[Any, list[str]]:
        """As argparse, and parses once more without defaults: then only what is given leaves a
        value."""
        if self._is_mixed:
            return super().parse_known_args(args, namespace)
        parsed, rest = self._parse_mixed(args, namespace)
        actions = [action for action in self._actions if action.default is not argparse.SUPPRESS]
        defaults = [action.default for action in actions]
        for action in actions:
            action.default = argparse.SUPPRESS
        try:
            given, _ = self._parse_mixed(args, None)
        finally:
            for action, default in zip(actions, defaults, strict=True):
                action.default = default
        parsed.given = frozenset(vars(given))
        return parsed, rest

    def _parse_mixed(self, args: Sequence[str] | None, namespace: Any) -> tuple[Any, list[str]]:
        """As argparse, and takes several positional arguments also where options stand between
        them: `find FOLDER --json QUERY`."""
        parsed, rest = super().parse_known_args(args, namespace)
        if rest:
            self._is_mixed = True  # argparse does this by calls of `parse_known_args`.
            try:
                with suppress(TypeError):  # Verbs are no such arguments.
                    return super().parse_known_intermixed_args(args, namespace)
            finally:
                self._is_mixed = False
        return parsed, rest


def mode_of(options: argparse.Namespace) -> Mode:
    """Returns what the options ask for."""
    if options.undo:
        return Mode.UNDO
    if options.write:
        return Mode.RUN
    return Mode.CONTINUE if options.resume or options.retry_failed else Mode.PRINT


def refusal(options: argparse.Namespace) -> str | None:
    """Returns a sentence about the first option that does not apply; None if all do."""
    mode = mode_of(options)
    if reason := _refused_output(options) or _refused_with_server(options):
        return reason
    for name, modes in MODES.items():
        if name in options.given and mode not in modes:
            return _REFUSALS[mode].format(option(name))
    if mode in (Mode.CONTINUE, Mode.UNDO):
        return None
    if mode is Mode.PRINT and len(options.prompt or ()) > 1:
        return "Several prompts need a folder run. Add --write."
    of_jobs = ("preset", "most_characters", "vocabulary", "only_tag")
    jobs = [name for name in of_jobs if name in options.given]
    for name in ("together", "trace", "evidence", "top_k", "repetition_penalty", "beams"):
        if mode is Mode.PRINT and jobs and name in options.given:
            return f"{option(name)} does not work with {option(jobs[0])}. Leave it out."
    if options.then_model and "evidence" in options.given:
        return "--evidence does not work with --then-model. Leave it out."
    return _refused_without_another(options)


def _refused_without_another(options: argparse.Namespace) -> str | None:
    """Returns a sentence about an option that another one would have to be given for."""
    beside = {*TEXT_FORMATS, CaptionFormat.XMP} & set(options.write or ())
    has_rows = any(isinstance(one, Path) for one in options.write or ())
    for name, is_used, need in (
        ("top_p", options.temperature > 0, "a --temperature above 0"),
        ("top_k", options.temperature > 0, "a --temperature above 0"),
        ("seed", options.temperature > 0, "a --temperature above 0"),
        (
            "replace_edited",
            options.existing in (Existing.REPLACE, Existing.STALE, Existing.GENERATED),
            "--existing replace, stale or generated",
        ),
        (
            "then_model",
            options.existing in (Existing.REPLACE, Existing.STALE, Existing.GENERATED),
            "--existing replace, stale or generated",
        ),
        (
            "separator",
            options.existing in (Existing.APPEND, Existing.PREPEND),
            "--existing append or prepend",
        ),
        (
            "existing",
            beside or has_rows or options.existing in (Existing.SKIP, Existing.REPLACE),
            "--write with a file beside each image, or a table such as metadata.jsonl",
        ),
        (
            "name",
            beside,
            "--write with a file beside each image",
        ),
        ("cards", options.device in ("auto", "cuda"), "--device auto or cuda"),
        ("table_paths", set(TABLE_FORMATS) & set(options.write or ()), "--write with a table"),
        ("csv_separator", CaptionFormat.CSV in (options.write or ()), "--write csv"),
    ):
        if name in options.given and not is_used:
            return f"{option(name)} needs {need}."
    return None


_FOR_SERVERS = ("parallel", "image_side", "image_format")
_NOT_FOR_SERVERS = ("device", "dtype", "kv_cache", "cards", "slots", "ban", "trace", "evidence")


def _refused_with_server(options: argparse.Namespace) -> str | None:
    """Returns a sentence about an option that a model on a server cannot have, or only that."""
    for name in _NOT_FOR_SERVERS if options.server else _FOR_SERVERS:
        if name in options.given:
            if not options.server:
                return f"{option(name)} needs --server."
            instead = " Use --parallel." if name == "slots" else " Leave it out."
            return f"{option(name)} does not work with --server.{instead}"
    return None


def _refused_output(options: argparse.Namespace) -> str | None:
    """Returns a sentence where one of the files to write would replace an image or the other."""
    for name in ("trace", "evidence"):
        path: Path | None = getattr(options, name)
        if path is not None and is_picture(path):
            return f"{option(name)} would overwrite the image {path}. Choose another file."
    trace: Path | None = options.trace
    evidence: Path | None = options.evidence
    if trace and evidence and os.path.realpath(trace) == os.path.realpath(evidence):
        return "--trace and --evidence need different files."
    return None


def option(name: str) -> str:
    """Returns the option with this `dest`, as it is typed."""
    return f"--{name.replace('_', '-')}"
