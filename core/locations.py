"""Where the program's own files live: settings, conversations, journals, logs and caches.

Apart from `core.settings`, so that what only needs a folder, as the engine's caches do, imports
nothing that validates settings.
"""

from __future__ import annotations

import errno
import os
import stat
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from core.files import PRIVATE
from core.message import translatable

SETTINGS_NAME = "settings.json"


@dataclass(frozen=True)
class Locations:
    """Where our files live. None of them need exist yet. `note` is a sentence for the person."""

    settings: Path
    transcripts: Path
    logs: Path
    models: Path
    note: str = ""

    @property
    def folder(self) -> Path:
        """What `load` and `save` are given."""
        return self.settings.parent

    @property
    def data(self) -> Path:
        """The folder of what is neither settings nor a cache: conversations, runs, engine packs."""
        return self.transcripts.parent

    @property
    def engines(self) -> Path:
        """The engine packs, PyTorch for graphics cards."""
        return self.data / "engines"

    @property
    def runs(self) -> Path:
        """The journals of folder runs."""
        return self.data / "runs"

    @property
    def presets(self) -> Path:
        """A person's own presets, and their order."""
        return self.data / "presets.json"

    @property
    def kernels(self) -> Path:
        """Compiled CUDA kernels, a cache that may be removed at any time."""
        return self.models.parent / "kernels"

    @property
    def thumbnails(self) -> Path:
        """Small copies of images that were listed, a cache like the kernels."""
        return self.models.parent / "thumbnails"

    @property
    def verdicts(self) -> Path:
        """How models were found when they were first tried, a cache like the kernels."""
        return self.models.parent / "verdicts"


def locations() -> Locations:
    """The system's own places; all in one folder when ONLOOKER_HOME names it."""
    if home := os.environ.get("ONLOOKER_HOME"):
        return _all_in(Path(home).expanduser().absolute())
    places = platformdirs.PlatformDirs("onlooker", appauthor=False)
    return Locations(
        places.user_config_path / SETTINGS_NAME,
        places.user_data_path / "transcripts.sqlite",
        places.user_log_path,
        places.user_cache_path / "models",
    )


def writable_locations() -> Locations:
    """`locations()`, or a temporary folder with a note where nothing can be written there.

    So it is for a user without a home, as services and locked-down accounts are. Makes the
    folders that it has tried.
    """
    try:
        places = locations()
        for folder in {places.folder, places.transcripts.parent, places.logs}:
            _require_writable(folder)
    except (OSError, RuntimeError) as error:
        # platformdirs and Path.home raise RuntimeError for a user whom the system does not know.
        reason = getattr(error, "strerror", None) or error
        folder = Path(tempfile.mkdtemp(prefix="onlooker-"))
        return _all_in(
            folder,
            translatable(
                "core",
                "The home folder cannot be written ({reason}), so settings and conversations "
                "are in “{folder}” and may be lost when Onlooker closes. Make the "
                "home folder writable.",
            ).format(reason=reason, folder=folder),
        )
    return places


def take_from_others(places: Locations) -> None:
    """Lets only their owner read files that an earlier version made for everybody.

    Never raises: where permissions cannot be set, they stay as they are.
    """
    for folder, pattern in (
        (places.folder, f"{SETTINGS_NAME}*"),
        (places.transcripts.parent, f"{places.transcripts.stem}*"),
        (places.runs, "*"),
        (places.logs, "*"),
    ):
        with suppress(OSError):
            for path in folder.glob(pattern):
                status = path.lstat()
                if stat.S_ISREG(status.st_mode) and status.st_mode & 0o077:
                    with suppress(OSError):
                        path.chmod(PRIVATE)


def _require_writable(folder: Path) -> None:
    if not folder.is_absolute():
        raise FileNotFoundError(errno.ENOENT, translatable("core", "there is none"), str(folder))
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder):
        pass


def _all_in(folder: Path, note: str = "") -> Locations:
    return Locations(
        folder / SETTINGS_NAME,
        folder / "transcripts.sqlite",
        folder / "logs",
        folder / "models",
        note,
    )
