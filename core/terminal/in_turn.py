"""The folder runs of `onlooker caption … --write`: one, or with several models in turn.

What is left is in the journal of each run, so that a run that was killed goes on with its own
model, and those that were to follow it are done after it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from core.batch import Batch, BatchOptions, Other, OtherKind, next_options, roots_of_next
from core.engine import Engine
from core.errors import AppError, Cancelled
from core.model_reference import short_name
from core.terminal.batch import caption, open_run, undo
from core.terminal.options import FolderRunOptions
from core.terminal.output import ALL_WELL, INTERRUPTED, SOME_FAILED, WRONG_USE, say

OpenEngine = Callable[[str, int, Sequence[str]], Engine]
"""Opens the model of this reference, or for "" the one of the command line, for a run over so many
images with these prompts."""


def run(paths: Sequence[Path], options: FolderRunOptions, open_engine: OpenEngine) -> int:
    """Begins, continues or undoes a run over `paths`, and does the runs that were to follow it;
    returns the exit status, the worst of theirs."""
    worst, batch = _opened(partial(open_run, paths, options))
    if batch is None and worst == ALL_WELL:
        say("onlooker: There is no run over these folders. Start one with --write.")
        return WRONG_USE
    while batch is not None:
        status, goes_on = _do(batch, options, open_engine)
        worst = max(worst, status)
        following = _following(batch, goes_on=goes_on)
        if following is None:
            return worst
        status, batch = _opened(following)
        worst = max(worst, status)
        # These are about the run that is named, and the model of the next one is another.
        options = replace(options, given=frozenset(), evidence=None, retries_failed=False)
    return worst


def _opened(open_batch: Callable[[], Batch | None]) -> tuple[int, Batch | None]:
    """Returns the run, or the exit status once it is said why there is none."""
    try:
        return ALL_WELL, open_batch()
    except Cancelled:
        return INTERRUPTED, None
    except ValueError as error:
        say(f"onlooker: {error}")
        return WRONG_USE, None
    except AppError as error:
        say(f"onlooker: {error}")
        return SOME_FAILED, None


def _do(batch: Batch, options: FolderRunOptions, open_engine: OpenEngine) -> tuple[int, bool]:
    """Does a run and closes it. Returns the exit status, and whether those that follow it are to
    be done: once no image waits. A model that cannot be opened does not keep them from the work."""
    model = "" if options.given & {"model", "server"} else batch.options.model
    opener = _Opener(partial(open_engine, model))
    try:
        try:
            if options.undoes or batch.is_undone:  # An undo that was cut off is finished.
                return undo(batch), False
            _say_model(batch.options, continues=options.continues and bool(model))
            status = caption(batch, options, opener)
            return status, not batch.tally.waiting
        finally:
            batch.close()
    except Cancelled:
        return INTERRUPTED, False
    except ValueError as error:
        say(f"onlooker: {error}")
        return WRONG_USE, False
    except AppError as error:
        say(f"onlooker: {error}")
        return SOME_FAILED, opener.has_failed


class _Opener:
    """Opens the model of a run; `has_failed` if it cannot be opened."""

    def __init__(self, open_engine: Callable[[int, Sequence[str]], Engine]):
        self._open_engine = open_engine
        self.has_failed = False

    def __call__(self, images: int, prompts: Sequence[str]) -> Engine:
        try:
            return self._open_engine(images, prompts)
        except AppError:
            self.has_failed = True
            raise


def _say_model(options: BatchOptions, *, continues: bool) -> None:
    count = options.turn + len(options.then)
    if count > 1:
        say(f"{short_name(options.model)} ({options.turn} of {count})")
    elif continues:
        say(f"Continues with {short_name(options.model)}.")


def _following(batch: Batch, *, goes_on: bool) -> Callable[[], Batch] | None:
    """Returns what begins the run after this one, None if there is none, or it is not to be done
    now; says which are left then."""
    options = batch.options
    if not options.then or batch.is_undone or not batch.items:
        return None
    other = Other.of(options.then[0])
    if not goes_on or other is None or other.kind is not OtherKind.MODEL:
        others = filter(None, map(Other.of, options.then))
        how = "Use --resume" if not goes_on else "Open the window"
        say(f"Not started: {', '.join(one.shown for one in others)}. {how} to do these too.")
        return None
    roots = roots_of_next(batch.roots, options, batch.items)
    if not roots:
        say("The runs that follow were left out, as no image got a new caption.")
        return None
    return partial(Batch.begin, roots, next_options(options), batch.journal_path.parent)
