"""A file of the program's own in JSON, of which each of several programs writes what it changes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from core.files import read_regular, replace_file
from core.merging import merged_values
from core.write_lock import one_at_a_time

_LARGEST = 20_000_000


class MergedFile:
    """Values by name, which are written by one thread at a time."""

    def __init__(self, path: Path, known: Mapping[str, Any]):
        """`known` is what was read from the file."""
        self._path, self._known = path, dict(known)

    def write(self, values: Mapping[str, Any]) -> None:
        """Writes what differs from what was read or written last; what another program has written
        since stays. Lists that are one value are tuples. Nobody else may read the file. Raises
        OSError."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with one_at_a_time(self._path.with_suffix(".lock")):
            content = merged_values(self._known, values, self._found())
            replace_file(self._path, json.dumps(content).encode(), mode=0o600)
        self._known = dict(values)

    def _found(self) -> Mapping[str, Any]:
        """Returns what the file has; what is known of it if it cannot be read."""
        try:
            data: object = json.loads(read_regular(self._path, most=_LARGEST).decode())
        except (OSError, ValueError, RecursionError):
            return self._known
        return cast("dict[str, Any]", data) if isinstance(data, dict) else self._known
