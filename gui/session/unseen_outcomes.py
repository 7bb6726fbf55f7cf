"""What became of edits that ended after the window was closed, until somebody has seen it."""

from __future__ import annotations

import json
import logging
from contextlib import suppress
from pathlib import Path

from core.errors import StoreError
from core.files import read_regular, write_atomically

_NAME = "edits_not_seen.json"
_LARGEST = 10_000_000
_MOST = 50

log = logging.getLogger(__name__)


class UnseenOutcomes:
    """Sentences in a small file in the folder of the program's own files."""

    def __init__(self, data: Path):
        self._path = data / _NAME

    def keep(self, sentence: str) -> None:
        """Keep a sentence for the next start. One that cannot be kept is in the log."""
        log.warning(sentence)
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            kept = [*self._found(), sentence][-_MOST:]
            write_atomically(self._path, json.dumps(kept).encode())
        except (OSError, StoreError) as error:
            log.warning("What became of an edit is not kept", exc_info=error)

    def take(self) -> list[str]:
        """Return what was kept, which is forgotten then."""
        kept = self._found()
        with suppress(OSError):
            self._path.unlink(missing_ok=True)
        return kept

    def _found(self) -> list[str]:
        try:
            data: object = json.loads(read_regular(self._path, most=_LARGEST))
        except (OSError, ValueError, RecursionError):
            return []
        return [one for one in data if isinstance(one, str)] if isinstance(data, list) else []
