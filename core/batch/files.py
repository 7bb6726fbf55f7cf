"""The files beside a picture of a run: which of them get its caption, and what is then in them."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from core.batch import sidecar, xmp
from core.batch.journal import Record
from core.batch.options import EDITED, HAS_CAPTION, BatchOptions
from core.batch.sidecar import Existing
from core.files import read_bytes, restore


@dataclass(frozen=True)
class Change:
    """What a file beside a picture held before, and what it is to hold; None for no file."""

    path: Path
    before: bytes | None
    after: bytes | None

    @property
    def is_made(self) -> bool:
        """Whether the file holds what it was to. Raises StoreError."""
        return self._holds(self.after)

    @property
    def is_to_make(self) -> bool:
        """Whether the file holds what it did before. Raises StoreError."""
        return self._holds(self.before)

    def make(self) -> None:
        """After this the file is on the disk. Raises StoreError, and DiskFull."""
        restore(self.path, self.after)

    def back(self) -> Change:
        """What takes it back."""
        return Change(self.path, self.after, self.before)

    def _holds(self, data: bytes | None) -> bool:
        return sidecar.fingerprint(read_bytes(self.path)) == sidecar.fingerprint(data)

    def record(self) -> Record:
        return {
            "path": str(self.path),
            "before": _packed(self.before),
            "after": _packed(self.after),
        }

    @staticmethod
    def from_record(record: Record) -> Change:
        before, after = _unpacked(record["before"]), _unpacked(record["after"])
        return Change(Path(record["path"]), before, after)


def by_run(target: Path, caption: str, alt_text: str, existing: Existing) -> Change:
    """The change to `target` that a run makes. Raises StoreError."""
    before = read_bytes(target)
    if target.suffix == ".xmp":
        description = sidecar.combined(xmp.description_of(before), caption, existing)
        alt_text = sidecar.combined(xmp.alt_text_of(before), alt_text, existing)
        return Change(target, before, xmp.described(before, description=description,
                                                    alt_text=alt_text))  # fmt: skip
    whole = sidecar.combined(sidecar.decoded(before), caption, existing)
    return Change(target, before, sidecar.encoded(whole))


def by_hand(target: Path, caption: str) -> Change:
    """The change to `target` by which it holds a person's words. Raises StoreError."""
    before = read_bytes(target)
    if target.suffix == ".xmp":
        return Change(target, before, xmp.described(before, description=caption, alt_text=caption))
    return Change(target, before, sidecar.encoded(caption))


def take_back(changes: Sequence[Change]) -> bool:
    """Give the file of these changes, the oldest first, what it held before them.

    What somebody else has written in it is never replaced; False when so the file is not as it
    was. Raises StoreError.
    """
    path = changes[0].path
    now = wanted = read_bytes(path)
    for change in reversed(changes):
        if wanted == change.after:
            wanted = change.before
    if wanted != now:
        restore(path, wanted)
    return wanted == changes[0].before


def caption_in(target: Path) -> str:
    """What the file says; "" when there is none. Raises StoreError."""
    data = read_bytes(target)
    return xmp.description_of(data) if target.suffix == ".xmp" else sidecar.decoded(data)


def existing_caption(picture: Path, options: BatchOptions) -> str:
    """The first caption that the files beside the picture hold. Raises StoreError."""
    found = (caption_in(target) for target in options.targets(picture))
    return next(filter(None, found), "")


def to_write(
    picture: Path, options: BatchOptions, model: str, made: Mapping[str, tuple[str, str]]
) -> list[Path] | str:
    """The files that are to get a new caption, or why none is.

    `made` has, for each file that a run has written, the fingerprint of it then and its recipe.
    Raises StoreError.
    """
    targets = options.targets(picture)
    existing = options.existing
    if not targets or existing in (Existing.APPEND, Existing.PREPEND):
        return targets
    if existing is Existing.SKIP:
        return [target for target in targets if not caption_in(target)] or HAS_CAPTION
    named = options.replaces_edited
    is_named = picture.name in named or str(picture) in named
    chosen, why = [], "Has no caption yet." if existing is Existing.STALE else HAS_CAPTION
    for target in targets:
        data = read_bytes(target)
        written, recipe = made.get(str(target), ("", ""))
        is_ours = written == sidecar.fingerprint(data)
        if data is not None and written and not is_ours and not is_named:
            why = EDITED
        elif existing is Existing.REPLACE:
            chosen.append(target)
        elif data is not None and not written:
            why = "Not made by a run of Onlooker."
        elif data is not None and recipe == options.recipe(model):
            why = "Made in this way already."
        elif data is not None:
            chosen.append(target)
    return chosen or why


def _packed(data: bytes | None) -> str | None:
    return None if data is None else base64.b64encode(data).decode("ascii")


def _unpacked(text: str | None) -> bytes | None:
    return None if text is None else base64.b64decode(text)
