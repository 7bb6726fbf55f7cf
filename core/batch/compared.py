"""What the models of several runs answered about the same images, to choose among them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from core.batch.events import Captioned
from core.batch.history import find_runs
from core.batch.journal import read_events
from core.errors import StoreError

_MOST_RUNS = 12


@dataclass(frozen=True)
class AnsweredRun:
    """A run's captions by image, as the model wrote them: edits by hand are not in it."""

    prompts: tuple[str, ...]
    model: str
    began: datetime
    captions: Mapping[Path, str]


def answered_runs(journals: Path, pictures: Collection[Path]) -> list[AnsweredRun]:
    """Returns the latest runs that have captions for some of these images, the newest first.
    A journal that cannot be read is left out. Reads journals whole."""
    wanted = {str(picture) for picture in pictures}
    found: list[AnsweredRun] = []
    for run in find_runs(journals):
        captions: dict[Path, str] = {}
        model = ""
        try:
            for event in read_events(run.journal):
                if isinstance(event, Captioned) and event.picture in wanted:
                    captions[Path(event.picture)] = event.caption
                    model = event.model or model
        except StoreError:
            continue
        if captions:
            found.append(AnsweredRun(run.options.prompts, model, run.began, captions))
        if len(found) == _MOST_RUNS:
            break
    return found
