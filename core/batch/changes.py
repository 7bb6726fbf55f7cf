"""The caption files of one image: which of them get a new caption, and what they then hold."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from core.batch.items import EDITED, HAS_CAPTION
from core.batch.options import BatchOptions
from core.batch.stored import StoredChange
from core.batch.targets import FileTarget, Rows, Target, target_of
from core.captions import sidecar, xmp
from core.captions.encoding import UnknownEncoding
from core.captions.sidecar import Existing
from core.captions.wording import without_duplicates
from core.errors import StoreError
from core.files import partial_path, write_error, write_partial
from core.formatting import format_bytes
from core.message import translatable


@dataclass(frozen=True)
class WrittenFile:
    """What a run wrote last into a caption file: the fingerprint of its content, and the recipe
    (`BatchOptions.recipe`). `recipes` are those of all captions in it, where runs added to each
    other's. A file that was edited in the window has a fingerprint that no content has. `earlier`
    is what runs wrote there before, and no person has changed since."""

    fingerprint: str = ""
    recipe: str = ""
    recipes: frozenset[str] = frozenset()
    earlier: tuple[WrittenFile, ...] = ()

    def holding(self, data: bytes | None) -> WrittenFile:
        """Returns what a run wrote if it has this content, as where a later caption was undone in
        the list of images; else the last."""
        now = sidecar.fingerprint(data)
        return next((one for one in (self, *self.earlier) if one.fingerprint == now), self)

    @property
    def history(self) -> tuple[WrittenFile, ...]:
        """Returns what is `earlier` to what is written next."""
        return (replace(self, earlier=()), *self.earlier)[:_MOST_EARLIER] if self.recipe else ()


HAS_NO_CAPTION = translatable("core", "No caption yet.")
NOT_OURS = translatable("core", "Not written by Onlooker.")
MADE_ALREADY = translatable("core", "Already captioned with these settings.")
EDITED_FILE = WrittenFile("by hand")
_NOT_WRITTEN = WrittenFile()
# A person's words replace what is there.
_BY_HAND = BatchOptions((), existing=Existing.REPLACE)

_MOST_EARLIER = 8

LONG = 250
"""The characters above which a text belongs into the long description too, as IPTC advises."""


@dataclass(frozen=True)
class Change:
    """What is stored in a file, or in the row of a table, before a change and after it; None for
    nothing."""

    target: Target
    before: bytes | None
    after: bytes | None

    @property
    def is_made(self) -> bool:
        """Returns whether the file holds the content after the change. Raises StoreError."""
        return self._holds(self.after)

    @property
    def is_to_make(self) -> bool:
        """Returns whether the file holds the content before the change. Raises StoreError."""
        return self._holds(self.before)

    def make(self) -> None:
        """Writes the new content; it is on the disk on return. Raises StoreError, and DiskFull."""
        self.target.put(self.before, self.after)

    @property
    def path(self) -> Path:
        """The file."""
        return self.target.path

    def prepare(self, *, is_durable: bool) -> None:
        """Writes the new content of a whole file beside it (`partial_path`), for `put_in_place`;
        with `is_durable` it is on the disk on return. Raises StoreError, and DiskFull."""
        if self.after is not None:
            write_partial(self.path, self.after, is_durable=is_durable)

    def put_in_place(self) -> None:
        """Makes a prepared change, which is on the disk once the folder is synced. Raises
        StoreError."""
        try:
            if self.after is None:
                self.path.unlink(missing_ok=True)
            else:
                partial_path(self.path).replace(self.path)
        except OSError as error:
            raise write_error(self.path, error) from error

    @property
    def current(self) -> bytes | None:
        """Returns what the file holds now. Raises StoreError."""
        return self.target.content()

    def reversed(self) -> Change:
        """Returns the change that undoes this one."""
        return Change(self.target, self.after, self.before)

    def _holds(self, data: bytes | None) -> bool:
        return sidecar.fingerprint(self.target.content()) == sidecar.fingerprint(data)

    def stored(self) -> StoredChange:
        """Returns the change as the journal keeps it."""
        return StoredChange.of(self.path, self.before, self.after, self.target.row)

    @staticmethod
    def from_stored(stored: StoredChange, rows: Rows) -> Change:
        """Decodes a change of the journal; `rows` are those of the run's tables."""
        return Change(target_of(stored, rows), stored.before_bytes, stored.after_bytes)


def change_by_run(
    picture: Path, target: Target, caption: str, alt_text: str, options: BatchOptions
) -> Change:
    """Returns the change to a caption file of `picture` that a run makes, which changes nothing if
    the caption is to be added and is there already. Raises StoreError."""
    before = target.content()
    if target.is_xmp:
        after = _xmp_by_run(picture, target, before, caption, alt_text, options)
        return _change(target, before, after)
    if not options.adds_to_captions:
        return _change(target, before, target.stored(caption))
    text = target.caption(before)
    whole = _combined(text, caption, options)
    return _change(target, before, before if whole == text else target.stored(whole))


def _combined(before: str, caption: str, options: BatchOptions) -> str:
    if options.adds_to_captions and options.drops_duplicates:
        caption = without_duplicates(caption, before)
    return sidecar.combined(before, caption, options.existing, options.separator)


@dataclass(frozen=True)
class ByHand:
    """A caption that a person writes. It takes the place of `added`, which a run with these options
    has added to other text in the files; with None that of everything there."""

    caption: str
    added: str | None
    options: BatchOptions

    def placed(self, text: str) -> str:
        """Returns what a file holds then that holds `text`. Where `added` is no longer there, the
        caption is added, since the rest may be anybody's."""
        if self.added is None:
            return self.caption
        how = self.options.existing, self.options.separator
        lines = self.added.split("\n")
        # An alt text has the first of several answers alone.
        for count in range(len(lines), 0, -1):
            added = "\n".join(lines[:count])
            exchanged = sidecar.exchanged(text, added, self.caption, *how)
            if exchanged is not None:
                return exchanged
        return _combined(text, self.caption, self.options)


def change_by_hand(picture: Path, target: Target, by_hand: ByHand) -> Change:
    """Returns the change to a caption file after which it holds a person's words. Raises
    StoreError."""
    before = target.content()
    if not target.is_xmp:
        text = "" if by_hand.added is None else target.caption(before)
        return _change(target, before, target.stored(by_hand.placed(text)))
    texts = xmp.read(before, target.path.name)
    description = by_hand.placed(texts.description)
    extended = _extended(texts, description, description, _BY_HAND)
    if by_hand.added is not None and texts.extended not in ("", texts.description):
        has_added = by_hand.added and by_hand.added in texts.extended
        extended = by_hand.placed(texts.extended) if has_added else None
    after = xmp.described(
        before,
        description=description,
        alt_text=by_hand.placed(texts.alt_text),
        extended=extended,
        extension=_extension(picture, target.path),
        name=target.path.name,
    )
    return _change(target, before, after)


def _change(target: Target, before: bytes | None, after: bytes | None) -> Change:
    """Returns a change. Raises StoreError where the file could not be read again, to be undone."""
    if after is not None and len(after) > target.largest:
        raise StoreError(
            translatable(
                "core", "“{name}” would be larger than {size}. Shorten its content, then try again."
            ).format(name=target.path.name, size=format_bytes(target.largest))
        )
    return Change(target, before, after)


def _xmp_by_run(
    picture: Path,
    target: Target,
    before: bytes | None,
    caption: str,
    alt_text: str,
    options: BatchOptions,
) -> bytes | None:
    """Returns the XMP file with a run's caption as its description; `before` if all that is to be
    added is there already. A text that a person wrote is replaced only if the run replaces."""
    texts = xmp.read(before, target.path.name)
    description = _combined(texts.description, caption, options)
    extended = _extended(texts, caption, description, options)
    new_alt_text = texts.alt_text
    if options.existing is not Existing.SKIP or not texts.alt_text:
        new_alt_text = _combined(texts.alt_text, alt_text, options)
    is_same = (description, new_alt_text) == (texts.description, texts.alt_text)
    if options.adds_to_captions and is_same and extended in (None, texts.extended):
        return before
    return xmp.described(
        before,
        description=description,
        alt_text=new_alt_text,
        extended=extended,
        extension=_extension(picture, target.path),
        name=target.path.name,
    )


def _extension(picture: Path, target: Path) -> str:
    """Returns what a new XMP file says of whose it is, where its name does not."""
    return "" if target.name.startswith(picture.name) else picture.suffix[1:]


def _extended(
    texts: xmp.XmpTexts, caption: str, description: str, options: BatchOptions
) -> str | None:
    """Returns the long description to write beside `description`; None to leave what is there.

    One that says the same as the description did follows it; one that says something else changes
    only for a long caption.
    """
    skips = options.existing is Existing.SKIP
    if texts.extended and (skips or texts.extended != texts.description):
        is_to_add = not skips and len(caption) > LONG
        return _combined(texts.extended, caption, options) if is_to_add else None
    return description if texts.extended or len(description) > LONG else None


def undo_changes(changes: Sequence[Change]) -> bool:
    """Gives one file the content that it had before these changes, the oldest first.

    Never replaces what somebody else has written there; returns False if for that reason the file
    is not as it was. Raises StoreError.
    """
    undo = _undo_of(changes)
    if undo.before != undo.after:
        undo.make()
    return undo.after == changes[0].before


def undo_rows(rows: Sequence[Sequence[Change]], tables: Rows) -> list[Target]:
    """Gives rows of tables what they held before these changes to each, the oldest first; all those
    of a table in one step. Returns the rows that are not as they were, because somebody else has
    changed them. Raises StoreError."""
    undos = list(map(_undo_of, rows))
    to_make = [one for one in undos if one.before != one.after]
    tables.put([(one.target, one.before, one.after) for one in to_make])
    firsts = [changes[0].before for changes in rows]
    return [one.target for one, first in zip(undos, firsts, strict=True) if one.after != first]


def _undo_of(changes: Sequence[Change]) -> Change:
    """Returns the change that takes back as many of these as can be. Raises StoreError."""
    target = changes[0].target
    now = wanted = target.content()
    for change in reversed(changes):
        if wanted == change.after:
            wanted = change.before
    return Change(target, now, wanted)


def caption_in(path: Path) -> str:
    """Returns the caption in a file beside an image; "" without one, or without a file. Raises
    StoreError."""
    return caption_at(FileTarget(path))


def caption_at(target: Target) -> str:
    """Returns the caption that is stored there; "" for none. Raises StoreError."""
    return target.caption(target.content())


def text_at(target: Target, data: bytes | None) -> str:
    """Returns the caption in a file's content; where it is none, the content as text."""
    try:
        return target.caption(data)
    except StoreError:
        return (data or b"").decode("utf-8", "replace").strip()


def _has_caption(target: Target) -> bool:
    """Returns whether there is a caption in the file, in whatever encoding. Raises StoreError."""
    try:
        return bool(caption_at(target))
    except UnknownEncoding:
        return True


def existing_caption(targets: Sequence[Target]) -> str:
    """Returns the first caption that an image has in these places. Raises StoreError."""
    return next((found for target in targets if (found := caption_at(target))), "")


def targets_to_write(
    picture: Path,
    targets: Sequence[Target],
    options: BatchOptions,
    model: str,
    written: Mapping[str, WrittenFile],
    began: float = math.inf,
) -> list[Target] | str:
    """Returns which of the `targets` of an image are to get a new caption, or the reason why none
    is.

    `written` has what runs wrote, by the target's key. `model` is the model's fingerprint or name.
    What was written otherwise since the run `began`, in seconds since 1970, is a person's and is
    never replaced. Raises StoreError.
    """
    existing = options.existing
    if not targets:
        return []
    if options.adds_to_captions:
        recipe = options.recipe(model)
        return [t for t in targets if not _has_been_added(t, recipe, written)] or MADE_ALREADY
    if existing is Existing.SKIP:
        return [target for target in targets if not _has_caption(target)] or HAS_CAPTION
    named = options.replaces_edited
    is_named = picture.name in named or str(picture) in named
    chosen: list[Target] = []
    why = HAS_NO_CAPTION if existing is Existing.STALE else HAS_CAPTION
    for target in targets:
        data = _held(target)
        last = written.get(target.key, _NOT_WRITTEN).holding(data)
        is_ours = last.fingerprint == sidecar.fingerprint(data)
        is_edited = last.fingerprint and not is_ours and not is_named
        # A person names images before a run begins; what is newer they wrote after that.
        is_newer = not is_ours and target.is_newer(began)
        if data is not None and (is_edited or is_newer):
            why = EDITED
        elif existing is Existing.REPLACE or (existing is Existing.GENERATED and is_named):
            chosen.append(target)
        elif existing is Existing.GENERATED:
            if data is None or is_ours or not caption_at(target):
                chosen.append(target)
            else:
                why = NOT_OURS
        elif data is not None and not last.fingerprint:
            why = NOT_OURS
        elif data is not None and last.recipe == options.recipe(model):
            why = MADE_ALREADY
        elif data is not None:
            chosen.append(target)
    return chosen or why


def _held(target: Target) -> bytes | None:
    """Returns what is stored there; a row without a caption is like none. Raises StoreError."""
    data = target.content()
    return None if target.row and not data else data


def _has_been_added(target: Target, recipe: str, written: Mapping[str, WrittenFile]) -> bool:
    """Returns whether the file is as a run has left it that added a caption of this recipe.
    Raises StoreError."""
    last = written.get(target.key, _NOT_WRITTEN)
    if recipe not in last.recipes:
        return False
    return last.fingerprint == sidecar.fingerprint(target.content())
