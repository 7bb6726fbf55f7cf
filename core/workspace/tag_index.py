"""Which images have which tags: so that what is looked for in tags is looked for once in each tag
that there is, and not in each caption."""

from __future__ import annotations

import time
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from core.workspace.tags import tag_key, tags_of

Wanted = Callable[[Sequence[str], Sequence[str]], Iterable[int]]
"""Returns the places of those tags that are wanted, by how they are written and by their keys."""

# Beyond it all captions are indexed anew, as each that has changed is looked at in each search.
_MOST_CHANGED = 5_000
_SECONDS = 0.025
# From so many tags for each image on, images are looked at one after the other.
_MANY = 3
_PART = 200


class TagIndex:
    """An index of captions, which are indexed when they are first needed; those that change later
    are noted. Used by one thread at a time. With 100,000 captions of 15 tags it takes half a second
    to make, and 15 MB."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Forgets everything: these are other captions."""
        self._numbers: dict[str, int] = {}
        self._tags: list[str] = []
        self._keys: list[str] = []
        self._ids: list[array[int]] = []
        # The numbers of all tags of one image after the other, and where those of each begin.
        self._all, self._starts = array("i"), array("i", [0])
        self._changed: set[int] = set()

    def note(self, id: int) -> None:
        """The caption of an image is another one."""
        if id < self._count:
            self._changed.add(id)

    def go_on(self, captions: Sequence[str]) -> bool:
        """Indexes some more of the captions, for a moment; returns whether all are."""
        if len(self._changed) > _MOST_CHANGED:
            self.clear()
        end = time.monotonic() + _SECONDS
        while self._count < len(captions) and time.monotonic() < end:
            for caption in captions[self._count : self._count + _PART]:
                self._add(caption)
        return self._count >= len(captions)

    def images_with(self, wanted: Wanted, captions: Sequence[str]) -> set[int]:
        """Returns the ids of the images one of whose tags is wanted."""
        found = self._indexed_with(set(wanted(self._tags, self._keys)))
        if self._changed:
            found -= self._changed
            tags = {id: tags_of(captions[id]) for id in self._changed}
            texts = list(set[str]().union(*tags.values()))
            places = wanted(texts, list(map(tag_key, texts)))
            own = {texts[place] for place in places}
            found.update(id for id, those in tags.items() if not own.isdisjoint(those))
        return found

    def counts(self, captions: Sequence[str]) -> Counter[str]:
        """Returns how many captions have each tag, named as most of them write it."""
        totals = [len(ids) for ids in self._ids]
        for id in self._changed:
            for number in self._of(id):
                totals[number] -= 1
        by_key: dict[str, int] = {}
        ways: dict[str, dict[str, int]] = {}
        several: dict[str, list[int]] = {}
        for number, key in enumerate(self._keys):
            if key in by_key:
                several.setdefault(key, [self._numbers[next(iter(ways[key]))]]).append(number)
            by_key[key] = by_key.get(key, 0) + totals[number]
            ways.setdefault(key, {})[self._tags[number]] = totals[number]
        for key, numbers in several.items():  # A caption may write one in two ways.
            ids = set[int]().union(*(self._ids[number] for number in numbers))
            by_key[key] = len(ids - self._changed)
        for id in self._changed:
            found = {tag_key(tag): tag for tag in tags_of(captions[id])}
            for key, tag in found.items():
                by_key[key] = by_key.get(key, 0) + 1
                forms = ways.setdefault(key, {})
                forms[tag] = forms.get(tag, 0) + 1
        named = {key: max(forms, key=forms.__getitem__) for key, forms in ways.items()}
        return Counter({named[key]: total for key, total in by_key.items() if total})

    @property
    def _count(self) -> int:
        return len(self._starts) - 1

    def _indexed_with(self, numbers: set[int]) -> set[int]:
        if sum(len(self._ids[number]) for number in numbers) > _MANY * self._count:
            # An image whose first tags are wanted needs no look at the others.
            is_without = numbers.isdisjoint
            return {id for id in range(self._count) if not is_without(self._of(id))}
        return set[int]().union(*(self._ids[number] for number in numbers))

    def _of(self, id: int) -> array[int]:
        return self._all[self._starts[id] : self._starts[id + 1]]

    def _add(self, caption: str) -> None:
        numbers, ids, id = self._numbers, self._ids, len(self._starts) - 1
        if caption:
            for tag in dict.fromkeys(tags_of(caption)):
                number = numbers.get(tag)
                if number is None:
                    number = self._new(tag)
                ids[number].append(id)
                self._all.append(number)
        self._starts.append(len(self._all))

    def _new(self, tag: str) -> int:
        number = self._numbers[tag] = len(self._tags)
        key = tag_key(tag)
        self._tags.append(tag)
        self._keys.append(tag if tag == key else key)
        self._ids.append(array("i"))
        return number
