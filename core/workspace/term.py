"""A term of a query, as it is written: a key and a value."""

from __future__ import annotations

from dataclasses import dataclass

from core.workspace.query_error import QueryError


@dataclass(frozen=True)
class Term:
    """A term of a query; `value` stands from `start` to `end` of its text, and still has the
    backslashes of what is taken literally."""

    key: str
    value: str
    start: int
    end: int
    is_quoted: bool = False
    is_regex: bool = False

    def error(self, message: str) -> QueryError:
        """Returns the error to raise about the value."""
        return QueryError(message, self.start, self.end)
