"""What is typed into fields and not used yet, so that it is in them again after a restart."""

from __future__ import annotations

import json
import logging
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, QTimer, Signal, Slot

from core.errors import AppError
from core.files import numbered, read_regular, write_error
from core.merged_file import MergedFile
from gui.session.worker_thread import WorkerThread
from gui.widgets.translated import translated

_FILE = "typed.json"
# Earlier versions had half-typed tags with what was in view of images.
_EARLY_FILE = "views.json"
_LARGEST = 20_000_000
_SAVED_AFTER_MS = 500

log = logging.getLogger(__name__)


class TypedTexts(QObject):
    """Texts by names of the program's own, in a file that is written in a thread while one types.

    `noticed(str)`: why that is not possible, once.
    """

    noticed = Signal(str)

    def __init__(self, folder: Path, parent: QObject | None = None):
        """`folder` is that of the program's own files."""
        super().__init__(parent)
        self._path = folder / _FILE
        self._thread = WorkerThread("typed", self)
        self._thread.failed.connect(self._on_failed)
        self._is_failing = False
        early, known = _early_tags(folder / _EARLY_FILE), _read(self._path)
        self._texts = early | known
        self._file = MergedFile(self._path, known)
        self._timer = QTimer(self, interval=_SAVED_AFTER_MS, singleShot=True)
        self._timer.timeout.connect(self._save)
        if early:
            self._timer.start()

    def text(self, name: str) -> str:
        """Return what was typed; "" for nothing."""
        return self._texts.get(name, "")

    def keep(self, name: str, text: str) -> None:
        """Keep what is typed; "" once it is used or given up."""
        if self.text(name) == text:
            return
        if text:
            self._texts[name] = text
        else:
            del self._texts[name]
        if not self._timer.isActive():  # While one types on, too.
            self._timer.start()

    def forget(self, beginning: str) -> None:
        """What was typed into all fields whose names begin so is used."""
        for name in [one for one in self._texts if one.startswith(beginning)]:
            self.keep(name, "")

    async def close(self) -> None:
        """Write what is not written yet."""
        if self._timer.isActive() or self._is_failing:
            self._save()
        await self._thread.close()

    @Slot()
    def _save(self) -> None:
        self._timer.stop()
        self._thread.ask(self._on_saved, partial(_write, self._file, self._path, dict(self._texts)))

    def _on_saved(self, _: object) -> None:
        self._is_failing = False

    @Slot(object)
    def _on_failed(self, error: AppError) -> None:
        if not self._is_failing:
            self._is_failing = True
            self.noticed.emit(translated(error))


def _read(path: Path) -> dict[str, str]:
    try:
        data: Any = json.loads(read_regular(path, most=_LARGEST).decode())
        return {str(name): str(text) for name, text in data.items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, AttributeError, RecursionError):
        log.warning("What was typed last is not known", exc_info=True)
        # The next letter would replace what may still be read by a person.
        with suppress(OSError):
            path.replace(numbered(path.with_suffix(".bak")))
        return {}


def _early_tags(path: Path) -> dict[str, str]:
    try:
        data: Any = json.loads(read_regular(path, most=_LARGEST).decode())
        return {f"tag/{image}": str(text) for image, text in data.get("tags", {}).items()}
    except (OSError, ValueError, AttributeError, RecursionError):
        return {}


def _write(file: MergedFile, path: Path, texts: dict[str, str]) -> None:
    try:
        file.write(texts)
    except OSError as error:
        raise write_error(path, error) from error
