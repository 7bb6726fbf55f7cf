"""Where the files of a downloaded model are stored: in the hub's cache, or in a folder of its own.

The cache is the one that huggingface_hub, transformers and other programs use; its layout is
documented by huggingface_hub (“Understand caching”). A partial file has a name of its own in the
same folder, and its download is resumed.
"""

from __future__ import annotations

import json
import re
import shutil
from abc import ABC, abstractmethod
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from core.checkpoint.safety import read_settings
from core.errors import CheckpointError, HubError
from core.files import exists, replace_file, size_of
from core.message import translatable
from core.model_reference import is_hub_id

RECORD = ".onlooker-download"
"""In a model's folder: the record of what is downloaded; in the cache only until it is complete."""

LICENCE = ".onlooker-licence"
"""In the cache: the licence as the hub named it, once the model is complete."""

PARTIAL = ".incomplete"
_LOCK = ".onlooker-lock"

_FILE_NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,127}", re.ASCII)
_CHECKSUM = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_LARGEST_FILE = 2**42


def _is_size(value: object) -> bool:
    return isinstance(value, int) and 0 <= value <= _LARGEST_FILE


@dataclass(frozen=True)
class HubFile:
    """A file of the hub. `size` in bytes; `checksum` is SHA-256 where the hub keeps the file as
    a large one (LFS), else git's SHA-1 of it; both in hexadecimal."""

    name: str
    size: int
    checksum: str

    def __post_init__(self) -> None:
        """Names and checksums become paths here, and come from a server."""
        if not _FILE_NAME.fullmatch(self.name) or not _CHECKSUM.fullmatch(self.checksum):
            raise ValueError(f"no file of a model: {self.name!r}")
        if not _is_size(self.size):
            raise ValueError(f"no size of a file: {self.size!r}")


@dataclass(frozen=True)
class Record:
    """A download: a hub id at a revision, and its files; its licence, "" if unknown."""

    hub_id: str
    revision: str
    files: tuple[HubFile, ...]
    licence: str = ""

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files)

    def write(self, folder: Path) -> None:
        """Keeps the record in `folder`, replacing an older one in one step."""
        folder.mkdir(parents=True, exist_ok=True)
        replace_file(folder / RECORD, json.dumps(asdict(self), indent=1).encode())

    @classmethod
    def read(cls, folder: Path) -> Record | None:
        """The record in `folder`; None if there is none, or none that can be read."""
        try:
            kept = read_settings(folder / RECORD)
            files = tuple(
                HubFile(file["name"], file["size"], file["checksum"]) for file in kept["files"]
            )
            if not is_hub_id(kept["hub_id"]) or not _CHECKSUM.fullmatch(kept["revision"]):
                return None
            return cls(kept["hub_id"], kept["revision"], files, str(kept.get("licence", "")))
        except (CheckpointError, ValueError, KeyError, TypeError):
            return None


class ModelLocation(ABC):
    """Where one model is stored. `root` holds all of it; a loader is given `folder()`."""

    def __init__(self, root: Path, hub_id: str):
        self.root = root
        self.hub_id = hub_id

    @abstractmethod
    def folder(self, revision: str) -> Path:
        """The folder that the files of `revision` are read from."""

    @abstractmethod
    def path_of(self, record: Record, file: HubFile) -> Path:
        """Where the complete file is."""

    @abstractmethod
    def partial_path(self, file: HubFile) -> Path:
        """Where the file is until it is complete."""

    @abstractmethod
    def commit(self, record: Record, file: HubFile) -> None:
        """Gives a partial file that has all its bytes its final name; a complete file stays."""

    @abstractmethod
    def finish(self, record: Record) -> None:
        """Lets loaders find the files, all of which are here."""

    def begin(self, record: Record) -> None:
        """Stores the record, so that the download can be resumed after a crash."""
        record.write(self.root)

    @abstractmethod
    def discard(self) -> None:
        """Removes the record of a download of which nothing has come."""

    def is_complete(self, record: Record, file: HubFile) -> bool:
        """Whether the file is here with all of its bytes."""
        try:
            return self.path_of(record, file).stat().st_size == file.size
        except OSError:
            return False

    def downloaded_bytes(self, record: Record) -> int:
        """Bytes that are here, those of unfinished files included."""
        return sum(
            file.size
            if self.is_complete(record, file)
            else min(file.size, size_of(self.partial_path(file)))
            for file in record.files
        )

    @contextmanager
    def lock(self) -> Generator[None]:
        """Held during a download, also against other processes; released by a crash. HubError."""
        from filelock import FileLock, Timeout

        path = self._lock_path()
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with FileLock(path, timeout=0):
                yield
        except Timeout as error:
            raise HubError(
                translatable(
                    "core",
                    "“{name}” is being downloaded by another window or terminal. Wait until it "
                    "is finished.",
                ).format(name=self.hub_id)
            ) from error

    @abstractmethod
    def _lock_path(self) -> Path: ...


class CacheLocation(ModelLocation):
    """In the hub's cache: blobs named by their checksums, and links to them in snapshots."""

    def __init__(self, cache: Path, hub_id: str):
        super().__init__(cache / f"models--{hub_id.replace('/', '--')}", hub_id)

    def folder(self, revision: str) -> Path:
        return self.root / "snapshots" / revision

    def path_of(self, record: Record, file: HubFile) -> Path:
        return self.folder(record.revision) / file.name

    def partial_path(self, file: HubFile) -> Path:
        return self._blob(file).with_name(file.checksum + PARTIAL)

    def is_complete(self, record: Record, file: HubFile) -> bool:
        # A file of another revision is a blob without a link.
        return super().is_complete(record, file) or size_of(self._blob(file)) == file.size > 0

    def commit(self, record: Record, file: HubFile) -> None:
        if super().is_complete(record, file):
            return
        if not self.is_complete(record, file):
            self.partial_path(file).replace(self._blob(file))
        self._link(record, file)

    def finish(self, record: Record) -> None:
        reference = self.root / "refs" / "main"
        reference.parent.mkdir(parents=True, exist_ok=True)
        reference.write_text(record.revision, encoding="utf-8")
        if record.licence:
            (self.root / LICENCE).write_text(record.licence, encoding="utf-8")
        (self.root / RECORD).unlink(missing_ok=True)

    def discard(self) -> None:
        (self.root / RECORD).unlink(missing_ok=True)
        if not (self.root / "refs").exists():
            shutil.rmtree(self.root, ignore_errors=True)

    def _blob(self, file: HubFile) -> Path:
        return self.root / "blobs" / file.checksum

    def _link(self, record: Record, file: HubFile) -> None:
        path = self.path_of(record, file)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        try:
            path.symlink_to(Path("..", "..", "blobs", file.checksum))
        except OSError:
            # Windows without the right to make links: as huggingface_hub does there.
            self._blob(file).replace(path)

    def _lock_path(self) -> Path:
        return self.root.parent / ".locks" / self.root.name / "onlooker.lock"


class FolderLocation(ModelLocation):
    """In a folder by itself, with the files under their own names."""

    def __init__(self, root: Path, hub_id: str):
        super().__init__(root, hub_id)
        self._kept = Record.read(root)
        if self._kept is None and root.is_dir() and any(root.glob("[!.]*")):
            raise HubError(
                translatable(
                    "core",
                    "“{folder}” already holds other files. Choose another folder for downloads.",
                ).format(folder=root)
            )

    def folder(self, revision: str) -> Path:
        return self.root

    def path_of(self, record: Record, file: HubFile) -> Path:
        return self.root / file.name

    def partial_path(self, file: HubFile) -> Path:
        return self.root / f"{file.name}.{file.checksum[:12]}{PARTIAL}"

    def begin(self, record: Record) -> None:
        if self._kept:
            # What has changed at the hub is taken from there again.
            for old in set(self._kept.files) - set(record.files):
                (self.root / old.name).unlink(missing_ok=True)
        super().begin(record)
        self._kept = record

    def commit(self, record: Record, file: HubFile) -> None:
        if not self.is_complete(record, file):
            self.partial_path(file).replace(self.path_of(record, file))

    def finish(self, record: Record) -> None:
        for path in self.root.glob(f"*{PARTIAL}"):
            path.unlink()

    def discard(self) -> None:
        remove_downloaded(self.root)

    def _lock_path(self) -> Path:
        return self.root / _LOCK


def records_inside(root: Path) -> list[Path]:
    """The folders in a model's that were downloaded with it: its vision tower. A link to one that
    is elsewhere is not its own."""
    folders = (path.parent for path in sorted(root.glob(f"*/{RECORD}")))
    return [folder for folder in folders if not folder.is_symlink()]


def remove_downloaded(root: Path) -> None:
    """Delete from a folder what its record says was downloaded, its vision tower too, and then
    the folder, if nothing else is in it."""
    for folder in (*records_inside(root), root):
        record = Record.read(folder)
        if record is None:
            continue
        for file in record.files:
            (folder / file.name).unlink(missing_ok=True)
        for path in (*folder.glob(f"*{PARTIAL}"), folder / RECORD):
            path.unlink(missing_ok=True)
        with suppress(OSError):  # Windows keeps a lock that is held.
            (folder / _LOCK).unlink(missing_ok=True)
        with suppress(OSError):
            folder.rmdir()


def free_bytes(folder: Path) -> int:
    """Free space of the file system that `folder` is on, or will be."""
    return shutil.disk_usage(_existing(folder)).free


def are_on_one_disk(folder: Path, other: Path) -> bool:
    """Whether files can be renamed from one to the other; either may not exist yet."""
    return _existing(folder).stat().st_dev == _existing(other).stat().st_dev


def _existing(folder: Path) -> Path:
    """The folder, or the nearest above it that is there."""
    existing = folder.absolute()
    while not exists(existing) and existing != existing.parent:
        existing = existing.parent
    return existing
