"""Counts what the captions and images of an open workspace have in common."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping

from core.workspace.data import CaptionMode, GiveWay, Statistics
from core.workspace.images import CaptionState, Images
from core.workspace.statistics import in_slices, look_like_tags, statistics_of
from core.workspace.tags import counted

# A caption that somebody writes in a folder without any says little about those to come.
_FEWEST = 3


class Counting:
    """Counts in the columns under `guard`; any thread may call."""

    def __init__(self, guard: threading.RLock, images: Images):
        self._guard, self._images = guard, images
        self._tags: tuple[int, Mapping[str, int]] = (-1, {})

    def statistics(
        self, ids: Iterable[int] | None, mode: CaptionMode, give_way: GiveWay | None
    ) -> Statistics:
        """See `Workspace.statistics`."""
        with self._guard:  # Others wait for as long as it takes to copy the columns.
            images = self._images
            states, all_captions = bytes(images.states), images.captions[:]
            widths, heights = images.widths[:], images.heights[:]
        wanted = range(len(states)) if ids is None else ids
        chosen = [id for id in wanted if id < len(states) and states[id]]
        captions = [all_captions[id] for id in chosen]
        sizes = [(widths[id], heights[id]) for id in chosen]
        unread = sum(states[id] == CaptionState.UNREAD for id in chosen)
        are_all = len(chosen) == len(states) - states.count(CaptionState.GONE)
        tags: Mapping[str, int] = {}
        if mode is CaptionMode.TAGS:
            tags = self.tags(give_way) if are_all else counted(in_slices(captions, give_way))
        return statistics_of(captions, sizes, tags, unread=unread, give_way=give_way)

    def guessed_mode(self) -> CaptionMode:
        """See `Workspace.guessed_mode`."""
        with self._guard:
            captions = self._images.captions[:]
            images = len(captions) - self._images.states.count(CaptionState.GONE)
        present = list(filter(None, captions))
        is_enough = len(present) >= min(_FEWEST, images)
        are_tags = is_enough and look_like_tags(present)
        return CaptionMode.TAGS if are_tags else CaptionMode.TEXT

    def tags(self, give_way: GiveWay | None = None) -> Mapping[str, int]:
        """See `Workspace.tags`."""
        images = self._images
        while True:
            if give_way is not None:
                give_way()
            with self._guard:
                if self._tags[0] == images.caption_version:
                    return self._tags[1]
                if images.tag_index.go_on(images.captions):
                    self._tags = images.caption_version, images.tag_index.counts(images.captions)
                    return self._tags[1]
