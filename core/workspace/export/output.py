"""Writes the files of an export: each in one step, and none over a file that is not ours.

A folder that is not there yet, or is empty, is filled under another name and then gets its own, so
that an export which ends early leaves no half of it.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Event
from typing import BinaryIO

from core.errors import AppError, Cancelled, StoreError
from core.files import (
    is_folder,
    open_regular,
    partial_path,
    reason,
    remove_partial,
    sync_folder,
    write_error,
)
from core.message import translatable
from core.partial_file import take_place
from core.workspace.export.formats import ImageFiles
from core.workspace.export.ledger import Ledger

_NAMED = 3


class FilesInTheWay(StoreError):
    """Files are there that no export wrote: whoever wants them replaced has to say so."""


class Output:
    """The folder that files are written to. Use it in a `with` statement: `finish` makes what was
    written count, and leaving without it removes a folder that is not finished."""

    def __init__(
        self,
        folder: Path,
        ledger: Ledger,
        stop: Event | None = None,
        *,
        is_folder_ours: bool = True,
        on_step: Callable[[], None] = lambda: None,
    ):
        self._on_step = on_step
        self._folder = Path(os.path.abspath(folder))  # noqa: PTH100 (keeps links)
        self._ledger = ledger
        self._stop = stop
        is_free = not os.path.lexists(folder) or (is_folder(folder) and not _has_any(folder))
        self._is_new = is_folder_ours and is_free
        self._place = partial_path(self._folder) if self._is_new else self._folder
        self._written: list[tuple[Path, os.stat_result]] = []
        self.files = 0

    def __enter__(self) -> Output:
        try:
            if self._is_new:
                shutil.rmtree(self._place, ignore_errors=True)
            self._place.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise write_error(self._folder, error) from error
        return self

    def __exit__(self, *_: object) -> None:
        if self._is_new:
            shutil.rmtree(self._place, ignore_errors=True)

    def check(self, names: Sequence[str], may_exist: Collection[str] = ()) -> None:
        """Raises FilesInTheWay if a file is there that no export wrote. Names in `may_exist` are
        those of images that stay where they are."""
        if self._is_new:
            return
        there = [
            name
            for name in names
            if name not in may_exist
            and os.path.lexists(self._folder / name)
            and not self._ledger.knows(self._folder / name)
        ]
        if not there:
            return
        if len(there) == 1:
            text = translatable(
                "core", "“{name}” already exists, and is not from an export. Choose another name."
            )
            raise FilesInTheWay(text.format(name=self._folder / there[0]))
        text = translatable(
            "core",
            "{count} files in “{folder}” are not from an export ({names} …). Choose another "
            "folder.",
        )
        names = ", ".join(there[:_NAMED])
        raise FilesInTheWay(
            text.format(count=f"{len(there):,}", folder=self._folder.name, names=names)
        )

    def require_apart(self, names: Iterable[str], sources: Iterable[Path]) -> None:
        """Raises StoreError if a file to write would replace an image that is exported."""
        kept = {os.path.realpath(source) for source in sources}
        for name in names:
            if os.path.realpath(self._folder / name) in kept:
                text = translatable(
                    "core", "“{name}” is an image of this export. Choose another folder."
                )
                raise StoreError(text.format(name=self._folder / name))

    def is_place_of(self, name: str, path: Path) -> bool:
        """Returns whether a file of the output is this very file."""
        target = self._folder / name
        try:
            return target.samefile(path)
        except OSError:
            return False

    def write(self, name: str, write: Callable[[BinaryIO], object]) -> None:
        """Writes a file, whose content `write` writes. Raises StoreError, and Cancelled if the
        export is stopped."""

        def made(path: Path) -> None:
            with path.open("xb") as file:
                write(file)

        self._put(name, made)

    def write_bytes(self, name: str, data: bytes) -> None:
        """Writes a file. Raises as `write`."""
        self.write(name, lambda file: file.write(data))

    def add_image(self, name: str, source: Path, how: ImageFiles) -> None:
        """Copies or links an image. Raises as `write`, and StoreError if it cannot be read."""

        def made(path: Path) -> None:
            real = source.resolve()
            if how is ImageFiles.LINK:
                with suppress(OSError):
                    path.hardlink_to(real)
                    return
            try:
                open_regular(real).close()
                shutil.copy2(real, path)
            except OSError as error:
                if error.errno in (errno.ENOSPC, errno.EDQUOT):
                    raise
                text = translatable("core", "“{name}” cannot be copied ({reason}).")
                raise StoreError(text.format(name=source.name, reason=reason(error))) from error

        self._put(name, made)

    def remove_old(self, names: Collection[str]) -> None:
        """Removes those of these files that an export wrote and nobody has changed."""
        for name in names:
            if self._ledger.knows(self._folder / name):
                with suppress(OSError):
                    (self._folder / name).unlink()

    def finish(self) -> None:
        """Gives a new folder its name. Raises StoreError."""
        self._ledger.wrote(self._written)
        self._written.clear()
        if not self._is_new:
            return
        try:
            sync_folder(self._place)
            if os.path.lexists(self._folder):
                self._folder.rmdir()  # It is empty, or this fails.
            self._place.rename(self._folder)
            sync_folder(self._folder.parent)
        except OSError as error:
            raise write_error(self._folder, error) from error

    def stop_if_asked(self) -> None:
        """Raises Cancelled if the export is stopped. Called before each file and each image."""
        self._on_step()
        if self._stop is not None and self._stop.is_set():
            raise Cancelled(translatable("core", "The export was stopped."))

    def _put(self, name: str, make: Callable[[Path], None]) -> None:
        self.stop_if_asked()
        final, target = self._folder / name, self._place / name
        partial = partial_path(target)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            partial.unlink(missing_ok=True)
            make(partial)
            # Known before it counts, so that what a killed export wrote is ours too.
            self._note(final, partial.lstat())
            take_place(partial, target)
        except AppError:
            remove_partial(target)
            raise
        except OSError as error:
            remove_partial(target)
            raise write_error(final, error) from error
        except BaseException:
            remove_partial(target)
            raise
        self.files += 1

    def _note(self, path: Path, status: os.stat_result) -> None:
        if self._is_new:
            self._written.append((path, status))
        else:
            self._ledger.wrote([(path, status)])


def _has_any(folder: Path) -> bool:
    try:
        return next(folder.iterdir(), None) is not None
    except OSError:
        return True
