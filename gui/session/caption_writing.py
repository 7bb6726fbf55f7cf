"""One caption that is read for the editor, or written from it, in the workspace's thread."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from core.errors import AppError, StoreError
from core.message import Message, joined
from core.workspace import Draft, EditReport, Failure, ImageRow, Workspace


@dataclass(frozen=True)
class ReadCaption:
    """All that belongs into the editor for an image, as it was at one moment: its row, what was
    being written for it when it was left, and what a model wrote last."""

    row: ImageRow
    draft: Draft | None
    answer: str | None


@dataclass(frozen=True)
class CaptionWriting:
    """A caption that is to be written: of which image in the workspace with this `serial`, and what
    its file held before. Until it is written it is the image's draft; without `replaces_draft` only
    if there is none but `drafted`, what was kept of it before it was complete."""

    name: Message
    id: int
    path: Path
    text: str
    seen: str
    serial: int
    is_by_model: bool = False
    replaces_draft: bool = True
    drafted: str = ""


@dataclass(frozen=True)
class WrittenCaption:
    """What became of it. It `is_kept` as a draft if it could not be written."""

    report: EditReport
    is_kept: bool

    @staticmethod
    def failed(writing: CaptionWriting, why: AppError, *, is_kept: bool = False) -> WrittenCaption:
        """Returns that it was not written."""
        failures = (Failure(writing.path, joined(why.message)),)
        return WrittenCaption(EditReport(writing.name, failures=failures), is_kept)


@dataclass(frozen=True)
class UnsavedCaption:
    """A caption that a person wrote and that is not in its file, and why. If it `is_kept`, it comes
    back with its image when the program is started again."""

    path: Path
    reason: str
    is_kept: bool


def read_caption(workspace: Workspace, *, path: Path) -> ReadCaption | None:
    """Returns an image and what belongs into its editor; None if it is not in the workspace."""
    row = workspace.row_of(path)
    if row is None:
        return None
    return ReadCaption(row, workspace.drafts.of(row.id), workspace.answers.of(row.id))


def write_caption(workspace: Workspace, *, writing: CaptionWriting) -> WrittenCaption:
    """Keeps a caption as a draft, writes it, and forgets the draft."""
    id, text, seen = writing.id, writing.text, writing.seen
    try:
        older = None if writing.replaces_draft else workspace.drafts.of(id)
        is_kept = older is None or older.text in (text, writing.drafted)
        if is_kept:
            workspace.drafts.keep(id, Draft(text, seen))
    except StoreError as error:
        return WrittenCaption.failed(writing, error)
    try:
        report = workspace.set_captions(
            {id: text}, writing.name, seen={id: seen}, is_by_model=writing.is_by_model
        )
    except StoreError as error:
        return WrittenCaption.failed(writing, error, is_kept=is_kept)
    if is_kept and not report.failures and not report.conflicts:
        with suppress(StoreError):  # A draft that is the caption is none.
            workspace.drafts.keep(id, None)
    return WrittenCaption(report, is_kept)
