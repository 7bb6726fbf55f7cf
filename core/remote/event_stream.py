"""Reads server-sent events: the lines `data: …` of an answer that comes piece by piece."""

from __future__ import annotations

from collections.abc import Iterator

_LONGEST_LINE = 4_000_000


class BrokenStream(Exception):
    """What came is no stream of events."""


class EventStream:
    """Takes bytes as they come, cut anywhere, and returns the data of events that are complete."""

    def __init__(self) -> None:
        self._rest = b""
        self._data: list[str] = []

    def feed(self, block: bytes) -> Iterator[str]:
        """Yields the data of each event that ends in `block`. Raises BrokenStream."""
        *lines, self._rest = (self._rest + block).split(b"\n")
        if len(self._rest) > _LONGEST_LINE:
            raise BrokenStream("a line without an end")
        for line in lines:
            yield from self._take(line.removesuffix(b"\r"))

    def end(self) -> Iterator[str]:
        """Yields what is left when the connection was closed behind the last line."""
        yield from self._take(self._rest.removesuffix(b"\r"))
        yield from self._take(b"")

    def _take(self, line: bytes) -> Iterator[str]:
        if not line:
            if self._data:
                yield "\n".join(self._data)
                self._data = []
            return
        name, _, value = line.partition(b":")
        if name == b"data":
            self._data.append(_text(value).removeprefix(" "))
        elif name and name not in (b"event", b"id", b"retry"):  # ":" begins a comment.
            raise BrokenStream(repr(line[:80]))


def _text(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError as error:
        raise BrokenStream("no UTF-8") from error
