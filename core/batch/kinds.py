"""The kinds of journal line, the version of their format, and what reading one may raise."""

from __future__ import annotations

from enum import StrEnum

VERSION = 1
"""Of the journal's format; journals of another version are not opened."""


DAMAGE = (LookupError, TypeError, ValueError, AttributeError, OverflowError, RecursionError)
"""What reading a line may raise that is no line of a journal, or a damaged one."""


class Kind(StrEnum):
    """The `kind` of a journal line."""

    BEGIN = "begin"
    RUN = "run"
    ANSWER = "answer"
    STOPPED = "stopped"
    UNUSED = "unused"
    ITEM = "item"
    SKIPPED = "skipped"
    WRITTEN = "written"
    FAILED = "failed"
    RETRY = "retry"
    RAN = "ran"
    END = "end"
    EDIT = "edit"
    UNEDIT = "unedit"
    ADOPTED = "adopted"
    CHANGED = "changed"
    DOUBT = "doubt"
    UNDO = "undo"
    UNDONE = "undone"
    CLOSED = "closed"
