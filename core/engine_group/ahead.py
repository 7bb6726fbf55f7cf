"""The requests for an engine in this process, whose images are prepared ahead in other threads.

An engine in a process of its own has the same done there, see `child`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Self

from core.engine import Engine
from core.engine_group.feed import Feed
from core.picture import Picture
from core.transcript import Request

# Requests that the engine holds before it has a slot for them: another engine does not get them.
_AHEAD = 4
_PREPARING = 2
_END = object()


class PreparedAhead:
    """Those of a `feed` for the engine called `name`; to be used in a `with`.

    An engine that prepares nothing gets them as they are.
    """

    def __init__(self, engine: Engine, feed: Feed, name: str):
        self._feed, self._name = feed, name
        self._prepare: Callable[[Picture], Picture] | None = getattr(
            engine, "prepare_picture", None
        )
        # By the identity of what the engine was asked.
        self._asked: dict[int, _Prepared] = {}
        self._openers = ThreadPoolExecutor(_PREPARING, "opener")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._openers.shutdown(cancel_futures=True)

    def requests(self) -> Generator[Request | None]:
        """Yields what the engine is asked, as `Feed.requests_for` does."""
        feed, name, prepare = self._feed, self._name, self._prepare
        source = feed.requests_for(name)
        if prepare is None:
            yield from source
            return
        waiting: deque[Future[_Prepared]] = deque()
        while True:
            while len(waiting) < _AHEAD and (request := feed.ready_for(name)) is not None:
                waiting.append(self._openers.submit(_prepared, request, prepare))
            if waiting and (waiting[0].done() or not self._asked):
                prepared = waiting.popleft().result()
                self._asked[id(prepared.request)] = prepared
                yield prepared.request
            elif waiting:
                yield None  # Answers under way do not wait for it.
            elif (request := next(source, _END)) is _END:
                return
            elif isinstance(request, Request):
                waiting.append(self._openers.submit(_prepared, request, prepare))
            else:
                yield None

    def original(self, request: Request) -> Request:
        """Returns the request of the feed that an engine's is."""
        found = self._asked.get(id(request))
        return found.original if found else request

    def answered(self, request: Request) -> Request:
        """Returns the request of the feed, to which there is an answer now."""
        found = self._asked.pop(id(request), None)
        return found.original if found else request


@dataclass(frozen=True, eq=False)
class _Prepared:
    """A request with its prepared image, and as it was. Refers to both, so that no other request
    gets the identity of either."""

    request: Request
    original: Request


def _prepared(request: Request, prepare: Callable[[Picture], Picture]) -> _Prepared:
    if request.others:
        return _Prepared(request, request)
    return _Prepared(replace(request, picture=prepare(request.picture)), request)
