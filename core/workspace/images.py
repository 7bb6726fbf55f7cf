"""All images of a workspace in memory, by columns.

An image's id is its place in every column. Measured with 100,000 captions of 185 characters: a
search of the column takes 11 to 77 ms, of a table in SQLite 100 to 300 ms, and of an FTS5 index
with trigrams 0 to 370 ms, which takes 12 s to build. The columns take some 100 MB.
"""

from __future__ import annotations

import os
from array import array
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from enum import IntEnum
from math import isnan, nan
from pathlib import Path

from core.captions.folding import all_findable, findable
from core.picture import natural_key
from core.workspace.data import Counts, ImageRow, ReviewState, Sort, SortKey
from core.workspace.found_texts import FoundTexts
from core.workspace.orders import Orders, ordered
from core.workspace.tag_index import TagIndex
from core.workspace.tags import tags_of


class CaptionState(IntEnum):
    """Whether an image has a caption; stored. `GONE` says that the image itself is gone."""

    GONE = 0
    UNREAD = 1
    NONE = 2
    PRESENT = 3
    UNREADABLE = 4


# The last nanosecond that fits into a column, in the year 2262.
_LATEST = 2**63 - 1

REVIEWS = tuple(ReviewState)
"""Reviews by their codes in the column."""


class Images:
    """The columns. Used by one thread at a time.

    `changed` has the ids whose rows are not in the index yet.
    """

    def __init__(self, roots: Iterable[Path] = ()):
        self.roots = [str(root) for root in roots]
        self.caption_version = 0
        """Another number after each change of a caption."""
        self.place_version = 0
        """Another number after each image that is somewhere else, or is gone."""
        self.clear()

    def clear(self) -> None:
        """Forgets all images."""
        self.caption_version += 1
        self.folders: list[str] = []
        self.folder_of = array("q")
        self.names: list[str] = []
        self.states = bytearray()
        self.captions: list[str] = []
        self.tag_index = TagIndex()
        self.tag_counts, self.word_counts = array("i"), array("i")
        """How many tags and words captions have, -1 as long as they were not counted."""
        self.found_texts = FoundTexts()
        self.folded: list[str] = []
        self.caption_times, self.caption_sizes = array("q"), array("q")
        """When the caption file was changed last, in nanoseconds, and its size (`stamp`)."""
        self.targets: list[str] = []
        """The path of the caption file, whether it exists or not; empty as long as unknown."""
        self.problems: dict[int, str] = {}
        self.reviews = bytearray()
        self.edited = bytearray()
        self.doubts = array("d")
        self.widths, self.heights = array("q"), array("q")
        self.bytes = array("q")
        self.modified = array("d")
        self.fingerprints: list[str] = []
        self.hashes: list[int | None] = []
        """What images that look alike have nearly in common (`duplicates`); None if unknown."""
        self.near_groups: list[str] = []
        """The same text for images that look nearly the same; empty without one."""
        self.count_tokens: Callable[[str], int] | None = None
        """Says how many tokens a caption has, once a model is loaded."""
        self.changed: set[int] = set()
        self._new_folders: set[int] = set()
        self._ids: list[dict[str, int]] = []
        self._folder_ids: dict[str, int] = {}
        self._folded_names: list[str] = []
        self.orders = Orders()
        """Those that are known."""

    def __len__(self) -> int:
        return len(self.names)

    def __contains__(self, id: object) -> bool:
        return isinstance(id, int) and 0 <= id < len(self.names) and self.states[id] > 0

    @property
    def ids(self) -> Iterator[int]:
        """Yields the ids of all images that are there."""
        return (id for id, state in enumerate(self.states) if state)

    def folder_id(self, folder: str) -> int:
        """Returns the number of a folder, which may be new."""
        known = self._folder_ids.get(folder)
        if known is None:
            known = self._folder_ids[folder] = len(self.folders)
            self.folders.append(folder)
            self._ids.append({})
        return known

    def has_folder(self, folder: Path) -> bool:
        """Returns whether images are known in a folder."""
        known = self._folder_ids.get(str(folder))
        return known is not None and bool(self._ids[known])

    def names_in(self, folder: int) -> dict[str, int]:
        """Returns the ids of the images in a folder by their names."""
        return self._ids[folder]

    def add(self, folder: int, name: str) -> int:
        """Adds an image about which nothing else is known; returns its id."""
        id = self._ids[folder][name] = self._append(folder, name)
        self.changed.add(id)
        self._new_folders.add(folder)
        self.orders.note_place(id)
        return id

    def _append(self, folder: int, name: str) -> int:
        self.found_texts.clear()
        self.folder_of.append(folder)
        self.names.append(name)
        self.states.append(CaptionState.UNREAD)
        self.captions.append("")
        self.tag_counts.append(-1)
        self.word_counts.append(-1)
        self.folded.append("")
        self.caption_times.append(0)
        self.caption_sizes.append(0)
        self.targets.append("")
        self.reviews.append(0)
        self.edited.append(0)
        self.doubts.append(nan)
        self.widths.append(0)
        self.heights.append(0)
        self.bytes.append(0)
        self.modified.append(0.0)
        self.fingerprints.append("")
        self.hashes.append(None)
        self.near_groups.append("")
        return len(self.names) - 1

    def finish_restoring(self) -> None:
        """Completes the columns once the index has filled those that it keeps. Raises ValueError
        and LookupError for what cannot be."""
        count = len(self.names)
        if count and (max(self.states) > max(CaptionState) or min(self.folder_of) < 0):
            raise ValueError("there is no such state, or no such folder")
        self.folded = all_findable(self.captions)
        self.tag_counts, self.word_counts = array("i", [-1]) * count, array("i", [-1]) * count
        self.reviews, self.edited = bytearray(count), bytearray(count)
        self.doubts = array("d", [nan]) * count
        self.near_groups = [""] * count
        for id, (folder, name, state) in enumerate(
            zip(self.folder_of, self.names, self.states, strict=True)
        ):
            if state and self._ids[folder].setdefault(name, id) != id:
                raise ValueError("two programs have written the index at once")
        self._new_folders = set(range(len(self.folders)))

    def place(self, id: int | None, path: str) -> int:
        """Notes where an image is now; None for one that is new here. Returns its id."""
        folder, name = os.path.split(path)
        number = self.folder_id(folder)
        if id is None:
            known = self._ids[number].get(name)
            return self.add(number, name) if known is None else known
        self.place_version += 1
        del self._ids[self.folder_of[id]][self.names[id]]
        self.folder_of[id], self.names[id] = number, name
        self._ids[number][name] = id
        self.targets[id] = ""
        self._folded_names.clear()
        self.found_texts.clear()
        self.orders.note_place(id)
        self.changed.add(id)
        return id

    def remove(self, id: int) -> None:
        """Forgets an image; its id is not used again."""
        self.place_version += 1
        self._ids[self.folder_of[id]].pop(self.names[id], None)
        self.states[id] = CaptionState.GONE
        self._note_caption(id, "", "")
        self.problems.pop(id, None)
        self.changed.add(id)
        self.orders.note_place(id)

    def set_file(self, id: int, bytes: int, modified: float) -> bool:
        """Notes the size and date of an image's file; returns whether they are new. If so, what
        was read from the file counts no longer."""
        if self.bytes[id] == bytes and self.modified[id] == modified:
            return False
        self.bytes[id], self.modified[id] = bytes, modified
        self.widths[id] = self.heights[id] = 0
        self.fingerprints[id] = ""
        self.hashes[id] = None
        self._note(id, SortKey.DATE, SortKey.SIZE)
        return True

    def set_size(self, id: int, width: int, height: int) -> None:
        """Notes the width and height of an image."""
        self.widths[id], self.heights[id] = width, height
        self._note(id, SortKey.SIZE)

    def set_fingerprint(self, id: int, fingerprint: str) -> None:
        """Notes what an image's file is recognised by."""
        self.fingerprints[id] = fingerprint
        self.changed.add(id)

    def take_new_folders(self) -> set[int]:
        """Returns the folders in which images were added since the last call."""
        new, self._new_folders = self._new_folders, set()
        return new

    def set_caption(self, id: int, caption: str, stamp: tuple[int, int]) -> None:
        """Notes the caption that is in the file, which has this time and size."""
        self._note_caption(id, caption, findable(caption))
        self.states[id] = CaptionState.PRESENT if caption else CaptionState.NONE
        # Some file systems know later years than there are nanoseconds: those are read each time.
        self.caption_times[id], self.caption_sizes[id] = min(stamp[0], _LATEST), stamp[1]
        self.problems.pop(id, None)
        self._note(id, SortKey.LENGTH)

    def _note_caption(self, id: int, caption: str, folded: str) -> None:
        self.captions[id], self.folded[id] = caption, folded
        self.tag_counts[id] = self.word_counts[id] = -1
        self.tag_index.note(id)
        self.found_texts.clear()
        self.caption_version += 1

    def stamp(self, id: int) -> tuple[int, int]:
        """Returns the time and size that the caption file had when it was read."""
        return self.caption_times[id], self.caption_sizes[id]

    def count_tags(self, id: int) -> int:
        """Returns how many tags a caption has, counted once."""
        count = self.tag_counts[id]
        if count < 0:
            count = self.tag_counts[id] = len(tags_of(self.captions[id]))
        return count

    def count_words(self, id: int) -> int:
        """Returns how many words a caption has, counted once."""
        count = self.word_counts[id]
        if count < 0:
            count = self.word_counts[id] = len(self.captions[id].split())
        return count

    def set_unreadable(self, id: int, problem: str, stamp: tuple[int, int] = (0, 0)) -> None:
        """Notes why a caption file cannot be read or used."""
        self.set_caption(id, "", stamp)
        self.states[id] = CaptionState.UNREADABLE
        self.problems[id] = problem

    def set_review(self, id: int, review: ReviewState) -> None:
        """Notes what a person thinks of an image."""
        self.reviews[id] = REVIEWS.index(review)

    def set_doubt(self, id: int, doubt: float | None) -> None:
        """Notes how doubtful a caption is."""
        self.doubts[id] = nan if doubt is None else doubt
        self._note(id, SortKey.DOUBT)

    def path(self, id: int) -> Path:
        """Returns the image's file."""
        return Path(self.folders[self.folder_of[id]], self.names[id])

    def id_of(self, path: Path) -> int | None:
        """Returns the id of an image; None if it is not in the workspace."""
        folder = self._folder_ids.get(str(path.parent))
        return None if folder is None else self._ids[folder].get(path.name)

    def path_text(self, id: int) -> str:
        """Returns the path of the image's file as text, in a tenth of the time."""
        return os.path.join(self.folders[self.folder_of[id]], self.names[id])  # noqa: PTH118

    def id_of_text(self, path: str) -> int | None:
        """Returns the id of the image with this path; None if it is not in the workspace."""
        folder, name = os.path.split(path)
        known = self._folder_ids.get(folder)
        return None if known is None else self._ids[known].get(name)

    def fingerprint_of(self, path: str) -> str:
        """Returns what an image's file is recognised by; "" as long as that is unknown."""
        id = self.id_of_text(path)
        return "" if id is None else self.fingerprints[id]

    def row(self, id: int) -> ImageRow:
        """Returns an image as lists show it."""
        doubt = self.doubts[id]
        state = self.states[id]
        return ImageRow(
            id=id,
            path=self.path(id),
            caption=self.captions[id],
            has_caption=state == CaptionState.PRESENT,
            review=REVIEWS[self.reviews[id]],
            is_edited=bool(self.edited[id]),
            doubt=None if isnan(doubt) else doubt,
            width=self.widths[id],
            height=self.heights[id],
            bytes=self.bytes[id],
            modified=self.modified[id],
            problem=self.problems.get(id, ""),
            fingerprint=self.fingerprints[id],
        )

    @property
    def folded_names(self) -> list[str]:
        """The names of all images without case, by id."""
        new = len(self._folded_names)
        self._folded_names += all_findable(self.names[new:])
        return self._folded_names

    @property
    def folded_folders(self) -> list[str]:
        """The `inner_folders` without case, as they are looked for."""
        return list(map(findable, self.inner_folders))

    @property
    def inner_folders(self) -> list[str]:
        """What stands before the names in the paths of images, from their roots, by folder."""
        inner = map(self._inside_root, self.folders)
        return [f"{folder}{os.sep}" if folder else "" for folder in inner]

    def counts(self) -> Counts:
        """Counts all images."""
        states = self.states
        reviews = bytes(self.reviews)
        if gone := states.count(CaptionState.GONE):
            reviews = bytes(code for code, state in zip(reviews, states, strict=True) if state)
        return Counts(
            images=len(states) - gone,
            with_caption=states.count(CaptionState.PRESENT),
            unread=states.count(CaptionState.UNREAD),
            failed=len(self.problems),
            edited=self.edited.count(1),
            reviews={review: reviews.count(code) for code, review in enumerate(REVIEWS)},
        )

    def ordered(self, sort: Sort) -> list[int]:
        """Returns the ids of all images in this order; not to be changed. Where others use the
        columns too, `orders.ordered` keeps them from it for moments only."""
        return ordered(self, nullcontext(), sort)

    def folder_key(self, folder: int) -> str:
        """Returns what a folder is sorted by: each before its subfolders, in natural order."""
        return self._folder_key(self.folders[folder])

    def _folder_key(self, folder: str) -> str:
        for number, root in enumerate(self.roots):
            if is_inside(folder, root):
                parts = Path(folder[len(root.rstrip(os.sep)) + 1 :]).parts
                return "\0\2".join([f"{number:06}", *map(natural_key, parts)])
        return f"{len(self.roots):06}{folder}"

    def _inside_root(self, folder: str) -> str:
        """Returns the path of a folder from its root: empty for the root itself."""
        root = next((root for root in self.roots if is_inside(folder, root)), "")
        return folder[len(root.rstrip(os.sep)) + 1 :] if root else folder

    def _note(self, id: int, *keys: SortKey) -> None:
        self.changed.add(id)
        self.orders.note(keys)


def is_inside(path: str, folder: str) -> bool:
    """Returns whether a path is a folder, or inside it."""
    return path == folder or path.startswith(folder.rstrip(os.sep) + os.sep)
