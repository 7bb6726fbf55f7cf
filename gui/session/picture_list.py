"""The pictures that were opened together, and which of them is shown."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from itertools import chain, islice
from pathlib import Path

from PIL import Image
from PySide6.QtCore import QCoreApplication, QObject, Signal, Slot

from core.errors import AppError, PictureError
from core.file_identity import identity_of
from core.files import is_folder
from core.picture import Picture, open_picture
from core.store import KeptConversation
from core.workspace import ListedPaths
from gui.session.view_memory import ViewMemory
from gui.session.workspace import FolderWorkspace

translate = QCoreApplication.translate


@dataclass(eq=False)
class Opening:
    """One attempt to open a picture. A newer attempt supersedes it, and its result is dropped."""

    name: str
    done: asyncio.Event = field(default_factory=asyncio.Event)


class PictureList(QObject):
    """Opens pictures in helper threads. A newer call supersedes one that is still opening.

    `opened(Picture)`, `failed(AppError, str name)`. `refused(AppError)`: there is nothing to open,
    so what was open before still is. `leaving()`: another one is about to be opened,
    or none; what is known of the one that is still shown can be kept.
    `list_changed(Sequence[Path], int current)`: empty and -1 for a picture without a file; -1 too
    where the filter leaves the picture out. `emptied()`: the last picture was closed.

    An expected failure is the signal `failed`. An unexpected one is raised by the coroutine as
    well, after that signal.
    """

    opened = Signal(object)
    failed = Signal(object, str)
    refused = Signal(object)
    # A list would be converted, one path after another.
    list_changed = Signal(object, int)
    leaving = Signal()
    emptied = Signal()

    def __init__(
        self,
        workspace: FolderWorkspace,
        parent: QObject | None = None,
        memory: ViewMemory | None = None,
    ):
        """`workspace` finds the pictures of folders and lists them; it is opened and closed here.
        `memory` says with which picture of a folder to begin.

        Connect before the window does, which asks for what is listed.
        """
        super().__init__(parent)
        self._workspace, self._memory = workspace, memory
        self._paths: Sequence[Path] = ()
        self._path: Path | None = None
        self._current = -1
        # What was open before a search that has found nothing yet.
        self._before: tuple[list[Path], bool, Path | None] | None = None
        self._picture: Picture | None = None
        self._error: AppError | None = None
        self._newest: Opening | None = None
        self._prepare: Callable[[Picture], Awaitable[None]] | None = None
        self._is_closed = False
        workspace.listed.connect(self._on_listed)

    @property
    def picture(self) -> Picture | None:
        """The picture that was opened last; None before the first, and once the last is closed."""
        return self._picture

    @property
    def error(self) -> AppError | None:
        """Why a picture after that one could not be opened; None if that was not tried."""
        return self._error

    @property
    def paths(self) -> Sequence[Path]:
        """The files that were opened together, as they are listed."""
        return self._paths

    @property
    def path(self) -> Path | None:
        """The file that is shown, or could not be; None for a picture without one."""
        return self._path

    @property
    def is_opening(self) -> bool:
        """Whether a picture, or a folder, is being opened."""
        return self._newest is not None

    @property
    def index(self) -> int:
        """Which of `paths` is shown, or could not be; -1 for one that is not among them."""
        return self._current

    @property
    def roots(self) -> list[Path]:
        """The files and folders that `paths` were found in."""
        return self._workspace.roots

    def others(self, most: int) -> list[Path]:
        """Return the first files of the list other than the one shown, at most so many."""
        places = (place for place in range(len(self._paths)) if place != self._current)
        return [self._paths[place] for place in islice(places, most)]

    async def open_paths(self, paths: Iterable[Path]) -> None:
        """Open a picture, or list the pictures of several files and folders and open the first."""
        paths = [Path(os.path.abspath(path)) for path in paths]  # noqa: PTH100 (keeps links)
        with self.opening(paths[0].name if paths else "") as opening:
            # A single file is opened whatever its name; of several, those that are pictures.
            if len(paths) == 1 and not await asyncio.to_thread(is_folder, paths[0]):
                if opening is self._newest:
                    self._take(paths)
                    await self._open(opening, paths[0])
            elif (first := await self._find(opening, paths)) is not None:
                await self._open_path(opening, first)

    async def open_image_data(self, data: bytes, name: str) -> None:
        """Open an encoded image that came without a file, as from the clipboard."""
        with self.opening(name) as opening:
            if await self._open(opening, data, name):
                self._take([])

    async def open_listed(self, index: int) -> None:
        """Open another picture of the list. Does nothing if there is none at `index`."""
        if 0 <= index < len(self._paths):
            await self.open_path(self._paths[index])

    async def open_path(self, path: Path) -> None:
        """Open a picture by its path, which may be one that the filter leaves out."""
        with self.opening(path.name) as opening:
            await self._open_path(opening, path)

    async def close_path(self, path: Path) -> None:
        """Take a picture out of the list; if it is the one shown, its neighbour is opened."""
        await self.close_listed(self._index_of(path))

    async def open_kept(self, opening: Opening, kept: KeptConversation) -> Picture | None:
        """Open the picture of a kept conversation. Returns None if `opening` was superseded."""
        opening.name = kept.picture_name
        picture = await asyncio.to_thread(_picture_of, kept)
        if not self._is_current(opening):
            return None
        self._take([picture.path] if picture.path else [])
        self._show(picture)
        return picture

    def return_to_picture(self) -> None:
        """Forget the error: the picture that was opened last is shown again."""
        self._error = None
        self._go_to(self._picture.path if self._picture else None)

    async def close_picture(self) -> None:
        """Close the picture that is shown, or the error; the next one of the list is opened."""
        if 0 <= self._current < len(self._paths):
            await self.close_listed(self._current)
        else:
            self._close_all()

    async def close_listed(self, index: int) -> None:
        """Take a picture out of the list; if it is the one shown, its neighbour is opened."""
        if not 0 <= index < len(self._paths):
            return
        is_shown = index == self._current
        if (neighbour := self._neighbour_of(index)) is not None:
            self._workspace.listing.hide(self._workspace.ids[index])
            if is_shown:
                await self.open_path(neighbour)
        elif is_shown and self._workspace.total <= 1:
            self._close_all()
        else:  # The filter leaves others out; the picture stays in view.
            self._workspace.listing.hide(self._workspace.ids[index])

    def _neighbour_of(self, index: int) -> Path | None:
        """Returns the next picture of the list that was not closed a moment ago, or the one before;
        None if there is no other.
        """
        ids, listing = self._workspace.ids, self._workspace.listing
        others = chain(range(index + 1, len(self._paths)), range(index - 1, -1, -1))
        left = next((one for one in others if not listing.is_hidden(ids[one])), None)
        return None if left is None else self._paths[left]

    def prepare_with(self, prepare: Callable[[Picture], Awaitable[None]]) -> None:
        """Have each picture given to `prepare`, and wait for that, before it is shown."""
        self._prepare = prepare

    async def wait_until_opened(self) -> None:
        """Return once no picture is being opened, whatever became of it."""
        while self._newest:
            await self._newest.done.wait()

    @contextmanager
    def opening(self, name: str) -> Iterator[Opening]:
        """Begin to open a picture called `name`, and report an error of the block as `failed`."""
        opening = Opening(name)
        self._newest = opening
        try:
            yield opening
        except AppError as error:
            self._fail(opening, error)
        except Exception:
            text = self.tr("“{name}” cannot be shown. Try another image.")
            self._fail(opening, PictureError(text.format(name=opening.name)))
            raise
        finally:
            if opening is self._newest:
                self._newest = None
            opening.done.set()

    @Slot()
    def stop_finding(self) -> None:
        """Leave it at the pictures that are found by now; without any, return to those before."""
        if self._before is None:
            self._workspace.reading.stop()
            return
        self._newest = None
        self._return()

    def close(self) -> None:
        """Show nothing that is still opening."""
        self._is_closed = True

    def _close_all(self) -> None:
        self.leaving.emit()
        self._newest = None  # What is still opening is not wanted any more.
        self._picture = self._error = None
        self._take([])
        self.emptied.emit()

    async def _find(self, opening: Opening, roots: list[Path]) -> Path | None:
        """Open these as the workspace; return the picture to begin with once it is found. Where
        there is none, what was open before is open again. Return None if `opening` was superseded.
        """
        if opening is not self._newest:
            return None
        if self._before is None:
            self._before = self._workspace.roots, self._workspace.has_list, self._path
        self._workspace.open(roots)
        if not await self._workspace.is_listed() or not self._is_current(opening):
            return None
        if self._paths:
            self._before = None
            view = self._memory.folder(roots) if self._memory else None
            candidates = (roots[0], Path(view.current) if view else None)
            return next((one for one in candidates if self._index_of(one) >= 0), self._paths[0])
        sentence = await self._workspace.left_out()
        had_images = self._before is not None and bool(self._before[0])
        self._return()
        if not sentence and len(roots) == 1:
            text = self.tr("There are no images in “{name}”. Choose another folder.")
            sentence = text.format(name=roots[0].name)
        error = PictureError(sentence or self.tr("None of these is an image. Choose image files."))
        if not had_images:
            raise error
        self.refused.emit(error)
        return None

    def _return(self) -> None:
        """Have what was open before a search that found nothing."""
        if self._before is None:
            return
        (roots, has_list, path), self._before = self._before, None
        self._workspace.open(roots, has_list=has_list)
        if not has_list:
            self._paths = roots
        self._go_to(path)

    def _take(self, paths: list[Path]) -> None:
        """Have only these in the list, at most one."""
        self._before = None
        self._workspace.open(paths, has_list=False)
        self._paths = paths
        self._go_to(paths[0] if paths else None)

    def _go_to(self, path: Path | None) -> None:
        self._path, self._current = path, self._index_of(path)
        self.list_changed.emit(self._paths, self._current)

    @Slot(object)
    def _on_listed(self, ids: Sequence[int]) -> None:
        if self._workspace.has_list:
            self._paths = self._workspace.paths
            self._go_to(self._path)

    def _index_of(self, path: Path | None) -> int:
        if path is None:
            return -1
        match self._paths:
            case ListedPaths() as listed:
                place = listed.place_of(path)
                return -1 if place is None else place
            case paths:
                return paths.index(path) if path in paths else -1

    def _show(self, picture: Picture) -> None:
        self.leaving.emit()
        self._picture, self._error = picture, None
        self.opened.emit(picture)

    def _fail(self, opening: Opening, error: AppError) -> None:
        if opening is self._newest:
            self._error = error
            self.failed.emit(error, opening.name)

    def _is_current(self, opening: Opening) -> bool:
        return opening is self._newest and not self._is_closed

    async def _open_path(self, opening: Opening, path: Path) -> None:
        self._go_to(path)
        opening.name = path.name
        await self._open(opening, path)

    async def _open(self, opening: Opening, source: Path | bytes, name: str | None = None) -> bool:
        picture = await asyncio.to_thread(_opened, source, name)
        if self._is_current(opening) and self._prepare:
            await self._prepare(picture)
        if not self._is_current(opening):
            return False
        self._show(picture)
        return True


def _opened(source: Path | bytes, name: str | None = None) -> Picture:
    """The picture, with what its file is recognised by."""
    picture = open_picture(source, name)
    return replace(picture, identity=identity_of(picture.path)) if picture.path else picture


def _picture_of(kept: KeptConversation) -> Picture:
    """The picture again; its thumbnail where the file is gone or never was one."""
    note = translate("PictureList", "small copy, the image file is missing")
    if kept.picture_path:
        with suppress(PictureError):
            picture = _opened(kept.picture_path)
            if kept.image.is_of(picture):
                return picture
            note = translate("PictureList", "small copy, another image has the file name")
    try:
        picture = open_picture(kept.thumbnail, kept.picture_name)
    except PictureError:  # The file of conversations was damaged. The words are still there.
        picture = Picture(None, Image.new("RGB", (4, 3), "gray"), given_name=kept.picture_name)
        note = translate("PictureList", "the image file is missing and its small copy is damaged")
    return replace(picture, notes=(*picture.notes, note), original_size=kept.original_size)
