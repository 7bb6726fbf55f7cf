"""Workspaces as tests use them: read without a report, and edits made to their end."""

from collections.abc import Sequence
from pathlib import Path
from threading import Event

from core.workspace.data import EditReport, ScanStage
from core.workspace.ongoing import OngoingEdit
from core.workspace.workspace import Workspace


def scan(
    workspace: Workspace,
    folders: Sequence[Path] | None = None,
    *,
    until: ScanStage = ScanStage.CAPTIONS,
) -> None:
    """Reads what has changed: names and captions, unless more is wanted."""
    workspace.scan(Event(), lambda progress: None, folders, until=until)


def finish(ongoing: OngoingEdit) -> EditReport:
    """Makes all that is left of an edit part by part, and returns what became of it."""
    while not ongoing.is_done:
        ongoing.go_on()
    assert ongoing.report is not None
    return ongoing.report
