"""Makes and undoes actions on the images of a workspace, and notes what they have changed."""

from __future__ import annotations

import os
from collections.abc import Collection, Generator, Iterable, Mapping, Sequence
from pathlib import Path
from threading import Event

from core.captions.encoding import plain
from core.errors import StoreError
from core.files import why_away
from core.message import Message, translatable
from core.workspace.actions import Action, Step, StepKind
from core.workspace.answers import answer_from
from core.workspace.data import Conflict, EditProgress, EditReport, Failure, ReviewState
from core.workspace.edits import Doing, Edits, line_bytes
from core.workspace.images import REVIEWS, Images, is_inside
from core.workspace.messages import as_message
from core.workspace.move import FileMove, SidecarFinder, planned_moves
from core.workspace.noting import REVIEW_NAMES, Noting, Plan, caption_in, places_of, review_of
from core.workspace.ongoing import Parts, beside, reporting
from core.workspace.readers import CaptionReader
from core.workspace.records import Records
from core.workspace.steps import Outcome, moves_text
from core.workspace.trash import HAS_WAY_BACK, planned_deletions, sent_to_trash

# Beyond it an action is said to be about the folders of the workspace.
_MOST_FOLDERS = 50
# So many captions are looked at between two looks at whether an edit is to be stopped.
_LOOKED_AT = 50
_REVIEWED_AT = 2_000
# Each time what is kept of images comes to the disk.
_KEPT_AT_ONCE = 1_000


class Changes:
    """What can be done to the images in these columns. `reader` finds their caption files, and
    `places` are the folders of the workspace. Used by one thread at a time; calls raise
    sqlite3.Error."""

    def __init__(self, images: Images, records: Records, edits: Edits, places: Sequence[Path]):
        self._images, self._records, self._edits = images, records, edits
        self._places = places
        self._noting = Noting(images, places)

    def set_captions(
        self,
        captions: Iterable[tuple[int, str | None]],
        total: int,
        name: Message,
        reader: CaptionReader,
        *,
        overwrites: Collection[int] = (),
        seen: Mapping[int, str] | None = None,
        is_by_person: bool = True,
        reviews: Mapping[int, ReviewState] | None = None,
        stop: Event | None = None,
    ) -> Parts:
        """Writes captions, None for those that stay, of `total` images, and sets reviews; see
        `Workspace.set_captions`."""
        plan = Plan(name, total)
        for number, (id, caption) in enumerate(captions):
            if number % _LOOKED_AT == 0:
                yield EditProgress(name, number, total)
                if stop is not None and stop.is_set():
                    return plan.stopped()
            if caption is None:
                continue
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
        for id, review in (reviews or {}).items():
            self._plan_review(plan, id, review)
        return (yield from self._make(plan, reader, stop))

    def set_review(
        self, ids: Sequence[int], state: ReviewState, stop: Event | None = None
    ) -> Parts:
        """Sets what a person thinks of images."""
        plan = Plan(REVIEW_NAMES[state], len(ids))
        for number, id in enumerate(ids):
            if number % _REVIEWED_AT == 0:
                yield EditProgress(plan.name, number, plan.total)
            self._plan_review(plan, id, state)
        return (yield from self._make(plan, stop=stop))

    def move_to(
        self,
        ids: Iterable[int],
        folder: Path,
        pattern: str,
        reader: CaptionReader,
        stop: Event | None = None,
    ) -> Parts:
        """Moves images, and the files beside them, to another folder."""
        name = translatable("core", "Move to “{folder}”").format(folder=folder.name or folder)
        sidecars, plan = yield from self._sidecars(ids, pattern, name)
        return (yield from self._move(planned_moves(sidecars, folder), plan, reader, stop))

    def trash(
        self,
        ids: Iterable[int],
        pattern: str,
        reader: CaptionReader,
        stop: Event | None = None,
    ) -> Parts:
        """Moves images, and the files beside them, to the system's trash."""
        name = translatable("core", "Move to trash")
        sidecars, plan = yield from self._sidecars(ids, pattern, name)
        if not HAS_WAY_BACK:
            return (yield from self._delete(sidecars, name, reader, stop))
        moves = planned_deletions(sidecars)
        return (yield from self._move(moves, plan, reader, stop, is_trash=True))

    def _sidecars(
        self, ids: Iterable[int], pattern: str, name: Message
    ) -> Generator[EditProgress, None, tuple[SidecarFinder, Plan]]:
        """Returns what finds the files beside images, and an empty plan."""
        pictures: list[Path] = []
        for number, id in enumerate(ids):
            if number % _REVIEWED_AT == 0:
                yield EditProgress(name)
            if id in self._images:
                pictures.append(self._images.path(id))
        finding = beside(lambda: SidecarFinder(pictures, pattern))
        sidecars = yield from reporting(finding, EditProgress(name, 0, len(pictures)))
        return sidecars, Plan(name, len(pictures))

    def _move(
        self,
        moves: Iterable[tuple[Path, Sequence[FileMove]]],
        plan: Plan,
        reader: CaptionReader,
        stop: Event | None,
        *,
        is_trash: bool = False,
    ) -> Parts:
        """Moves the files of images, of each the image itself last, and the rows of their captions
        in tables."""
        for number, (path, files) in enumerate(moves):
            if number % _LOOKED_AT == 0:
                yield EditProgress(plan.name, number, plan.total)
                if stop is not None and stop.is_set():
                    return plan.stopped()
            # An image may be gone by now.
            if files and (id := self._images.id_of(path)) is not None:
                self._plan_move(plan, id, files, reader, is_trash=is_trash)
        return (yield from self._make(plan, reader, stop))

    def drop_rows(self, ids: Iterable[int], name: Message, reader: CaptionReader) -> Parts:
        """Takes the rows of images that are gone out of tables."""
        plan = Plan(name)
        for number, id in enumerate(ids):
            if number % _LOOKED_AT == 0:
                yield EditProgress(name, is_writing=True, can_stop=False)
            self._plan_rows(plan, id, None, reader)
        return (yield from self._make(plan, reader))

    def _delete(
        self, sidecars: SidecarFinder, name: Message, reader: CaptionReader, stop: Event | None
    ) -> Parts:
        """Sends images with the files beside them to a trash that gives no path back, and takes
        their rows out of tables."""
        changed: list[int] = []
        failures: list[Failure] = []
        left = total = len(sidecars.pictures)
        for path, why in sent_to_trash(sidecars):
            left -= 1
            if why:
                failures.append(Failure(path, as_message(why)))
            elif (id := self._images.id_of(path)) is not None:
                changed.append(id)
                self._images.remove(id)
            yield EditProgress(name, total - left, total, is_writing=True)
            if stop is not None and stop.is_set():
                break
        rows = yield from self.drop_rows(changed, name, reader)
        return EditReport(name, tuple(changed), (*failures, *rows.failures), left=left)

    def _plan_rows(self, plan: Plan, id: int, target: str | None, reader: CaptionReader) -> bool:
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
        plan: Plan,
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

    def undo(self, reader: CaptionReader, stop: Event | None = None) -> Parts | None:
        """Undoes the last action, but for files that were changed since; None if there is none."""
        action = self._edits.last_made
        return action and self._made_again(action, self._edits.begin_undo(action), reader, stop)

    def redo(self, reader: CaptionReader, stop: Event | None = None) -> Parts | None:
        """Makes the action again that was undone last; None if there is none."""
        action = self._edits.last_undone
        return action and self._made_again(action, self._edits.begin_redo(action), reader, stop)

    def _made_again(
        self,
        action: Action,
        begun: Generator[int, None, Doing],
        reader: CaptionReader,
        stop: Event | None,
    ) -> Parts:
        plan = Plan(action.name, self._edits.actions.count(action))
        return self._carried_out(plan, begun, reader, stop)

    def recover(self) -> tuple[Message, ...]:
        """Finishes what was under way when the program was killed; returns what to say of it. The
        columns have no images yet, and are left so."""
        notes: list[Message] = []
        for action, outcome in self._edits.recover():
            self._keep_records(outcome.made)
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
        plan: Plan,
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
        away = None if change.caption else self._why_away(image)
        if away is not None:
            plan.failures.append(Failure(Path(image), away))
        elif was is not None and change.caption not in (was, caption):
            plan.conflicts.append(Conflict(id, Path(image), caption, change.caption))
            self._noting.note_caption(id, change.path, change.caption, change.kind, change.before)
        elif change.after != change.before and change.caption != caption:
            plan.captions[id] = plain(caption)
            was_edited, number = bool(self._images.edited[id]), len(plan.steps)
            step = Step(
                *(image, change.path, change.before, change.after, was_edited, is_by_person),
                *(change.kind, number),
            )
            plan.add(id, step)

    def _why_away(self, image: str) -> Message | None:
        """Returns why nothing is known of the files of an image."""
        if os.path.lexists(image):
            return None
        inside = (place for place in self._places if is_inside(image, str(place)))
        return why_away(next(inside, Path(image).parent))

    def _plan_review(self, plan: Plan, id: int, state: ReviewState) -> None:
        if id not in self._images:
            return
        review = REVIEWS[self._images.reviews[id]]
        if review != state:
            path, number = self._images.path_text(id), len(plan.steps)
            before, after = review.encode(), state.encode()
            step = Step(*(path, path, before, after), kind=StepKind.REVIEW, number=number)
            plan.add(id, step)

    def _make(
        self, plan: Plan, reader: CaptionReader | None = None, stop: Event | None = None
    ) -> Parts:
        if not plan.steps:
            return plan.report()
        images = self._images
        folders = {images.folders[images.folder_of[id]] for id in plan.ids}
        places = sorted(map(Path, folders)) if len(folders) <= _MOST_FOLDERS else self._places
        begun = self._edits.begin(plan.name, plan.steps, places)
        return (yield from self._carried_out(plan, begun, reader, stop))

    def _carried_out(
        self,
        plan: Plan,
        begun: Generator[int, None, Doing],
        reader: CaptionReader | None,
        stop: Event | None,
    ) -> Parts:
        """Does what is kept in the database then, and notes what it has changed. Without a `reader`
        it changes no caption."""
        while True:
            try:
                next(begun)
            except StopIteration as end:
                doing: Doing = end.value
                break
            yield EditProgress(plan.name, 0, plan.total)
            if stop is not None and stop.is_set():
                begun.close()
                return plan.stopped()
        outcome = Outcome()
        yield from self._written(plan, doing, outcome, reader, stop)
        ended = EditProgress(
            *(plan.name, outcome.count, len(doing.steps)), is_writing=True, can_stop=False
        )
        yield from reporting(self._edits.finish(doing, outcome), ended)
        return self._report(plan, outcome, reader)

    def _written(
        self,
        plan: Plan,
        doing: Doing,
        outcome: Outcome,
        reader: CaptionReader | None,
        stop: Event | None,
    ) -> Generator[EditProgress]:
        """Makes the steps of an action, and notes what they have changed."""
        unkept: list[Step] = []
        total = len(doing.steps)
        for part in self._edits.written(doing, stop):
            outcome.add(part)
            self._noting.note(plan, part, reader)
            unkept += part.made
            if len(unkept) >= _KEPT_AT_ONCE:
                self._keep_records(unkept)
                unkept.clear()
            done = outcome.count
            yield EditProgress(plan.name, done, total, is_writing=True)
        self._keep_records(unkept)

    def _report(self, plan: Plan, outcome: Outcome, reader: CaptionReader | None) -> EditReport:
        for step, reason in outcome.failed:
            plan.failures.append(Failure(Path(step.image), reason))
        for step, found in outcome.conflicts:
            if (id := self._images.id_of_text(step.image)) is not None:
                ours = caption_in(step, step.after, reader)
                theirs = caption_in(step, found, reader)
                plan.conflicts.append(Conflict(id, Path(step.image), ours, theirs))
                self._noting.note_if_own(id, step, theirs, found)
        left = (step for step in outcome.left if step.kind is not StepKind.LINE)
        plan.left = len({step.image for step in left})
        return plan.report()

    def _keep_records(self, made: Sequence[Step]) -> None:
        contents = [step for step in made if step.kind in (StepKind.CONTENT, StepKind.ROW)]
        reviews = [step for step in made if step.kind is StepKind.REVIEW]
        answers = [step for step in made if step.kind is StepKind.ANSWER]
        edited = {
            step.image: step.is_edited for step in contents if step.is_edited != step.was_edited
        }
        with self._records.transaction():
            self._records.set("is_edited", edited)
            self._records.set("review", {step.image: review_of(step) for step in reviews})
            self._records.set("answer", {step.image: answer_from(step.after) for step in answers})
            for step in made:
                if step.kind is StepKind.MOVE:
                    self._records.move(*places_of(step))


def _new_table(path: Path) -> Message:
    text = translatable(
        "core",
        "“{folder}” had no table of captions. The captions of the images are in a new “{name}” "
        "there.",
    )
    return text.format(folder=path.parent.name or path.parent, name=path.name)
