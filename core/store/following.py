"""Which kept conversations are about an image, wherever it was when they were held.

A conversation is about a content: another image that has the name now has none of it, and an image
that was moved or renamed is followed. Of copies the original keeps it, also while its disk is not
connected. What an image looks like decides where its file was written anew at the same place, as
other programs do for keywords.
"""

from __future__ import annotations

import io
import os
import sqlite3
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageChops, ImageStat

from core.captions.folding import findable
from core.errors import PictureError
from core.file_identity import FileIdentity, has_content, identity_of, is_gone, is_respelled
from core.files import is_file
from core.picture import Picture, open_picture
from core.store.rows import (
    identity_from,
    identity_values,
    path_from,
    size_from,
    storable,
    text_from,
    thumbnail,
)

# Conversations about one image.
_MOST_LOOKED_AT = 100
# Images that one that is new may look like.
_MOST_PLACES = 300
# Of one shape, but for what rounding to whole pixels makes of it.
_MOST_STRETCHED = 0.02
# Small copies of the same pixels differ where another version of the encoder has made one. At this
# size a word more or less in a drawing makes a larger difference.
_COMPARED_SIDE, _MOST_DIFFERENCE = 64, 16


@dataclass(frozen=True)
class KeptImage:
    """What is kept of the image of a conversation, whose `id` this is."""

    id: int
    path: Path | None
    original_size: tuple[int, int]
    thumbnail: bytes
    identity: FileIdentity | None

    def is_of(self, picture: Picture) -> bool:
        """Returns whether a picture at the same path is that of the conversation. Decodes the small
        copy if the content is another or not known."""
        if self.has_content_of(picture.identity):
            return True
        return self.original_size == picture.full_size and self._looks_like(picture)

    def has_content_of(self, identity: FileIdentity | None) -> bool:
        """Returns whether a file has the content that the image's file had."""
        known = self.identity
        return bool(known and identity and known.fingerprint == identity.fingerprint)

    def _looks_like(self, picture: Picture) -> bool:
        with suppress(OSError, ValueError):
            kept, now = map(_small, (self.thumbnail, thumbnail(picture.pixels)))
            if kept.size == now.size:
                ranges = ImageStat.Stat(ImageChops.difference(kept, now)).extrema
                return max(most for _, most in ranges) <= _MOST_DIFFERENCE
        return False

    def has_moved_to(self, picture: Picture) -> bool:
        """Returns whether the image, whose content the picture has, is known to be no longer where
        it was. Reads the file that is there now."""
        assert self.path
        assert self.identity
        assert picture.path
        old = os.fspath(self.path)
        if is_respelled(old, os.fspath(picture.path)) or is_gone(old, self.identity.volume):
            return True
        if not is_file(self.path):
            return False
        now = identity_of(self.path)
        if now is None or self.has_content_of(now):
            return False
        with suppress(PictureError):
            return not self.is_of(open_picture(self.path))
        return False


def kept_images(connection: sqlite3.Connection, picture: Picture) -> list[KeptImage]:
    """Returns the images of the conversations about a picture's path, or its content, newest first.
    Raises sqlite3.Error."""
    if picture.path is None or picture.identity is None:
        return []
    sought = {
        "picture_path": os.fsencode(picture.path.absolute()),
        "fingerprint": picture.identity.fingerprint,
    }
    found: dict[int, KeptImage] = {}
    for column, value in sought.items():
        rows = connection.execute(
            "SELECT id, picture_path, width, height, thumbnail, fingerprint, volume"
            f" FROM conversation WHERE {column} = ? ORDER BY changed DESC, id DESC LIMIT ?",
            (value, _MOST_LOOKED_AT),
        )
        for id, path, width, height, small, *identity in rows:
            size = size_from(width), size_from(height)
            small = small if isinstance(small, bytes) else b""
            known = identity_from(*identity)
            found[id] = KeptImage(id, path_from(path), size, small, known)
    return list(found.values())


@dataclass(frozen=True)
class KeptPlace:
    """Where the image of conversations was. `thumbnail` is a JPEG, `volume` that of its file, and
    `ids` are the conversations about that content there."""

    path: Path
    thumbnail: bytes
    volume: bytes
    ids: tuple[int, ...]


def kept_places(connection: sqlite3.Connection, shape: float) -> list[KeptPlace]:
    """Returns where the images of the newest conversations were, the newest first, if their width
    by their height is nearly `shape`. Raises sqlite3.Error."""
    # Not all conversations are looked through, whose thumbnails are large.
    rows = connection.execute(
        "SELECT picture_path, thumbnail, fingerprint, volume FROM conversation WHERE id IN"
        " (SELECT id FROM conversation ORDER BY changed DESC LIMIT ?)"
        " AND picture_path IS NOT NULL AND height > 0"
        " AND abs(width * 1.0 / height / ? - 1) <= ? ORDER BY changed DESC",
        (_MOST_PLACES, shape, _MOST_STRETCHED),
    ).fetchall()
    found: dict[tuple[object, object], KeptPlace] = {}
    for path, small, fingerprint, volume in rows:
        place, known = path_from(path), identity_from(fingerprint, volume)
        if place is None or known is None or not isinstance(small, bytes):
            continue
        if (path, fingerprint) not in found:
            ids = connection.execute(
                "SELECT id FROM conversation WHERE picture_path = ? AND fingerprint = ?",
                (path, fingerprint),
            )
            numbers = tuple(id for (id,) in ids)
            found[path, fingerprint] = KeptPlace(place, small, known.volume, numbers)
    return list(found.values())


def give(connection: sqlite3.Connection, ids: Sequence[int], picture: Picture) -> None:
    """Makes these conversations those about a picture. Raises sqlite3.Error."""
    if picture.path is None:
        return
    path, name = os.fsencode(picture.path.absolute()), storable(picture.name)
    with connection:
        for id in ids:
            row = connection.execute(
                "SELECT picture_name, words FROM conversation WHERE id = ?", (id,)
            ).fetchone()
            if row is None:
                continue
            # What is searched begins with the name.
            old, words = text_from(row[0]), text_from(row[1])
            if words.startswith(findable(old)):
                words = findable(name) + words[len(findable(old)) :]
            connection.execute(
                "UPDATE conversation SET picture_path = ?, picture_name = ?, words = ?,"
                " fingerprint = ?, volume = ? WHERE id = ?",
                (path, name, words, *identity_values(picture), id),
            )


def followed(picture: Picture, kept: Sequence[KeptImage]) -> list[int]:
    """Returns which of the conversations with images at the picture's path, or of its content, are
    about it and do not say so yet. Reads files, so it may take as long as a disk is away."""
    if picture.path is None or picture.identity is None:
        return []
    here = [one for one in kept if one.path == picture.path]
    same = [one for one in kept if one.path and one.has_content_of(picture.identity)]
    if any(one.path == picture.path for one in same):
        return []
    name = picture.path.name
    same.sort(key=lambda one: bool(one.path and one.path.name != name))
    for one in same:
        assert one.path
        # Of equal images in a folder that was moved, each has its own conversation.
        namesake = picture.path.with_name(one.path.name)
        is_taken = namesake != picture.path and has_content(
            os.fspath(namesake), picture.identity.fingerprint
        )
        if not is_taken and one.has_moved_to(picture):
            return [other.id for other in same if other.path == one.path]
    return [one.id for one in here if one.is_of(picture)]


def _small(encoded: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(encoded), formats=("JPEG",)).convert("RGB")
    image.thumbnail((_COMPARED_SIDE, _COMPARED_SIDE), Image.Resampling.BOX)
    return image
