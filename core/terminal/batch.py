"""`onlooker caption … --write`: a folder run in the terminal, the same as the window's."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from core.batch import (
    Batch,
    BatchOptions,
    Control,
    Item,
    ItemState,
    KeptRun,
    Tally,
    expanded,
    find_runs,
    found_pictures,
    noted,
    unreadable_journals,
    usual_slots,
)
from core.captions.variables import without_variables
from core.engine import Engine
from core.eta import Pace
from core.files import exists
from core.formatting import format_duration
from core.terminal.evidence import write_run_evidence
from core.terminal.interrupt import ending_on_interrupt
from core.terminal.modes import option
from core.terminal.options import FolderRunOptions
from core.terminal.output import (
    ALL_WELL,
    INTERRUPTED,
    SOME_FAILED,
    is_terminal,
    say,
)
from core.vocabulary import unknown_note

# Of images with the same note, so many are named.
_NOTED = 20

# The fields of BatchOptions and Sampling by the option that sets them.
_FIELDS = {
    "prompt": "prompts",
    "note": "note",
    "most_characters": "most_characters",
    "vocabulary": "vocabulary",
    "keywords_last": "has_keywords",
    "write": "written",
    "existing": "existing",
    "name": "name",
    "recursive": "is_recursive",
    "begin": "beginning",
    "strip_openings": "strips_openings",
    "whole_sentences": "ends_at_sentence",
    "replace_edited": "replaces_edited",
    "prefix": "prefix",
    "suffix": "suffix",
    "separator": "separator",
    "one_line": "is_one_line",
    "drop_duplicates": "drops_duplicates",
    "table_paths": "table_paths",
    "csv_separator": "csv_separator",
}
_SAMPLING_FIELDS = {
    "temperature": "temperature",
    "top_p": "top_p",
    "top_k": "top_k",
    "repetition_penalty": "repetition_penalty",
    "beams": "beams",
    "max_new_tokens": "max_new_tokens",
    "seed": "seed",
    "ban": "banned_words",
}

OpenEngine = Callable[[int, Sequence[str]], Engine]
"""Opens the model for a run over so many images with these prompts."""


def open_run(paths: Sequence[Path], options: FolderRunOptions) -> Batch | None:
    """Begins a run over `paths`, or opens the one to continue or undo; None if there is none.
    Raises ValueError and AppError."""
    # Of all verbs only a run keeps files of ours, and so needs platformdirs.
    from core.locations import locations

    journals = locations().runs
    if options.continues:
        for path in unreadable_journals(journals):
            say(f"Skipped a run with a damaged journal: {path}")
        kept = _last_run(journals, paths)
        if kept is not None:
            if not options.undoes:
                _require_same(options, kept.options)
            batch = Batch.resume(kept.journal)
            if options.retries_failed and not batch.is_undone:
                say(f"Retrying {batch.retry_failed()} failed images.")
            return batch
    if options.begun is None:
        return None
    for path in expanded(paths):
        if not exists(path) and not set("*?[") & set(str(path)):
            raise ValueError(f"{path}: no such file or folder.")
    _require_images(options.begun, paths)
    return Batch.begin(paths, options.begun, journals)


def _require_images(options: BatchOptions, paths: Sequence[Path]) -> None:
    """Raises ValueError if --replace-edited names an image that the run does not have."""
    if not options.replaces_edited:
        return
    pictures = found_pictures([path.absolute() for path in paths], options).pictures
    names = {name for path in pictures for name in (path.name, str(path))}
    for name in options.replaces_edited:
        if name not in names:
            raise ValueError(f"--replace-edited: there is no image “{name}” in these folders.")


def _require_same(options: FolderRunOptions, kept: BatchOptions) -> None:
    """Raises ValueError if an option is given that the run to continue does not have."""
    asked = options.asked
    differing = [
        name
        for fields, ours, theirs in (
            (_FIELDS, asked, kept),
            (_SAMPLING_FIELDS, asked.sampling, kept.sampling),
        )
        for name, field in fields.items()
        if name in options.given and getattr(ours, field) != getattr(theirs, field)
    ]
    if not differing:
        return
    raise ValueError(
        f"The last run over these folders has another {option(differing[0])}. Leave it out to "
        "resume that run, or start a new one with --write alone."
    )


def _last_run(journals: Path, paths: Sequence[Path]) -> KeptRun | None:
    roots = tuple(path.absolute() for path in paths)
    runs = (run for run in find_runs(journals) if run.roots == roots)
    # An undo that was cut off is continued; one that is finished is not done again.
    return next((run for run in runs if not (run.is_undone and run.is_over)), None)


def undo(batch: Batch) -> int:
    """Gives the files of a run back; returns the exit status."""
    left = batch.undo()
    for path in left:
        say(f"{path}: changed meanwhile, not restored")
    for note in batch.notes:
        say(note)
    count = batch.tally.undone
    images = "1 image is" if count == 1 else f"{count:,} images are"
    say(f"Undone: {images} as before the run.")
    return ALL_WELL


def caption(batch: Batch, options: FolderRunOptions, open_engine: OpenEngine) -> int:
    """Captions the images that wait, and says what became of the run; returns the exit status."""
    if not batch.items:
        say("onlooker: There are no images in these folders.")
        for note in batch.notes:
            say(note)
        return SOME_FAILED
    tally = batch.tally
    if batch.warning:
        say(batch.warning)
    has_evidence = True
    if tally.waiting or options.evidence:
        engine = open_engine(tally.waiting, batch.options.prompts)
        are_several = engine.facts.engines > 1
        _say_unknown_words(batch, engine)
        try:
            if tally.waiting:
                tally = _Progress(batch).run(engine, options.slots or usual_slots(engine.facts))
            if options.evidence and not tally.waiting:
                if are_several:
                    engine.close()
                    engine = open_engine(1, batch.options.prompts)
                has_evidence = _write_evidence(batch, engine, options.evidence)
        finally:
            engine.close()
    _summarize(batch, tally)
    if tally.waiting or not has_evidence:
        return INTERRUPTED
    return SOME_FAILED if tally.failed else ALL_WELL


def _say_unknown_words(batch: Batch, engine: Engine) -> None:
    prompts = " ".join(map(without_variables, batch.options.prompts))
    if unknown := engine.facts.unknown_words(prompts):
        say(unknown_note(unknown))


def _write_evidence(batch: Batch, engine: Engine, path: Path) -> bool:
    """Returns whether all was written, and not ended before."""
    control = Control()
    with ending_on_interrupt(control):
        write_run_evidence(batch, engine, path, control)
    return not control.is_ending


def _summarize(batch: Batch, tally: Tally) -> None:
    """Prints a summary to standard error."""
    counts = (
        ("captioned", tally.captioned),
        ("edited by hand", tally.edited),
        ("skipped", tally.skipped),
        ("failed", tally.failed),
    )
    parts = [f"{count} {word}" for word, count in counts if count]
    say(", ".join(parts) + "." if parts else "Nothing to do.")
    for item in batch.items:
        if item.state is ItemState.FAILED:
            say(f"{item.path}: {item.reason}")
    _print_notes(batch.items)
    for note in batch.notes:
        say(note)
    complete = batch.complete_tables
    for path in batch.exports.values():
        if path in complete:
            say(f"All captions are in {path}.")
        elif exists(path):  # Without a caption there is no table.
            say(f"{path} lacks captions.")
    if tally.waiting:
        say(f"{tally.waiting} left. Use --resume to continue.")
    elif tally.failed:
        say("Use --retry-failed to retry the failed images.")


def _print_notes(items: Sequence[Item]) -> None:
    """Prints what was noted of images; of a note that many have, the first ones."""
    by_kind: dict[str, list[tuple[Item, str]]] = {}
    for kind, item, note in noted(items):
        by_kind.setdefault(kind, []).append((item, note))
    for kind, those in by_kind.items():
        for item, note in those[:_NOTED]:
            say(f"{item.path}: {note}")
        if (more := len(those) - _NOTED) > 0:
            say(f"{more:,} more: {kind}")


class _Progress:
    """Runs a batch with a progress bar on a terminal, and lets Ctrl+C end it."""

    def __init__(self, batch: Batch):
        self._batch = batch
        self._control = Control()
        self._pace = Pace()
        self._last = time.monotonic()
        self._lock = threading.Lock()
        self._bar: Any = None

    def run(self, engine: Engine, slots: int) -> Tally:
        tally = self._batch.tally
        self._waiting = tally.waiting
        if is_terminal(sys.stderr):
            # Comes with transformers.
            from tqdm import tqdm

            # Not as the postfix, which tqdm puts a comma before.
            layout = "{percentage:3.0f}% {bar} {n}/{total}  {desc}"
            done = tally.total - tally.waiting
            self._bar = tqdm(total=tally.total, initial=done, bar_format=layout, leave=False)
        try:
            with ending_on_interrupt(self._control):
                return self._batch.run(engine, self._control, self._on_item, slots=slots)
        finally:
            if self._bar is not None:
                self._bar.close()

    def _on_item(self, number: int, item: Item) -> None:
        if item.state in (ItemState.WAITING, ItemState.WORKING):
            return
        with self._lock:
            now = time.monotonic()
            self._waiting -= 1
            left = self._pace.advance(now - self._last, 1, self._waiting)
            self._last = now
            if self._bar is not None:
                words = f"{self._pace.rate:.1f}/s, {format_duration(left)} left" if left else ""
                self._bar.set_description_str(words, refresh=False)
                self._bar.update()
