"""A folder run in a process of its own, to be killed: `folder_run.py PICTURES JOURNALS HOLD`.

The engine is scripted and slow enough to be killed inside an answer. It notes each answer that
it has begun to give up in a file, so that a test can count what was asked twice.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Generator, Iterable
from functools import partial
from pathlib import Path

from core.batch import Batch, BatchOptions, Control, find_runs
from core.captions.formats import CaptionFormat
from core.captions.sidecar import Existing
from core.engine import EngineFacts
from core.errors import AppError, OutOfMemory, PromptError
from core.picture import Picture
from core.transcript import Answer, Ending, Precision, Request

FACTS = EngineFacts("script", "cpu", "Script", Precision.FLOAT32, 0, 4096, fingerprint="f1")


class FolderEngine:
    """Says “NAME: PROMPT”, in three pieces. `fail` maps a file name to what it raises, and `says` a
    file name, or a file name and prompt, to what is said instead.

    With `most` slots at once or more it is out of memory.
    """

    def __init__(self, seconds: float = 0.0, facts: EngineFacts = FACTS, most: int = 10**6):
        self.facts = facts
        self.seconds = seconds
        self.most = most
        self.fail: dict[str, AppError] = {}
        self.says: dict[str | tuple[str, str], str] = {}
        self.asked: list[tuple[str, str]] = []
        self.has_begun = threading.Event()
        self.on_answer: Callable[[Request], None] = lambda request: None

    def answer(
        self, request: Request, on_piece: Callable[[str], None], stop: threading.Event
    ) -> Answer:
        prompt = request.turns[-1].prompt
        name = _name(request.picture)
        self.asked.append((name, prompt))
        self.has_begun.set()
        if name in self.fail:
            raise self.fail[name]
        said = []
        scripted = self.says.get((name, prompt), self.says.get(name))
        for piece in (name, ": ", prompt) if scripted is None else (scripted,):
            if stop.is_set() or (self.seconds and stop.wait(self.seconds / 3)):
                return Answer("".join(said), Ending.STOPPED, len(said), 0.0)
            said.append(piece)
            on_piece(piece)
        self.on_answer(request)
        return Answer("".join(said), Ending.COMPLETE, 3, self.seconds)

    def answer_all(
        self,
        requests: Iterable[Request | None],
        stop: threading.Event,
        *,
        slots: int,
        on_piece: Callable[[Request, str], None] | None = None,
        is_stopped: Callable[[Request], bool] | None = None,
        on_refused: Callable[[Request, PromptError], None] | None = None,
    ) -> Generator[tuple[Request, Answer]]:
        """The last that came in is answered first."""
        source = iter(requests)
        held: list[Request] = []
        has_more = True
        while has_more or held:
            while len(held) < slots and has_more:
                try:
                    request = next(source)
                except StopIteration:
                    has_more = False
                    break
                if request is not None:
                    held.append(request)
                elif held:
                    break  # None waits at the moment.
            if not held:
                return
            if len(held) >= self.most:
                raise OutOfMemory("The memory of this computer is used up.")
            request = held.pop()
            hear = partial(on_piece, request) if on_piece else lambda _: None
            yield request, self.answer(request, hear, stop)

    def close(self) -> None:
        """It holds nothing."""


def _name(picture: Picture) -> str:
    assert picture.path is not None
    return picture.path.name


def main(pictures: Path, journals: Path, mode: str) -> int:
    options = BatchOptions(
        ("What is it?", "And where?"),
        writes=(CaptionFormat.TXT, CaptionFormat.XMP, CaptionFormat.JSONL, CaptionFormat.CSV),
        existing=Existing(mode),
        is_recursive=True,
    )
    kept = [run for run in find_runs(journals) if not run.is_undone]
    batch = Batch.resume(kept[0].journal) if kept else Batch.begin([pictures], options, journals)
    engine = FolderEngine(seconds=0.01)
    answered = (journals / "answered").open("a", buffering=1)
    engine.on_answer = lambda request: print(request.picture.path, file=answered) or None
    sys.stdout.write("begun\n")
    sys.stdout.flush()
    tally = batch.run(engine, Control(), slots=1 if time.time_ns() % 2 else 3)
    batch.close()
    answered.close()
    return 1 if tally.failed or tally.waiting else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]))
