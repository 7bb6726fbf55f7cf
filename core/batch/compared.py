"""What the models of several runs answered about the same images, to choose among them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from core.batch.events import Captioned
from core.batch.history import find_runs
from core.batch.journal import read_events
from core.batch.run_events import Started
from core.errors import StoreError

_MOST_RUNS = 12


@dataclass(frozen=True)
class AnsweredRun:
    """A run's captions by image, as the model wrote them: edits by hand are not in it. `model` is
    what the model is called, or each of several that wrote them."""

    prompts: tuple[str, ...]
    model: str
    began: datetime
    captions: Mapping[Path, str]


def answered_runs(
    journals: Path, pictures: Collection[Path], moves: Sequence[tuple[str, str, float]] = ()
) -> list[AnsweredRun]:
    """Returns the latest runs that have captions for some of these images, the newest first.
    A journal that cannot be read is left out. Reads journals whole.

    `moves` are where images were and are, and when that was noticed, in seconds: one that was moved
    after a run has its answers, and another image that has its path now has not.
    """
    wanted = {str(picture) for picture in pictures}
    later = _by_old_path(moves)
    found: list[AnsweredRun] = []
    for run in find_runs(journals):
        captions: dict[Path, str] = {}
        # Journals know a caption's model by its fingerprint, and its name where they name the
        # engine.
        models: dict[str, None] = {}
        model = ""
        try:
            for event in read_events(run.journal):
                if isinstance(event, Started):
                    model = event.engine.model
                if not isinstance(event, Captioned):
                    continue
                now = _path_now(event.picture, run.began.timestamp(), later)
                if now in wanted:
                    captions[Path(now)] = event.caption
                    models[model or event.model] = None
        except StoreError:
            continue
        if captions:
            name = ", ".join(filter(None, models))
            found.append(AnsweredRun(run.options.prompts, name, run.began, captions))
        if len(found) == _MOST_RUNS:
            break
    return found


def _by_old_path(moves: Sequence[tuple[str, str, float]]) -> dict[str, list[tuple[float, str]]]:
    later: dict[str, list[tuple[float, str]]] = {}
    for old, new, when in moves:
        later.setdefault(old, []).append((when, new))
    return later


def _path_now(path: str, when: float, later: Mapping[str, list[tuple[float, str]]]) -> str:
    """Returns where an image is that was at `path` then."""
    while moved := next((one for one in later.get(path, ()) if one[0] > when), None):
        when, path = moved
    return path
