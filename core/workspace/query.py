"""What a query line says: which images of a workspace are wanted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from core.errors import AppError
from core.workspace.images import Images


class QueryError(AppError):
    """A query that cannot be understood. The fault is in the text from `start` to `end`."""

    def __init__(self, message: str, start: int, end: int):
        super().__init__(message)
        self.start, self.end = start, end


@dataclass(frozen=True)
class Query:
    """An understood query; made by `parse_query`."""

    text: str
    words: tuple[str, ...]

    def among(self, images: Images, ids: Sequence[int]) -> list[int]:
        """Returns those of these images that are wanted, in their order."""
        found = list(ids)
        for word in self.words:
            found = [id for id in found if word in images.folded[id]]
        return found


def parse_query(text: str) -> Query | None:
    """Returns what a query line says; None if it is blank, so that all images are wanted. Raises
    QueryError."""
    words = tuple(text.casefold().split())
    return Query(text, words) if words else None
