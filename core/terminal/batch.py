"""`onlooker caption … --write`: a folder run in the terminal, the same as the window's."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from core.batch import (
    Batch,
    BatchOptions,
    CaptionFormat,
    Control,
    Existing,
    Item,
    ItemState,
    KeptRun,
    Tally,
    find_runs,
    noted,
    usual_slots,
)
from core.engine import Engine
from core.errors import AppError, Cancelled
from core.eta import Pace
from core.formatting import format_duration
from core.transcript import Sampling

ALL_WELL, SOME_FAILED, WRONG_USE, INTERRUPTED = 0, 1, 2, 130

_PATIENCE_SECONDS = 2.0
# Of images with the same note, so many are named.
_NOTED = 20

OpenEngine = Callable[[], Engine]


def add_arguments(caption: argparse.ArgumentParser) -> None:
    """What `onlooker caption` takes for a folder run."""
    group = caption.add_argument_group(
        "folder run",
        "With one of these, captions are kept beside their pictures, and a run that was "
        "interrupted, by a power cut even, goes on where it was.",
    )
    add = group.add_argument
    add("--write", type=_formats, metavar="KIND,…", help=f"some of {', '.join(CaptionFormat)}")
    add(
        "--existing",
        type=_existing,
        default=Existing.SKIP,
        metavar="|".join(Existing),
        help="what becomes of captions that are there (default: %(default)s); stale: replace "
        "only what was made with another prompt, model or sampling",
    )
    add("--replace-edited", action="append", default=[], metavar="PICTURE",
        help="replace this picture's caption although it was edited by hand")  # fmt: skip
    add("--recursive", action="store_true", help="also the folders inside")
    add("--name", default="{stem}", help="of caption files (default: %(default)s, or {name})")
    add("--begin", default="", metavar="TEXT", help="every caption begins so, and goes on from it")
    add("--strip-openings", action="store_true", help="leave out “The image shows” and the like")
    add("--whole-sentences", action="store_true", help="end at a sentence when the length is used")
    add("--slots", type=_count, metavar="N", help="how many pictures are looked at at once")
    add("--resume", action="store_true", help="go on with the last run over these folders")
    add("--retry-failed", action="store_true", help="the same, with what failed")
    add("--undo", action="store_true", help="give all files of that run back what they held")


def is_wanted(options: argparse.Namespace) -> bool:
    """Whether the options ask for a folder run rather than captions on standard output."""
    return bool(options.write or options.resume or options.retry_failed or options.undo)


def run(options: argparse.Namespace, sampling: Sampling, open_engine: OpenEngine) -> int:
    """Caption, go on or undo, as asked; gives the exit status."""
    try:
        batch = _batch(options, sampling)
        if batch is None:
            _say("onlooker: There is no run over these folders. Begin one with --write.")
            return WRONG_USE
        try:
            return _undo(batch) if options.undo else _caption(batch, options, open_engine)
        finally:
            batch.close()
    except Cancelled:
        return INTERRUPTED
    except ValueError as error:
        _say(f"onlooker: {error}")
        return WRONG_USE
    except AppError as error:
        _say(f"onlooker: {error}")
        return SOME_FAILED


def _formats(text: str) -> tuple[CaptionFormat, ...]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names or set(names) - set(CaptionFormat):
        raise argparse.ArgumentTypeError(f"must be some of {', '.join(CaptionFormat)}")
    return tuple(map(CaptionFormat, names))


def _existing(text: str) -> Existing:
    if text not in list(Existing):
        raise argparse.ArgumentTypeError(f"must be one of {', '.join(Existing)}")
    return Existing(text)


def _count(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 1024:
        raise argparse.ArgumentTypeError("must be a number from 1 to 1024")
    return int(text)


def _batch(options: argparse.Namespace, sampling: Sampling) -> Batch | None:
    # Alone of the terminal's verbs a run keeps files of ours, and so needs platformdirs.
    from core.settings import locations

    journals = locations().runs
    if options.resume or options.retry_failed or options.undo:
        kept = _last_run(journals, options.paths, is_undone_too=options.undo)
        if kept is not None:
            batch = Batch.resume(kept.journal)
            if options.retry_failed:
                _say(f"{batch.retry_failed()} that failed are tried again.")
            return batch
        if not options.write:
            return None
    for path in options.paths:
        if not path.exists() and not set("*?[") & set(str(path)):
            raise ValueError(f"{path}: there is no such file or folder.")
    chosen = BatchOptions(
        prompts=tuple(options.prompts),
        writes=options.write,
        existing=options.existing,
        name=options.name,
        is_recursive=options.recursive,
        sampling=sampling,
        beginning=options.begin.strip(),
        strips_openings=options.strip_openings,
        ends_at_sentence=options.whole_sentences,
        replaces_edited=tuple(options.replace_edited),
    )
    return Batch.begin(options.paths, chosen, journals)


def _last_run(journals: Path, paths: list[Path], *, is_undone_too: bool) -> KeptRun | None:
    roots = tuple(path.absolute() for path in paths)
    runs = (run for run in find_runs(journals) if run.roots == roots)
    # An undo that was cut off is gone on with; one that is over is not done again.
    fits = (r for r in runs if not r.is_undone or (is_undone_too and not r.is_over))
    return next(fits, None)


def _undo(batch: Batch) -> int:
    left = batch.undo()
    for path in left:
        _say(f"{path}: changed since, and left as it is")
    _say(f"Undone: {batch.tally.undone} pictures have again what they had.")
    return ALL_WELL


def _caption(batch: Batch, options: argparse.Namespace, open_engine: OpenEngine) -> int:
    if not batch.items:
        _say("onlooker: There are no pictures in these folders.")
        return SOME_FAILED
    tally = batch.tally
    if tally.waiting:
        engine = open_engine()
        try:
            tally = _Progress(batch).run(engine, options.slots or usual_slots(engine.facts))
        finally:
            engine.close()
    _tell(batch, tally)
    if tally.waiting:
        return INTERRUPTED
    return SOME_FAILED if tally.failed else ALL_WELL


def _tell(batch: Batch, tally: Tally) -> None:
    """The summary, for a person, on standard error."""
    counts = (("captioned", tally.done), ("skipped", tally.skipped), ("failed", tally.failed))
    parts = [f"{count} {word}" for word, count in counts if count]
    _say(", ".join(parts) + "." if parts else "Nothing was to be done.")
    for item in batch.items:
        if item.state is ItemState.FAILED:
            _say(f"{item.path}: {item.reason}")
    _tell_notes(batch.items)
    for note in batch.notes:
        _say(note)
    for path in batch.exports.values():
        _say(f"All captions are in {path}.")
    if tally.waiting:
        _say(f"{tally.waiting} are left; --resume goes on with them.")
    elif tally.failed:
        _say("--retry-failed tries those that failed again.")


def _tell_notes(items: Sequence[Item]) -> None:
    """What was noted of images; of a note that many have, the first ones."""
    by_kind: dict[str, list[tuple[Item, str]]] = {}
    for kind, item, note in noted(items):
        by_kind.setdefault(kind, []).append((item, note))
    for kind, those in by_kind.items():
        for item, note in those[:_NOTED]:
            _say(f"{item.path}: {note}")
        if (more := len(those) - _NOTED) > 0:
            _say(f"{more:,} more: {kind}")


class _Progress:
    """Runs a batch under a bar, where a person looks, and ends it by Ctrl+C."""

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
        if sys.stderr.isatty():
            # Comes with transformers.
            from tqdm import tqdm

            # Not as the postfix, which tqdm puts a comma before.
            layout = "{percentage:3.0f}% {bar} {n}/{total}  {desc}"
            done = tally.total - tally.waiting
            self._bar = tqdm(total=tally.total, initial=done, bar_format=layout, leave=False)
        try:
            with _ending_on_interrupt(self._control):
                return self._batch.run(engine, self._control, self._hear, slots=slots)
        finally:
            if self._bar is not None:
                self._bar.close()

    def _hear(self, number: int, item: Item) -> None:
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


@contextmanager
def _ending_on_interrupt(control: Control) -> Iterator[None]:
    """The first Ctrl+C ends after the captions under way, the second inside them.

    Where a token takes longer than that, as with a large model on a processor, the process is
    left two seconds after the second. What was said is then in the journal, and the rest of the
    writing is the next start's, as after any death of a process.
    """
    has_ended = threading.Event()

    def on_first(*_: Any) -> None:
        control.stop_after_this()
        # Before it is said, so that a quick second one is not taken for the first.
        signal.signal(signal.SIGINT, on_second)
        _say("\nEnding after the captions under way; Ctrl+C again ends at once.")

    def on_second(*_: Any) -> None:
        control.stop_now()
        threading.Thread(target=leave, daemon=True).start()

    def leave() -> None:
        if not has_ended.wait(_PATIENCE_SECONDS):
            _say("Interrupted; --resume goes on.")
            os._exit(INTERRUPTED)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, on_first)
    try:
        yield
    finally:
        has_ended.set()
        signal.signal(signal.SIGINT, before)


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()
