"""A folder that the system takes for a disk of its own, which can be disconnected."""

import os
from pathlib import Path

import pytest


class Disk:
    """Mounted at `folder`, until `disconnect`; its mount point may stay, empty."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch):
        self.folder, self._away = folder, folder.with_name(f"{folder.name}, away")
        self._is_connected = True
        folder.mkdir()
        is_mount = os.path.ismount
        patch.setattr(
            os.path,
            "ismount",
            lambda path: (
                self._is_connected
                if os.fspath(path) == os.path.realpath(folder)
                else is_mount(path)
            ),
        )

    def disconnect(self, *, leaves_mount_point: bool):
        """Takes the disk away."""
        self.folder.rename(self._away)
        self._is_connected = False
        if leaves_mount_point:
            self.folder.mkdir()

    def connect(self):
        """Connects it again."""
        if self.folder.exists():
            self.folder.rmdir()
        self._away.rename(self.folder)
        self._is_connected = True
