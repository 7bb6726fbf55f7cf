"""What is wrong with a query, and where."""

from core.errors import AppError


class QueryError(AppError):
    """A query that cannot be understood or answered. The fault is in its text from `start` to
    `end`."""

    def __init__(self, message: str, start: int = 0, end: int = 0):
        super().__init__(message)
        self.start, self.end = start, end
