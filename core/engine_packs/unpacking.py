"""Unpacking wheels into a pack: only wanted files, and never outside of its folder."""

from __future__ import annotations

import fnmatch
import re
import stat
import threading
import zipfile
import zlib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path, PurePosixPath

from core.engine_packs.pins import WheelPin
from core.errors import Cancelled, PackError
from core.message import translatable

_COPY_BYTES = 2**20
# Of these folders of a wheel's data, what they hold belongs beside its packages.
_DATA = ("purelib", "platlib")


def unpack(
    wheel: WheelPin,
    archive: Path,
    folder: Path,
    leave_out: Sequence[str],
    on_bytes: Callable[[int], None],
    stop: threading.Event,
) -> None:
    """Writes the wanted files of a wheel into `folder`, over what is there.

    Raises PackError for a damaged wheel or one with files elsewhere than in `folder`, OSError for a
    full disk, and Cancelled.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            for entry, name in wanted_files(opened.infolist(), leave_out):
                target = folder / name
                target.parent.mkdir(parents=True, exist_ok=True)
                with opened.open(entry) as source, target.open("wb") as written:
                    while block := source.read(_COPY_BYTES):
                        if stop.is_set():
                            raise Cancelled(translatable("core", "Unpacking was cancelled."))
                        written.write(block)
                        on_bytes(len(block))
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, ValueError) as error:
        raise PackError(
            translatable(
                "core",
                "“{name}” cannot be unpacked ({reason}). Report this; models run on the processor.",
            ).format(name=wheel.filename, reason=error)
        ) from error


def wanted_files(
    entries: Iterable[zipfile.ZipInfo], leave_out: Sequence[str]
) -> list[tuple[zipfile.ZipInfo, str]]:
    """The files of a wheel that go into a pack, each with its path there.

    Raises ValueError for a path that leads out of the folder, and for a link.
    """
    unwanted = re.compile("|".join(map(fnmatch.translate, leave_out)) or r"(?!)")
    found: list[tuple[zipfile.ZipInfo, str]] = []
    for entry in entries:
        if entry.is_dir():
            continue
        name = _place(entry)
        if name and not unwanted.match(name):
            found.append((entry, name))
    return found


def _place(entry: zipfile.ZipInfo) -> str:
    """The path of a file in the pack, "" for scripts and headers."""
    name = entry.filename
    path = PurePosixPath(name)
    is_link = stat.S_ISLNK(entry.external_attr >> 16)
    if is_link or path.is_absolute() or ".." in path.parts or any(c in name for c in "\\:\0"):
        raise ValueError(f"it holds {name[:100]!r}, which leads elsewhere")
    if path.parts[0].endswith(".data"):
        return "/".join(path.parts[2:]) if path.parts[1:2] and path.parts[1] in _DATA else ""
    return path.as_posix()
