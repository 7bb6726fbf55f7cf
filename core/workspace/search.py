"""A search through all images, part by part: what it has found can be shown before it is done, and
one that is not wanted any more is left."""

from __future__ import annotations

import threading
import time
from array import array

from core.workspace.data import Sort
from core.workspace.images import Images
from core.workspace.matching import Test
from core.workspace.orders import ordered
from core.workspace.query import Query

_FIRST_PART = 4_000
_SECONDS = 0.025
# So many times as long as the last part a part may be, as the first images may be quick by chance.
_GROWTH = 16


class Search:
    """What is found so far, in its order, is in `found`. Other threads may read and change images
    between two parts."""

    def __init__(self, images: Images, guard: threading.RLock, query: Query | None, sort: Sort):
        self._images, self._guard = images, guard
        self._quick, self._slow = query.stages if query is not None else (None, None)
        self._needs_tags = query is not None and query.test.needs_tags
        self._left = ordered(images, guard, sort)
        self.found = array("q")
        self.is_done = False
        self._at, self._size = 0, _FIRST_PART

    def go_on(self) -> None:
        """Looks at some more images, for a moment. Raises QueryError."""
        if self.is_done:
            return
        if self._needs_tags:
            with self._guard:
                self._needs_tags = not self._images.tag_index.go_on(self._images.captions)
            if self._needs_tags:
                return
        if self._quick is not None:
            with self._guard:
                self._left, self._quick = self._quick.among(self._images, self._left), None
        if self._slow is None:
            self.found.extend(self._left)
            self.is_done = True
            return
        self._look_at_part(self._slow)
        self.is_done = self._at >= len(self._left)

    def _look_at_part(self, test: Test) -> None:
        begin = time.perf_counter()
        part = self._left[self._at : self._at + self._size]
        with self._guard:
            self.found.extend(test.among(self._images, part))
        self._at += len(part)
        times = _SECONDS / max(time.perf_counter() - begin, _SECONDS / _GROWTH)
        self._size = max(int(self._size * times), _FIRST_PART // 8)
