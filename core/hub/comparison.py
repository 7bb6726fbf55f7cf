"""Comparing the files of a local model with those that the hub lists."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from core.hub.checksum import checksum_of
from core.hub.client import ASKING, Hub, HubClient, require_askable
from core.hub.location import HubFile, Record
from core.transfer.blocking import run_until_stopped
from core.transfer.meter import ByteCounter, DownloadMeter, OnProgress


class FileState(StrEnum):
    """How a local file compares with the hub's."""

    SAME = "same"
    DIFFERENT = "different"
    MISSING = "missing"


@dataclass(frozen=True)
class Comparison:
    """The files of a model at the hub, and how the local ones compare, by name."""

    hub_id: str
    revision: str
    files: dict[str, FileState]

    def named(self, state: FileState) -> list[str]:
        """Returns the names of the files in this state, sorted."""
        return sorted(name for name, found in self.files.items() if found is state)


def downloaded_as(folder: Path) -> str:
    """Returns the hub id that Onlooker downloaded the folder as; "" if it did not."""
    record = Record.read(folder)
    return record.hub_id if record else ""


def compare_with_hub(
    hub: Hub, hub_id: str, folder: Path, on_progress: OnProgress, stop: threading.Event
) -> Comparison:
    """Asks the hub which files the model has, and reads the local ones to compare checksums.

    Only the files that Onlooker downloads are compared. Blocks. Raises HubError, and Cancelled
    within a second once `stop` is set.
    """
    require_askable(hub, hub_id)
    record = run_until_stopped(_record(hub, hub_id), stop, lambda: None)
    counter = ByteCounter(f"Checking {folder.name}", record.size, on_progress, stop)
    states = {file.name: _compare(file, folder / file.name, counter, stop) for file in record.files}
    return Comparison(record.hub_id, record.revision, states)


async def _record(hub: Hub, hub_id: str) -> Record:
    async with HubClient(hub, DownloadMeter(ASKING)) as client:
        record, _ = await client.read_record(hub_id)
        return record


def _compare(file: HubFile, path: Path, counter: ByteCounter, stop: threading.Event) -> FileState:
    try:
        if not path.is_file():
            return FileState.MISSING
        if path.stat().st_size != file.size:
            counter.add(file.size)
            return FileState.DIFFERENT
        is_same = checksum_of(file, path, stop, counter.add) == file.checksum
    except OSError:
        return FileState.DIFFERENT
    return FileState.SAME if is_same else FileState.DIFFERENT
