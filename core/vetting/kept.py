"""Verdicts kept on disk by the content of the files that were tried.

A verdict counts for any folder with the same files, and for this version of the program and of
the libraries that read them. The cache never fails: a file that cannot be read is a missing
verdict, and one that cannot be written is left out.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Iterator
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from core.checkpoint.file_sizes import small_files
from core.errors import AppError
from core.files import read_regular, replace_file
from core.version import program_version
from core.vetting.verdict import Trial, Verdict

log = logging.getLogger(__name__)

# Raised when trials change, so that old verdicts no longer count.
_RULES = 1
_LIBRARIES = ("transformers", "tokenizers", "sentencepiece", "jinja2")
_SUFFIXES = {".json", ".jinja", ".jsonl", ".model", ".tiktoken", ".txt"}
_LARGEST_HASHED = 64_000_000
_MOST_VERDICTS = 500
_LARGEST_VERDICT = 10_000


class KeptVerdicts:
    """Verdicts in `folder`, which need not exist; None keeps none. The oldest are removed."""

    def __init__(self, folder: Path | None):
        self._folder = folder

    def read(self, key: str) -> Verdict | None:
        """Returns the verdict kept under `key`, None if there is none."""
        if self._folder is None:
            return None
        path = self._folder / f"{key}.json"
        try:
            verdict = Verdict.read(json.loads(read_regular(path, most=_LARGEST_VERDICT)))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            log.info("A kept verdict about a model cannot be read: %s.", error)
            return None
        with suppress(OSError):
            os.utime(path)
        return verdict

    def write(self, key: str, verdict: Verdict) -> None:
        """Keeps a verdict that lasts."""
        if self._folder is None or not verdict.is_lasting:
            return
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            content = json.dumps(verdict.record()).encode()
            replace_file(self._folder / f"{key}.json", content, mode=0o600)
            kept = sorted(self._folder.glob("*.json"), key=lambda path: path.stat().st_mtime)
            for path in kept[:-_MOST_VERDICTS]:
                path.unlink(missing_ok=True)
        except OSError as error:
            log.info("A verdict about a model cannot be kept: %s.", error)


def kept_verdicts() -> KeptVerdicts:
    """The verdicts in the program's cache folder; none are kept where there is no such folder."""
    try:
        # Imported here, since the terminal works without platformdirs, which finds the folder.
        from core.locations import locations

        return KeptVerdicts(locations().verdicts)
    except (ImportError, OSError, RuntimeError, AppError) as error:
        log.info("Verdicts about models cannot be kept: %s.", error)
        return KeptVerdicts(None)


def fingerprint(trial: Trial) -> str:
    """Returns the key for a trial: what is tried, and by which versions. Raises OSError."""
    digest = hashlib.blake2b(digest_size=20)
    for part in (str(_RULES), program_version(), *map(_version, _LIBRARIES), trial.kind.value):
        digest.update(f"{part}\n".encode())
    for path in _read_files(trial.folder):
        status = path.stat()
        name = path.relative_to(trial.folder).as_posix()
        digest.update(f"{name}\n{status.st_size}\n".encode(errors="surrogateescape"))
        if status.st_size <= _LARGEST_HASHED:
            digest.update(read_regular(path, most=_LARGEST_HASHED))
        else:
            digest.update(f"{status.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def _read_files(folder: Path) -> Iterator[Path]:
    """The files that loaders may read, the weights aside, in a fixed order."""
    found = {path for path in folder.iterdir() if path.suffix in _SUFFIXES}
    yield from sorted(path for path in found.union(small_files(folder)) if path.is_file())


def _version(library: str) -> str:
    try:
        return version(library)
    except PackageNotFoundError:
        return ""
