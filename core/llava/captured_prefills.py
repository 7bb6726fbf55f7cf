"""Which prompts with their image are prefilled by a captured graph, and by how many rows."""

from __future__ import annotations

from collections.abc import Callable

from core.llava.kv_cache import KVCache

# A captured full prefill is padded to a multiple of so many rows. Combined with the decode step of
# other slots the multiple is smaller, since a row of padding costs 20 µs on an H200.
_ROW_STEP, _ROW_STEP_WITH_DECODE = 64, 8
_MOST_ROWS = 1024
# So many cached positions are read along by a captured full prefill: a system prompt's.
_MOST_BEFORE = 128
# Each number of rows and of positions before them needs a graph of its own, which takes 0.1 to
# 0.2 GB in LLaVA-1.5-7b's sizes. A card of 6 GB whose slots take what there is has less.
_ROOM_FOR_ANOTHER_GRAPH = 512 << 20


class CapturedPrefills:
    """Decides for the slots of `cache`; `free_bytes` says how much memory the GPU has free.

    Each graph behind cached positions is asked about once, before it is captured.
    """

    def __init__(self, cache: KVCache, free_bytes: Callable[[], int]):
        self._cache, self._free_bytes = cache, free_bytes
        self._has_room: dict[tuple[int, int], bool] = {}

    def forget(self) -> None:
        """To be called when the graphs are dropped: others may have taken their memory since."""
        self._has_room = {}

    def rows(self, count: int) -> int:
        """Returns the rows of a captured prefill of `count` positions."""
        slots = self._cache.slots
        if slots == 1:
            return -(-count // _ROW_STEP) * _ROW_STEP
        # One row per slot is added where a decode step runs along.
        together = count + slots
        return -(-together // _ROW_STEP_WITH_DECODE) * _ROW_STEP_WITH_DECODE - slots

    def takes(self, count: int, begin: int) -> bool:
        """Returns whether the `count` positions from `begin` on are prefilled by such a graph."""
        rows = self.rows(count)
        # The rows of padding are written to the cache too: behind the slot's last position they
        # would fall on what other heads have cached.
        if rows > _MOST_ROWS or begin + rows > self._cache.length:
            return False
        return begin == 0 or self._takes_behind(begin, rows)

    def best_begin(self, count: int, cached: int) -> int:
        """See `SlotForward.prefill_begin`.

        Position 0 where a captured graph does it sooner than an eager prefill of the last part.
        """
        if self.takes(count - cached, cached) or not self.takes(count, 0):
            return cached
        return 0

    def _takes_behind(self, begin: int, rows: int) -> bool:
        # The rows of a single slot are padded so far that fewer of them save nothing.
        if begin > _MOST_BEFORE or self._cache.slots < 2:
            return False
        graph = begin, rows
        if graph not in self._has_room:
            self._has_room[graph] = self._free_bytes() >= _ROOM_FOR_ANOTHER_GRAPH
        return self._has_room[graph]
