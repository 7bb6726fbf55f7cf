"""What models wrote about the images of a workspace, kept apart from their caption files: so that a
person's changes can be shown, taken back, or spared."""

from __future__ import annotations

import os
import threading
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from pathlib import Path

from core.captions.encoding import plain
from core.message import translatable
from core.workspace.actions import Actions, ActionState, Step, StepKind
from core.workspace.edits import Edits
from core.workspace.images import Images
from core.workspace.opening import failing, open_database
from core.workspace.records import Record, Records

_AGAIN = translatable("core", "Caption again")
Written = tuple[str, str, bytes | None, bytes | None, bool, str]
"""How a model's caption was written: the paths of its image and of its file, what that held before
and after it, whether it is the image's row in it, as a table, and the caption."""


class Answers:
    """The answers that are kept; any thread may call. Raises StoreError if the database fails."""

    def __init__(self, guard: threading.RLock, images: Images, records: Records, edits: Edits):
        self._guard, self._images, self._records, self._edits = guard, images, records, edits

    def note(self, answers: Mapping[Path, str], doubts: Mapping[Path, float] | None = None) -> None:
        """Keeps what a model wrote about images, which no person has changed yet, and how doubtful
        it is; no caption file is written."""
        with self._guard, failing():
            doubts = doubts or {}
            self._records.set_answers(
                {str(image): (text, doubts.get(image)) for image, text in answers.items()}
            )
            for image in answers:
                id = self._images.id_of(image)
                if id is not None:
                    self._images.set_doubt(id, doubts.get(image))
                    self._images.edited[id] = False

    def note_again(
        self,
        written: Iterable[Written],
        answers: Mapping[Path, str],
        doubts: Mapping[Path, float] | None = None,
    ) -> None:
        """Keeps what a model wrote anew about images as an action that can be undone, as an edit
        can."""
        with self._guard, failing():
            _keep_again(self._records, self._edits.actions, list(written))
        self.note(answers, doubts)

    def of(self, id: int) -> str | None:
        """Returns what a model wrote last about an image; None if that is not known."""
        with self._guard, failing():
            return self._records.get(self._images.path_text(id)).answer

    def moves(self) -> list[tuple[str, str, float]]:
        """Returns where images were and are, and when that was noticed, in seconds: the journals of
        runs know them by their path at the time."""
        with self._guard, failing():
            return self._records.moves()

    def untouched(self, ids: Iterable[int]) -> list[int]:
        """Returns those of these images whose captions no person wrote or changed: they have none,
        or what a model wrote last, as it was."""
        with self._guard, failing():
            by_folder: dict[int, list[int]] = defaultdict(list)
            wanted = [id for id in ids if id in self._images]
            for id in wanted:
                by_folder[self._images.folder_of[id]].append(id)
            kept: set[int] = set()
            for folder, members in by_folder.items():
                records = self._records.in_folder(self._images.folders[folder])
                kept.update(id for id in members if self._is_untouched(id, records))
            return [id for id in wanted if id in kept]

    def _is_untouched(self, id: int, records: Mapping[str, Record]) -> bool:
        caption = self._images.captions[id]
        if not caption:
            return id not in self._images.problems
        answer = records.get(os.fspath(self._images.names[id]), Record()).answer
        is_edited = bool(self._images.edited[id])
        return not is_edited and answer is not None and plain(answer).strip() == caption.strip()


def recover_again(data: Path, began: float, written: Iterable[Written]) -> bool:
    """Does as `note_again` for a run that began then, and was killed before that. Returns whether
    there was something to do. `data` is the folder of the database. Raises StoreError."""
    connection, _ = open_database(data)
    with closing(connection), failing():
        actions = Actions(connection)
        left = [one for one in written if not actions.has_step(one[0], one[1], one[3], began)]
        _keep_again(Records(connection), actions, left)
    return bool(left)


def _keep_again(records: Records, actions: Actions, written: Sequence[Written]) -> None:
    """Keeps the action and the answers at once."""
    steps: list[Step] = []
    before = {image: records.get(image) for image, *_ in written}
    for image, path, was, now, is_row, _ in written:
        kind, number = StepKind.ROW if is_row else StepKind.CONTENT, len(steps)
        steps.append(Step(image, path, was, now, before[image].is_edited, False, kind, number))
    answers = {image: caption for image, *_, caption in written}
    for image, caption in answers.items():
        texts = _answer_bytes(before[image].answer), _answer_bytes(caption)
        steps.append(Step(image, image, *texts, kind=StepKind.ANSWER, number=len(steps)))
    if steps:
        folders = sorted({Path(step.image).parent for step in steps})
        records.set("answer", answers)
        records.set("is_edited", dict.fromkeys(answers, False))
        actions.begin(_AGAIN, steps, folders, "", ActionState.MADE)


def answer_from(stored: bytes | None) -> str | None:
    """Returns the answer that a step keeps; None for none."""
    return None if stored is None else stored.decode("utf-8", "surrogatepass")


def _answer_bytes(answer: str | None) -> bytes | None:
    return None if answer is None else answer.encode("utf-8", "surrogatepass")
