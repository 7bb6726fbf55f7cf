"""Makes and undoes actions on the images of a workspace, and notes what they have changed."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

from core.captions.encoding import plain
from core.captions.stamps import stamp_after, stamp_of
from core.captions.table import caption_of_raw
from core.errors import StoreError
from core.message import Message, translatable
from core.workspace.actions import Action, Step, StepKind
from core.workspace.answers import answer_from
from core.workspace.data import Conflict, EditReport, Failure, ReviewState
from core.workspace.edits import Edits, Outcome, line_bytes, moves_text
from core.workspace.images import REVIEWS, Images, is_inside
from core.workspace.messages import as_message
from core.workspace.move import FileMove
from core.workspace.readers import CaptionReader
from core.workspace.records import Records
from core.workspace.scan import status_of

# Beyond it an action is said to be about the folders of the workspace.
_MOST_FOLDERS = 50


class Changes:
    """What can be done to the images in these columns. `reader` finds their caption files, and
    `places` are the folders of the workspace. Used by one thread at a time; calls raise
    sqlite3.Error."""

    def __init__(self, images: Images, records: Records, edits: Edits, places: Sequence[Path]):
        self._images, self._records, self._edits = images, records, edits
        self._places = places

    def set_captions(
        self,
        captions: Mapping[int, str],
        name: Message,
        reader: CaptionReader,
        *,
        overwrites: Collection[int],
        seen: Mapping[int, str] | None,
        is_by_person: bool,
        reviews: Mapping[int, ReviewState],
    ) -> EditReport:
        """Writes captions, and sets reviews; see `Workspace.set_captions`."""
        plan = _Plan(name)
        for id, caption in captions.items():
            if id in self._images:
                was = self._images.captions[id] if seen is None else seen.get(id)
                was = None if id in overwrites else was
                self._plan(plan, id, caption, was, reader, is_by_person)
            else:
                image = self._images.path(id)
                text = translatable(
                    "core", "“{name}” is not in its folder any more. Put it back, then try again."
                )
                plan.failures.append(Failure(image, text.format(name=image.name)))
        for id, review in reviews.items():
            self._plan_review(plan, id, review)
        return self._make(plan, reader)

    def set_review(self, ids: Iterable[int], state: ReviewState) -> EditReport:
        """Sets what a person thinks of images."""
        plan = _Plan(_REVIEWS[state])
        for id in dict.fromkeys(ids):
            self._plan_review(plan, id, state)
        return self._make(plan)

    def move(
        self,
        moves: Mapping[int, Sequence[FileMove]],
        name: Message,
        reader: CaptionReader,
        *,
        is_trash: bool = False,
    ) -> EditReport:
        """Moves the files of images, of each the image itself last, and the rows of their captions
        in tables."""
        plan = _Plan(name)
        for id, files in moves.items():
            if files:
                self._plan_move(plan, id, files, reader, is_trash=is_trash)
        return self._make(plan, reader)

    def drop_rows(self, ids: Iterable[int], name: Message, reader: CaptionReader) -> EditReport:
        """Takes the rows of images that are gone out of tables."""
        plan = _Plan(name)
        for id in ids:
            self._plan_rows(plan, id, None, reader)
        return self._make(plan, reader)

    def _plan_rows(self, plan: _Plan, id: int, target: str | None, reader: CaptionReader) -> bool:
        """Plans what becomes of an image's rows. Returns False if their table cannot be read."""
        image = self._images.path_text(id)
        try:
            rows = reader.moved(image, target)
        except StoreError as error:
            plan.failures.append(Failure(Path(image), as_message(error.message)))
            return False
        for row in rows:
            texts = line_bytes(row.before), line_bytes(row.after)
            number = len(plan.steps)
            plan.add(id, Step(row.image, row.path, *texts, kind=StepKind.LINE, number=number))
            if row.before is None and not os.path.lexists(row.path):
                plan.note = _new_table(Path(row.path))
        return True

    def _plan_move(
        self,
        plan: _Plan,
        id: int,
        files: Sequence[FileMove],
        reader: CaptionReader,
        *,
        is_trash: bool,
    ) -> None:
        image, target = self._images.path_text(id), str(files[-1].target)
        if self._plan_rows(plan, id, None if is_trash else target, reader):
            number, content = len(plan.steps), moves_text(files)
            plan.add(id, Step(image, target, None, content, kind=StepKind.MOVE, number=number))

    def undo(self, action: Action, reader: CaptionReader) -> EditReport:
        """Undoes an action, but for files that were changed since."""
        return self._report(_Plan(action.name), self._edits.undo(action), reader)

    def redo(self, action: Action, reader: CaptionReader) -> EditReport:
        """Makes an action again."""
        return self._report(_Plan(action.name), self._edits.redo(action), reader)

    def recover(self) -> tuple[Message, ...]:
        """Finishes what was under way when the program was killed; returns what to say of it. The
        columns have no images yet, and are left so."""
        notes: list[Message] = []
        for action, outcome in self._edits.recover():
            with self._records.transaction():
                self._keep_records(outcome.made)
                for step in outcome.made:
                    if step.kind is StepKind.MOVE:
                        self._records.move(*_places_of(step))
            left = len(outcome.not_made)
            text = translatable("core", "“{name}” was interrupted and is finished now.")
            if left:
                text = translatable(
                    "core",
                    "“{name}” was interrupted and is finished now, but for {count} of its images, "
                    "which cannot be changed or were changed since.",
                )
                notes.append(text.format(name=action.name, count=f"{left:,}"))
            else:
                notes.append(text.format(name=action.name))
        return tuple(notes)

    def _plan(
        self,
        plan: _Plan,
        id: int,
        caption: str,
        was: str | None,
        reader: CaptionReader,
        is_by_person: bool,
    ) -> None:
        """Adds what is to be done for a caption, unless the file no longer holds `was`."""
        image = self._images.path_text(id)
        try:
            change = reader.change(self._images, id, caption)
        except StoreError as error:
            plan.failures.append(Failure(Path(image), as_message(error.message)))
            return
        if was is not None and change.caption not in (was, caption):
            plan.conflicts.append(Conflict(id, Path(image), caption, change.caption))
            self._note_caption(id, change.path, change.caption, change.kind, change.before)
        elif change.after != change.before and change.caption != caption:
            plan.captions[id] = plain(caption)
            was_edited, number = bool(self._images.edited[id]), len(plan.steps)
            step = Step(
                *(image, change.path, change.before, change.after, was_edited, is_by_person),
                *(change.kind, number),
            )
            plan.add(id, step)

    def _plan_review(self, plan: _Plan, id: int, state: ReviewState) -> None:
        if id not in self._images:
            return
        review = REVIEWS[self._images.reviews[id]]
        if review != state:
            path, number = self._images.path_text(id), len(plan.steps)
            before, after = review.encode(), state.encode()
            step = Step(*(path, path, before, after), kind=StepKind.REVIEW, number=number)
            plan.add(id, step)

    def _make(self, plan: _Plan, reader: CaptionReader | None = None) -> EditReport:
        if not plan.steps:
            return plan.report()
        images = self._images
        folders = {images.folders[images.folder_of[id]] for id in plan.ids}
        places = sorted(map(Path, folders)) if len(folders) <= _MOST_FOLDERS else self._places
        return self._report(plan, self._edits.make(plan.name, plan.steps, places), reader)

    def _report(self, plan: _Plan, outcome: Outcome, reader: CaptionReader | None) -> EditReport:
        """Notes what an action has changed. Without a `reader` it changes no caption."""
        changed: list[int] = []
        with self._records.transaction():
            self._keep_records(outcome.made)
            for step in outcome.made:
                if step.kind is StepKind.MOVE:
                    changed += self._note_move(step)
                elif (id := self._images.id_of_text(step.image)) is not None:
                    changed.append(id)
                    self._note_step(id, step, plan.captions.get(id), reader)
        for step, reason in outcome.failed:
            plan.failures.append(Failure(Path(step.image), reason))
        for step, found in outcome.conflicts:
            if (id := self._images.id_of_text(step.image)) is not None:
                ours = _caption_in(step, step.after, reader)
                theirs = _caption_in(step, found, reader)
                plan.conflicts.append(Conflict(id, Path(step.image), ours, theirs))
                self._note_if_own(id, step, theirs, found)
        return plan.report(changed)

    def _keep_records(self, made: Sequence[Step]) -> None:
        contents = [step for step in made if step.kind in (StepKind.CONTENT, StepKind.ROW)]
        reviews = [step for step in made if step.kind is StepKind.REVIEW]
        answers = [step for step in made if step.kind is StepKind.ANSWER]
        edited = {
            step.image: step.is_edited for step in contents if step.is_edited != step.was_edited
        }
        self._records.set("is_edited", edited)
        self._records.set("review", {step.image: _review(step) for step in reviews})
        self._records.set("answer", {step.image: answer_from(step.after) for step in answers})

    def _note_step(
        self, id: int, step: Step, caption: str | None, reader: CaptionReader | None
    ) -> None:
        if step.kind is StepKind.REVIEW:
            self._images.set_review(id, _review(step))
            return
        if step.kind is StepKind.ANSWER:
            return
        if step.kind is StepKind.LINE:
            # The caption is the same. Those of the workspace may be in others by now.
            if Path(self._images.targets[id]).name == Path(step.path).name:
                self._images.targets[id] = step.path
            return
        self._images.edited[id] = step.is_edited
        if caption is None:
            caption = _caption_in(step, step.after, reader)
        self._note_if_own(id, step, caption, step.after)

    def _note_move(self, step: Step) -> list[int]:
        """Notes that an image is somewhere else; returns its id, none for one that came back."""
        old, new = _places_of(step)
        self._records.move(old, new)
        id = self._images.id_of_text(old)
        if any(is_inside(new, str(place)) for place in self._places):
            is_back = id is None
            id = self._images.place(id, new)
            if is_back:  # Or the next scan would take it for changed, and forget what was read.
                self._images.set_file(id, *status_of(Path(new)))
        elif id is not None:
            self._images.remove(id)
        return [] if id is None else [id]

    def _note_if_own(self, id: int, step: Step, caption: str, data: bytes | None) -> None:
        """Notes what a file holds, unless the captions of the workspace are in others by now."""
        if self._images.targets[id] in ("", step.path):
            self._note_caption(id, step.path, caption, step.kind, data)

    def _note_caption(
        self, id: int, path: str, caption: str, kind: StepKind, data: bytes | None
    ) -> None:
        """Notes a caption that stands in `data`, the content of a file or a row in it. What another
        program has written since is read the next time."""
        self._images.targets[id] = path
        # Tables look after themselves.
        stamp = stamp_after(path, data) if kind is StepKind.CONTENT else stamp_of(path)
        self._images.set_caption(id, caption, stamp)


class _Plan:
    """What an action is to do, by the images' ids, and what it will not."""

    def __init__(self, name: Message):
        self.name = name
        self.steps: list[Step] = []
        self.ids: set[int] = set()
        self.captions: dict[int, str] = {}
        self.failures: list[Failure] = []
        self.conflicts: list[Conflict] = []
        self.note: Message | None = None

    def add(self, id: int, step: Step) -> None:
        self.steps.append(step)
        self.ids.add(id)

    def report(self, changed: Iterable[int] = ()) -> EditReport:
        """An image whose caption and review were changed counts once."""
        ids = tuple(dict.fromkeys(changed))
        failures, conflicts = tuple(self.failures), tuple(self.conflicts)
        return EditReport(self.name, ids, failures, conflicts, self.note)


def _new_table(path: Path) -> Message:
    text = translatable(
        "core",
        "“{folder}” had no table of captions. The captions of the images are in a new “{name}” "
        "there.",
    )
    return text.format(folder=path.parent.name or path.parent, name=path.name)


_REVIEWS = {
    ReviewState.UNREVIEWED: translatable("core", "Reset review"),
    ReviewState.ACCEPTED: translatable("core", "Accept"),
    ReviewState.REJECTED: translatable("core", "Reject"),
    ReviewState.NEEDS_WORK: translatable("core", "Mark as needs work"),
}


def _places_of(step: Step) -> tuple[str, str]:
    """Returns where an image was, and where it is after a step."""
    is_back = step.after is None
    return (step.path, step.image) if is_back else (step.image, step.path)


def _review(step: Step) -> ReviewState:
    return ReviewState((step.after or b"").decode())


def _caption_in(step: Step, data: bytes | None, reader: CaptionReader | None) -> str:
    try:
        if step.kind is StepKind.ROW:
            return caption_of_raw(Path(step.path).name, data)
        return reader.caption_in(step.path, data) if reader else ""
    except StoreError:
        return (data or b"").decode("utf-8", "replace").strip()
