"""What was in view of images and folders, so that coming back and a restart find it again."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, cast

from PySide6.QtCore import QObject, QTimer

from core.files import read_regular
from core.merged_file import MergedFile
from core.picture import Picture
from core.workspace import Sort, SortKey
from gui.session.worker_thread import WorkerThread

_FILE = "views.json"
_MOST_ZOOMS, _MOST_FOLDERS = 1000, 50
MOST_SELECTED = 1000
_LARGEST = 20_000_000
_SAVED_AFTER_MS = 1500

log = logging.getLogger(__name__)

Zoom = tuple[float, float, float]
"""Logical pixels for each of the image's, and the point of the image in the middle of the view."""


@dataclass(frozen=True)
class FolderView:
    """How a folder was seen: the image in view, what was listed, selected and scrolled to."""

    current: str = ""
    query: str = ""
    sort: str = SortKey.NAME.value
    is_descending: bool = False
    seed: int = 0
    selected: tuple[str, ...] = ()
    scroll: int = 0

    @property
    def order(self) -> Sort:
        """The order of the list."""
        return Sort(SortKey(self.sort), self.is_descending, self.seed)


class ViewMemory(QObject):
    """Kept in a file of the program's own, written in a thread soon after each change. A file that
    cannot be read or written costs nothing but what was in view."""

    def __init__(self, folder: Path, parent: QObject | None = None):
        super().__init__(parent)
        self._path = folder / _FILE
        self._thread = WorkerThread("views", self)
        self._zooms: dict[str, Zoom] = {}
        self._folders: dict[str, FolderView] = {}
        self.open: tuple[Path, ...] = ()
        """What is open, or was when the program ended."""
        self._timer = QTimer(self, interval=_SAVED_AFTER_MS, singleShot=True)
        self._timer.timeout.connect(self._save)
        early = self._load()
        self._file = MergedFile(self._path, {**self._values(), "tags": early})
        if early:
            self._save_soon()

    def zoom(self, picture: Picture) -> Zoom | None:
        """Return how an image was zoomed, also where it was before; None if it was fitted."""
        return self._zooms.get(_content(picture))

    def keep_zoom(self, picture: Picture, zoom: Zoom | None) -> None:
        """Keep how an image is zoomed; None for fitted. Equal images are zoomed alike."""
        content = _content(picture)
        if not content or self._zooms.get(content) == zoom:
            return
        self._zooms.pop(content, None)
        if zoom is not None:
            self._zooms[content] = zoom
            _shorten(self._zooms, _MOST_ZOOMS)
        self._save_soon()

    def folder(self, roots: Sequence[Path]) -> FolderView | None:
        """Return how these files and folders were seen; None if they never were."""
        return self._folders.get(_key(roots))

    def keep_folder(self, roots: Sequence[Path], view: FolderView) -> None:
        """Keep how these files and folders are seen."""
        if roots and self._folders.get(_key(roots)) != view:
            self._folders.pop(_key(roots), None)
            self._folders[_key(roots)] = view
            _shorten(self._folders, _MOST_FOLDERS)
            self._save_soon()

    def keep_open(self, roots: Sequence[Path]) -> None:
        """Keep what is open, to open it again at the next start."""
        if tuple(roots) != self.open:
            self.open = tuple(roots)
            self._save_soon()

    async def close(self) -> None:
        """Write what is not written yet."""
        if self._timer.isActive():
            self._timer.stop()
            self._save()
        await self._thread.close()

    def _save_soon(self) -> None:
        if not self._timer.isActive():  # While one goes on, too.
            self._timer.start()

    def _save(self) -> None:
        self._thread.submit(partial(_write, self._file, self._values()))

    def _values(self) -> dict[str, Any]:
        return {
            "open": tuple(map(str, self.open)),
            "zooms": dict(self._zooms),
            # Those of earlier versions are with what else is typed by now (`typed_texts`).
            "tags": {},
            "folders": {key: asdict(view) for key, view in self._folders.items()},
        }

    def _load(self) -> dict[str, str]:
        """Returns the half-typed tags of earlier versions."""
        try:
            data: Any = json.loads(read_regular(self._path, most=_LARGEST).decode())
            opened = tuple(Path(str(one)) for one in data["open"])
            zooms = {str(content): _zoom(value) for content, value in data["zooms"].items()}
            folders = {str(key): _view(value) for key, value in data["folders"].items()}
            tags = {str(path): str(text) for path, text in data.get("tags", {}).items()}
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, TypeError, LookupError, AttributeError, RecursionError):
            log.warning("What was in view last is not known", exc_info=True)
            return {}
        self.open, self._zooms, self._folders = opened, zooms, folders
        return tags


def _content(picture: Picture) -> str:
    return picture.identity.fingerprint if picture.identity else ""


def _key(roots: Sequence[Path]) -> str:
    return "\n".join(map(str, roots))


def _shorten(known: dict[str, Any], most: int) -> None:
    while len(known) > most:
        del known[next(iter(known))]


def _zoom(value: Any) -> Zoom:
    scale, x, y = (float(number) for number in value)
    return scale, x, y


def _view(value: Any) -> FolderView:
    values = cast(dict[str, Any], value)
    view = FolderView(**{**values, "selected": tuple(map(str, values["selected"]))})
    _ = view.order, view.scroll + view.seed  # Raises for what is none.
    return view


def _write(file: MergedFile, values: dict[str, Any]) -> None:
    try:
        file.write(values)
    except (OSError, ValueError):
        log.warning("What is in view is not kept", exc_info=True)
