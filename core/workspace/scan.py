"""Reads a workspace's folders into its columns: names first, then captions, then image sizes.

Only what has changed since the index was written is read. It works in slices: files are read
without the lock that guards the columns, and what was read is noted under it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from itertools import islice
from pathlib import Path
from threading import Event
from typing import TypeVar

from core.errors import PictureError
from core.file_identity import fingerprint_of
from core.files import exists, is_folder
from core.message import Message
from core.picture import FoundPictures, PictureSearch, picture_size
from core.workspace.data import GiveWay, ScanProgress, ScanStage
from core.workspace.images import CaptionState, Images, is_inside
from core.workspace.messages import as_message
from core.workspace.readers import CaptionReader, NotedCaption

_Read = TypeVar("_Read")

# Of images that are not in their folder any more, so many are looked for once more.
_MOST_LOOKED_FOR = 1000

OnProgress = Callable[[ScanProgress], None]

# What is noted and reported at a time.
_SLICE_SECONDS = 0.02
# So many images are looked at under the lock of the columns at a time.
_AT_ONCE = 2_000
_NOTED_AT_ONCE = 500


class Scan:
    """One scan of a workspace. `guard` is the lock of the columns. `give_way` is called before each
    file and folder is read that nobody waits for: names and captions that are not known yet are
    what one sees."""

    def __init__(
        self,
        images: Images,
        guard: AbstractContextManager[object],
        stop: Event,
        on_progress: OnProgress,
        give_way: GiveWay | None = None,
    ):
        self._images, self._guard = images, guard
        self._stop, self._on_progress, self._give_way = stop, on_progress, give_way
        self.notes: tuple[Message, ...] = ()
        """What was left out, and why."""
        self.new_folders: list[Path] = []
        """Of a search that was not recursive, the subfolders in which no image is known."""

    def folders(self, roots: Sequence[Path], *, is_recursive: bool) -> None:
        """Finds the images of these roots, and forgets those that are gone."""
        search = PictureSearch(is_recursive, trusts_suffix=True)
        seen: set[int] = set()
        count = 0
        version = self._images.place_version
        for folder, files in _found(roots, search):
            if self._stop.is_set():
                return
            if self._give_way is not None and self._is_known(folder):
                self._give_way()
            stats = [(name, status_of(file)) for name, file in files]
            with self._guard:
                number = self._images.folder_id(str(folder))
            has_changed = self._note_files(number, folder, stats, version)
            if number not in seen:
                has_changed |= self._forget_missing(number, {name for name, _ in stats})
            with self._guard:
                version = self._images.place_version
            seen.add(number)
            count += len(files)
            self._report(ScanStage.FOLDERS, count, 0, has_changed)
        sentence = FoundPictures([], search.left_out, tuple(search.unreadable)).sentence
        self.notes = (as_message(sentence),) if sentence else ()
        self._forget_others(roots, seen, is_recursive)
        with self._guard:
            self.new_folders = [f for f in search.passed_over if not self._images.has_folder(f)]

    def captions(self, reader: CaptionReader, ids: Iterable[int]) -> None:
        """Reads the captions of these images where the files have changed."""
        images = self._images

        ids = list(ids)
        for begin in range(0, len(ids), _AT_ONCE):
            with self._guard:
                reader.claim(images, ids[begin : begin + _AT_ONCE])

        def read(id: int) -> NotedCaption | None:
            if self._give_way is not None and images.states[id] != CaptionState.UNREAD:
                self._give_way()
            return reader.read(images, id)

        def note(id: int, found: NotedCaption | None) -> bool:
            if found is not None:
                found.note(images, id)
            return found is not None

        self._each(ScanStage.CAPTIONS, ids, read, note)

    def sizes(self) -> None:
        """Reads the width and height of the images that have none."""
        images = self._images
        waiting = self._ids_where(lambda id: not images.widths[id])

        def read(id: int) -> tuple[int, int]:
            return picture_size(images.path(id))

        def note(id: int, size: tuple[int, int]) -> bool:
            if size[0]:
                images.set_size(id, *size)
            return bool(size[0])

        self._each(ScanStage.SIZES, waiting, read, note)

    def fingerprints(self, on_found: Callable[[Mapping[int, str]], None]) -> None:
        """Reads the files that have no fingerprint yet, whole. Calls `on_found` with each slice's,
        under the guard."""
        images = self._images
        waiting = self._ids_where(lambda id: not images.fingerprints[id])

        def read(id: int) -> str:
            try:
                return fingerprint_of(images.path(id), self._stop) or ""
            except OSError:
                return ""

        def note_all(part: list[tuple[int, str]]) -> bool:
            found = {id: mark for id, mark in part if mark}
            for id, mark in found.items():
                images.set_fingerprint(id, mark)
            on_found(found)
            return bool(found)

        self._in_slices(ScanStage.FINGERPRINTS, waiting, read, note_all)

    def similarity(self) -> None:
        """Decodes the images that have no hash yet, and groups those that are alike."""
        from core.workspace.duplicates import near_groups, perceptual_hash_of  # numpy

        images = self._images
        waiting = self._ids_where(lambda id: images.hashes[id] is None and images.widths[id] > 0)

        def read(id: int) -> int | None:
            try:
                return perceptual_hash_of(images.path(id))
            except (PictureError, OSError):
                return None

        def note(id: int, found: int | None) -> bool:
            images.hashes[id] = found
            images.changed.add(id)
            return found is not None

        self._each(ScanStage.SIMILARITY, waiting, read, note)
        with self._guard:
            hashes, states = images.hashes[:], bytes(images.states)
        groups = near_groups({id: hashes[id] for id, state in enumerate(states) if state})
        found = [""] * len(hashes)
        for number, group in enumerate(groups):
            for id in group:
                found[id] = str(number)
        with self._guard:
            images.near_groups[:] = found + [""] * (len(images) - len(found))

    def _is_known(self, folder: Path) -> bool:
        with self._guard:
            return self._images.has_folder(folder)

    def _ids_where(self, is_waiting: Callable[[int], bool]) -> list[int]:
        """Returns the images of which something is to be read; others may use the columns
        meanwhile."""
        images, found = self._images, list[int]()
        for begin in range(0, len(images), _AT_ONCE):
            with self._guard:
                part = range(begin, min(begin + _AT_ONCE, len(images)))
                found += [id for id in part if images.states[id] and is_waiting(id)]
        return found

    def _each(
        self,
        stage: ScanStage,
        ids: Sequence[int],
        read: Callable[[int], _Read],
        note: Callable[[int, _Read], bool],
    ) -> None:
        """Reads something of each image, and notes it."""

        def note_all(part: list[tuple[int, _Read]]) -> bool:
            changes = [note(id, found) for id, found in part]
            return any(changes)

        self._in_slices(stage, ids, read, note_all)

    def _in_slices(
        self,
        stage: ScanStage,
        ids: Sequence[int],
        read: Callable[[int], _Read],
        note_all: Callable[[list[tuple[int, _Read]]], bool],
    ) -> None:
        done = 0
        give_way = None if stage is ScanStage.CAPTIONS else self._give_way
        for part in self._slices(ids, read, give_way):
            with self._guard:
                has_changed = note_all([one for one in part if one[0] in self._images])
            done += len(part)
            self._report(stage, done, len(ids), has_changed)

    def _slices(
        self, ids: Sequence[int], read: Callable[[int], _Read], give_way: GiveWay | None
    ) -> Iterator[list[tuple[int, _Read]]]:
        part: list[tuple[int, _Read]] = []
        end = time.monotonic() + _SLICE_SECONDS
        for id in ids:
            if give_way is not None:
                give_way()
            if self._stop.is_set():
                return
            part.append((id, read(id)))
            if time.monotonic() > end:
                yield part
                part = []
                end = time.monotonic() + _SLICE_SECONDS
        if part:
            yield part

    def _note_files(
        self,
        number: int,
        folder: Path,
        stats: Sequence[tuple[str, tuple[int, float]]],
        version: int,
    ) -> bool:
        """Notes what was seen in a folder, some of its images at a time, when `version` was that of
        the images' places. Returns whether something is new."""
        images = self._images
        has_changed = False
        for begin in range(0, len(stats), _NOTED_AT_ONCE):
            part = stats[begin : begin + _NOTED_AT_ONCE]
            with self._guard:
                known = images.names_in(number)
                if version != images.place_version:
                    # An edit has moved images, perhaps since the folder was read.
                    part = [(name, status) for name, status in part if exists(folder / name)]
                for name, (size, modified) in part:
                    id = known.get(name)
                    if id is None:
                        id = images.add(number, name)
                        has_changed = True
                    has_changed = images.set_file(id, size, modified) or has_changed
        return has_changed

    def _forget_missing(self, folder: int, names: Collection[str]) -> bool:
        """Forgets the images of a folder that have none of these names; returns whether there were
        any."""
        images = self._images
        with self._guard:
            known = images.names_in(folder)
            gone = list(known.keys() - names)
        place = Path(images.folders[folder])
        # An undo may have brought some back since the folder was read.
        is_looked_for = len(gone) <= _MOST_LOOKED_FOR
        has_changed = False
        for begin in range(0, len(gone), _NOTED_AT_ONCE):
            with self._guard:
                for name in gone[begin : begin + _NOTED_AT_ONCE]:
                    if name in known and not (is_looked_for and exists(place / name)):
                        images.remove(known[name])
                        has_changed = True
        return has_changed

    def _forget_others(self, roots: Sequence[Path], seen: set[int], is_recursive: bool) -> None:
        """Forgets the images of folders that were looked for and are gone."""
        whole = [str(root) for root in roots if is_recursive or not is_folder(root)]
        alone = {str(root) for root in roots}
        with self._guard:
            folders = self._images.folders[:]
        gone = [
            number
            for number, folder in enumerate(folders)
            if number not in seen
            and (folder in alone or any(is_inside(folder, place) for place in whole))
        ]
        has_changed = False
        for number in gone:
            while self._forget_some(number):
                has_changed = True
        if has_changed:
            self._report(ScanStage.FOLDERS, 0, 0, True)

    def _forget_some(self, folder: int) -> bool:
        """Forgets some of the images of a folder that is gone; returns whether there were any."""
        with self._guard:
            ids = list(islice(self._images.names_in(folder).values(), _NOTED_AT_ONCE))
            for id in ids:
                self._images.remove(id)
        return bool(ids)

    def _report(self, stage: ScanStage, done: int, total: int, has_changed: bool) -> None:
        self._on_progress(ScanProgress(stage, done, total, has_changed))


def roots_in(
    folders: Sequence[Path], roots: Sequence[Path], places: Collection[Path]
) -> list[Path]:
    """Returns what is to be looked through of these folders: of those that are not in the
    workspace, only the files that are. `places` are its folders, and those of its files."""
    whole = [str(root) for root in roots if root in places]
    inside = [one for one in folders if any(is_inside(str(one), root) for root in whole)]
    others = set(folders).difference(inside)
    return [*inside, *(root for root in roots if root.parent in others)]


def _found(
    roots: Sequence[Path], search: PictureSearch
) -> Iterator[tuple[Path, list[tuple[str, os.DirEntry[str] | Path]]]]:
    """Yields the names of the images in each folder, and last of those that are roots themselves,
    so that what they are not is not taken for gone."""
    files: dict[Path, list[tuple[str, os.DirEntry[str] | Path]]] = {}
    for root in roots:
        if is_folder(root):
            for folder, entries in search.folders(root):
                yield folder, [(entry.name, entry) for entry in entries]
        elif exists(root):
            files.setdefault(root.parent, []).append((root.name, root))
    yield from files.items()


def status_of(file: os.DirEntry[str] | Path) -> tuple[int, float]:
    """Returns the size of a file, and when it was changed last; zeros if that cannot be seen."""
    try:
        status = file.stat()
    except (OSError, ValueError):
        return 0, 0.0
    return status.st_size, status.st_mtime
