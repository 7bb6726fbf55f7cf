"""The pictures that were opened together, and which of them is shown."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from PIL import Image
from PySide6.QtCore import QCoreApplication, QObject, Signal

from core.errors import AppError, PictureError
from core.files import is_folder
from core.picture import Picture, look_for_pictures, open_picture
from core.store import KeptConversation

translate = QCoreApplication.translate


@dataclass(eq=False)
class Opening:
    """One attempt to open a picture. A newer attempt supersedes it, and its result is dropped."""

    name: str
    done: asyncio.Event = field(default_factory=asyncio.Event)


class PictureList(QObject):
    """Opens pictures in helper threads. A newer call supersedes one that is still opening.

    `opened(Picture)`, `failed(AppError, str name)`. `leaving()`: another one is about to be opened,
    or none; what is known of the one that is still shown can be kept.
    `list_changed(list[Path], int current)`: [] and -1 for a picture without a file. `emptied()`:
    the last picture was closed.

    An expected failure is the signal `failed`. An unexpected one is raised by the coroutine as
    well, after that signal.
    """

    opened = Signal(object)
    failed = Signal(object, str)
    # A list would be converted, one path after another.
    list_changed = Signal(object, int)
    leaving = Signal()
    emptied = Signal()

    def __init__(self, parent: QObject | None = None):
        super().__init__(parent)
        self._paths: list[Path] = []
        self._roots: list[Path] = []
        self._places: dict[Path, int] = {}
        self._current = -1
        self._picture: Picture | None = None
        self._error: AppError | None = None
        self._newest: Opening | None = None
        self._is_closed = False

    @property
    def picture(self) -> Picture | None:
        """The picture that was opened last; None before the first, and once the last is closed."""
        return self._picture

    @property
    def error(self) -> AppError | None:
        """Why a picture after that one could not be opened; None if that was not tried."""
        return self._error

    @property
    def paths(self) -> list[Path]:
        """The files that were opened together."""
        return self._paths

    @property
    def index(self) -> int:
        """Which of `paths` is shown, or could not be; -1 for a picture without a file."""
        return self._current

    @property
    def roots(self) -> list[Path]:
        """The files and folders that `paths` were found in."""
        return self._roots

    @property
    def others(self) -> list[Path]:
        """The files of the list other than the one shown."""
        return [path for number, path in enumerate(self._paths) if number != self._current]

    async def open_paths(self, paths: Iterable[Path]) -> None:
        """Open a picture, or list the pictures of several files and folders and open the first."""
        paths = list(paths)
        with self.opening(paths[0].name if paths else "") as opening:
            listed = await asyncio.to_thread(_listed_among, paths)
            if opening is self._newest:
                self._paths, self._places = listed
                self._roots = paths
                await self._open_listed(opening, 0)

    async def open_image_data(self, data: bytes, name: str) -> None:
        """Open an encoded image that came without a file, as from the clipboard."""
        with self.opening(name) as opening:
            if await self._open(opening, data, name):
                self._take_list([])
                self._current = -1
                self.list_changed.emit([], -1)

    async def open_listed(self, index: int) -> None:
        """Open another picture of the list. Does nothing if there is none at `index`."""
        if 0 <= index < len(self._paths):
            with self.opening(self._paths[index].name) as opening:
                await self._open_listed(opening, index)

    async def open_path(self, path: Path) -> None:
        """Open a picture of the list by its path; one that is new there is added to it."""
        if self._place_of(path) is None:
            self._places[path] = len(self._paths)
            self._paths.append(path)
        await self.open_listed(self._places[path])

    async def close_path(self, path: Path) -> None:
        """Take a picture out of the list; if it is the one shown, its neighbour is opened."""
        if (place := self._place_of(path)) is not None:
            await self.close_listed(place)

    def _place_of(self, path: Path) -> int | None:
        if len(self._places) != len(self._paths):  # One was closed.
            self._places = {one: number for number, one in enumerate(self._paths)}
        return self._places.get(path)

    async def open_kept(self, opening: Opening, kept: KeptConversation) -> Picture | None:
        """Open the picture of a kept conversation. Returns None if `opening` was superseded."""
        opening.name = kept.picture_name
        picture = await asyncio.to_thread(_picture_of, kept)
        if not self._is_current(opening):
            return None
        self._take_list([picture.path] if picture.path else [])
        self._current = len(self._paths) - 1
        self.list_changed.emit(self._paths, self._current)
        self._show(picture)
        return picture

    def return_to_picture(self) -> None:
        """Forget the error: the picture that was opened last is shown again."""
        self._error = None
        path = self._picture.path if self._picture else None
        self._current = self._paths.index(path) if path in self._paths else -1
        self.list_changed.emit(self._paths, self._current)

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
        paths = [path for number, path in enumerate(self._paths) if number != index]
        if not paths:
            self._close_all()
            return
        is_shown = index == self._current
        self._paths, self._places = paths, {}
        if is_shown:
            await self.open_listed(min(index, len(paths) - 1))
        else:
            self._current -= index < self._current
            self.list_changed.emit(self._paths, self._current)

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

    def close(self) -> None:
        """Show nothing that is still opening."""
        self._is_closed = True

    def _close_all(self) -> None:
        self.leaving.emit()
        self._newest = None  # What is still opening is not wanted any more.
        self._take_list([])
        self._current = -1
        self._picture = self._error = None
        self.list_changed.emit([], -1)
        self.emptied.emit()

    def _take_list(self, paths: list[Path]) -> None:
        self._paths, self._roots, self._places = paths, list(paths), {}

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

    async def _open_listed(self, opening: Opening, index: int) -> None:
        self._current = index
        self.list_changed.emit(self._paths, index)
        path = self._paths[index]
        opening.name = path.name
        await self._open(opening, path)

    async def _open(self, opening: Opening, source: Path | bytes, name: str | None = None) -> bool:
        picture = await asyncio.to_thread(open_picture, source, name)
        if not self._is_current(opening):
            return False
        self._show(picture)
        return True


def _listed_among(paths: list[Path]) -> tuple[list[Path], dict[Path, int]]:
    """The pictures, and the place of each in the list."""
    found = _pictures_among(paths)
    return found, {path: number for number, path in enumerate(found)}


def _pictures_among(paths: list[Path]) -> list[Path]:
    """A single file is opened whatever its name; of several, those that are pictures."""
    if len(paths) == 1 and not is_folder(paths[0]):
        return paths
    found = look_for_pictures(paths)
    if found.pictures:
        return found.pictures
    if len(paths) == 1:
        text = translate("PictureList", "There are no images in “{name}”. Choose another folder.")
        raise PictureError(found.sentence or text.format(name=paths[0].name))
    raise PictureError(translate("PictureList", "None of these is an image. Choose image files."))


def _picture_of(kept: KeptConversation) -> Picture:
    """The picture again; its thumbnail where the file is gone or never was one."""
    if kept.picture_path:
        with suppress(PictureError):
            return open_picture(kept.picture_path)
    try:
        picture = open_picture(kept.thumbnail, kept.picture_name)
        note = translate("PictureList", "small copy, the image file is missing")
    except PictureError:  # The file of conversations was damaged. The words are still there.
        picture = Picture(None, Image.new("RGB", (4, 3), "gray"), given_name=kept.picture_name)
        note = translate("PictureList", "the image file is missing and its small copy is damaged")
    return replace(picture, notes=(*picture.notes, note), original_size=kept.original_size)
