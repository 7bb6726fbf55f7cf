"""What an action is to do, and what it has changed: noted in the columns of a workspace."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from core.captions.stamps import stamp_after, stamp_of
from core.captions.table import caption_of_raw
from core.errors import StoreError
from core.message import Message, translatable
from core.workspace.actions import Step, StepKind
from core.workspace.data import Conflict, EditReport, Failure, ReviewState
from core.workspace.images import Images, is_inside
from core.workspace.readers import CaptionReader
from core.workspace.scan import status_of
from core.workspace.steps import Outcome


class Plan:
    """What an action is to do, by the images' ids, what it will not, and what it has changed."""

    def __init__(self, name: Message, total: int = 0):
        self.name, self.total = name, total
        self.steps: list[Step] = []
        self.ids: set[int] = set()
        self.captions: dict[int, str] = {}
        self.failures: list[Failure] = []
        self.conflicts: list[Conflict] = []
        self.note: Message | None = None
        self.changed: list[int] = []
        self.left = 0

    def add(self, id: int, step: Step) -> None:
        """Adds what is to be done for an image."""
        self.steps.append(step)
        self.ids.add(id)

    def report(self) -> EditReport:
        """An image whose caption and review were changed counts once."""
        changed = tuple(dict.fromkeys(self.changed))
        failures, conflicts = tuple(self.failures), tuple(self.conflicts)
        return EditReport(self.name, changed, failures, conflicts, self.note, self.left)

    def stopped(self) -> EditReport:
        """It was stopped before anything was changed."""
        return EditReport(self.name, left=self.total)


class Noting:
    """Notes in these columns what was done to images; `places` are the folders of the workspace."""

    def __init__(self, images: Images, places: Sequence[Path]):
        self._images, self._places = images, places

    def note(self, plan: Plan, part: Outcome, reader: CaptionReader | None) -> None:
        """Notes what some steps have changed, also in the plan."""
        for step in part.made:
            if step.kind is StepKind.MOVE:
                plan.changed += self._note_move(step)
            elif (id := self._images.id_of_text(step.image)) is not None:
                plan.changed.append(id)
                self._note_step(plan, id, step, part.stamps.get(step.number), reader)

    def _note_step(
        self,
        plan: Plan,
        id: int,
        step: Step,
        stamp: tuple[int, int] | None,
        reader: CaptionReader | None,
    ) -> None:
        if step.kind is StepKind.REVIEW:
            self._images.set_review(id, review_of(step))
            return
        if step.kind is StepKind.ANSWER:
            return
        if step.kind is StepKind.LINE:
            # The caption is the same. Those of the workspace may be in others by now.
            if Path(self._images.targets[id]).name == Path(step.path).name:
                self._images.targets[id] = step.path
            return
        self._images.edited[id] = step.is_edited
        caption = plan.captions.get(id)
        if caption is None:
            caption = caption_in(step, step.after, reader)
        self.note_if_own(id, step, caption, step.after, stamp)

    def _note_move(self, step: Step) -> list[int]:
        """Notes that an image is somewhere else; returns its id, none for one that came back."""
        old, new = places_of(step)
        id = self._images.id_of_text(old)
        if any(is_inside(new, str(place)) for place in self._places):
            is_back = id is None
            id = self._images.place(id, new)
            if is_back:  # Or the next scan would take it for changed, and forget what was read.
                self._images.set_file(id, *status_of(Path(new)))
        elif id is not None:
            self._images.remove(id)
        return [] if id is None else [id]

    def note_if_own(
        self,
        id: int,
        step: Step,
        caption: str,
        data: bytes | None,
        stamp: tuple[int, int] | None = None,
    ) -> None:
        """Notes what a file holds, unless the captions of the workspace are in others by now."""
        if self._images.targets[id] in ("", step.path):
            self.note_caption(id, step.path, caption, step.kind, data, stamp)

    def note_caption(
        self,
        id: int,
        path: str,
        caption: str,
        kind: StepKind,
        data: bytes | None,
        stamp: tuple[int, int] | None = None,
    ) -> None:
        """Notes a caption that stands in `data`, the content of a file or a row in it, which has
        this stamp if that is known. What another program has written since is read the next
        time."""
        self._images.targets[id] = path
        if stamp is None:
            # Tables look after themselves.
            stamp = stamp_after(path, data) if kind is StepKind.CONTENT else stamp_of(path)
        self._images.set_caption(id, caption, stamp)


def places_of(step: Step) -> tuple[str, str]:
    """Returns where an image was, and where it is after a step."""
    is_back = step.after is None
    return (step.path, step.image) if is_back else (step.image, step.path)


def review_of(step: Step) -> ReviewState:
    """Returns what a person thinks of an image after a step."""
    return ReviewState((step.after or b"").decode())


def caption_in(step: Step, data: bytes | None, reader: CaptionReader | None) -> str:
    """Returns the caption that a file or a row with this content has."""
    try:
        if step.kind is StepKind.ROW:
            return caption_of_raw(Path(step.path).name, data)
        return reader.caption_in(step.path, data) if reader else ""
    except StoreError:
        return (data or b"").decode("utf-8", "replace").strip()


REVIEW_NAMES = {
    ReviewState.UNREVIEWED: translatable("core", "Reset review"),
    ReviewState.ACCEPTED: translatable("core", "Accept"),
    ReviewState.REJECTED: translatable("core", "Reject"),
    ReviewState.NEEDS_WORK: translatable("core", "Mark as needs work"),
}
"""What an action that sets reviews is called."""
