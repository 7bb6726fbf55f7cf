"""Which caption files belong to an image: the names of new ones, and how existing ones are found.

Existing files are found whatever the case of their suffix (a.TXT, B.jpg.xmp for B.JPG) and in
either Unicode normal form, as after copying from a Mac. An XMP file is named after the stem, as
Adobe's programs do, unless that could be another file's too; then after the whole name, as
darktable and digiKam do.
"""

from __future__ import annotations

import os
import re
import stat
import threading
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from string import ascii_letters
from unicodedata import normalize

from core.captions import xmp
from core.captions.encoding import UnknownEncoding, decoded
from core.captions.formats import TEXT_FORMATS, CaptionFormat
from core.captions.sidecar import NAME, STEM, filled_name
from core.errors import StoreError
from core.files import is_link, read_regular
from core.picture import PICTURE_SUFFIXES

_CAPTION_SUFFIXES = (".txt", ".caption", ".xmp")
# fmt: off
# Other files that have XMP sidecars, which Adobe's programs name after the stem.
_MEDIA_SUFFIXES = frozenset((
    *PICTURE_SUFFIXES, ".3fr", ".arw", ".avi", ".cr2", ".cr3", ".crw", ".dng", ".erf", ".iiq",
    ".jp2", ".jxl", ".kdc", ".m4v", ".mov", ".mp4", ".mrw", ".nef", ".nrw", ".orf", ".pef", ".psb",
    ".psd", ".raf", ".raw", ".rw2", ".rwl", ".sr2", ".srf", ".srw", ".tga", ".x3f",
))
# fmt: on
_OTHER_CASE = str.maketrans(ascii_letters, ascii_letters.swapcase())
# A byte order mark and a line end: smaller files must be read to know whether they are blank.
_BLANK_BYTES = 5


class CaptionNames:
    """Names the caption files of images, and finds those that exist.

    `pattern` is that of their names, without the suffix; `writes` are their formats, of which
    tables are ignored. `pictures` are all images, and `roots` the folders that links may lead to.
    Lists each folder once, and looks at single files afterwards. May be used from any thread.
    """

    def __init__(
        self,
        pattern: str,
        writes: Iterable[CaptionFormat],
        roots: Iterable[Path] = (),
        pictures: Sequence[Path] = (),
    ):
        writes = tuple(writes)
        self._pattern = pattern
        self._text_formats = tuple(one for one in TEXT_FORMATS if one in writes)
        self._has_xmp = CaptionFormat.XMP in writes
        self._roots = [os.path.realpath(root) for root in roots]
        self._unusual: dict[str, list[str]] = {}
        for picture in pictures:
            folder, name = os.path.split(str(picture))
            if _suffix(name).lower() not in _MEDIA_SUFFIXES:
                self._unusual.setdefault(folder, []).append(name)
        self._folders: dict[str, _Folder] = {}
        self._listing: tuple[str, frozenset[str]] = "", frozenset()
        self._lock = threading.Lock()

    def targets(self, picture: Path) -> list[Path]:
        """Returns the files beside `picture` that get its caption, whether they exist or not.

        A link stands for the caption file inside the folders of the run that it leads to. Any other
        link is returned as it is; reading and writing refuse it.
        """
        folder = self._folder(str(picture.parent))
        paths = [
            self._followed(picture.with_name(folder.found(self._pattern, f".{one}", picture.name)))
            for one in self._text_formats
        ]
        if self._has_xmp:
            paths.append(self._followed(self._xmp(folder, picture)))
        return paths

    def have_text(self, picture: str) -> bool:
        """Returns whether each of an image's text files has text. If unsure it returns False, since
        the run looks again later. Quick if asked about folder by folder."""
        path, name = os.path.split(picture)
        folder = self._folder(path)
        if path != self._listing[0]:
            self._listing = path, frozenset(_names_in(path))
        names = self._listing[1]
        for one in self._text_formats:
            caption = folder.found(self._pattern, f".{one}", name)
            if caption not in names or not _has_text(f"{path}{os.sep}{caption}"):
                return False
        return True

    def file_keys(self, picture: str, *, has_links: bool) -> list[str]:
        """Returns a key for each caption file of an image that another image could have too.

        Images with a key in common would write one file. `has_links` says that caption files of
        the run are links, so that any file could be another image's.
        """
        path, name = os.path.split(picture)
        folder = self._folder(path)
        if has_links:
            targets = map(str, self.targets(Path(picture)))
            return [self._folder(where).file_key(one) for where, one in map(os.path.split, targets)]
        names = [folder.found(self._pattern, f".{one}", name) for one in self._text_formats]
        if self._has_xmp and (self._pattern != STEM or folder.is_shared(name)):
            names.append(self._xmp(folder, Path(picture)).name)
        return [folder.file_key(one) for one in names]

    def has_links(self, folder: str) -> bool:
        """Returns whether a caption file in a folder is a link."""
        return self._folder(folder).has_links

    def _xmp(self, folder: _Folder, picture: Path) -> Path:
        if self._pattern != STEM:
            return picture.with_name(folder.found(self._pattern, ".xmp", picture.name))
        by_name = picture.with_name(folder.found(NAME, ".xmp", picture.name))
        if os.path.lexists(by_name):
            return by_name
        by_stem = self._followed(picture.with_name(folder.found(STEM, ".xmp", picture.name)))
        if extension := self._extension_in(by_stem):
            return by_stem if extension == picture.suffix[1:].lower() else by_name
        return by_name if folder.is_shared(picture.name) else by_stem

    def _extension_in(self, path: Path) -> str:
        """Returns the extension of the image that an XMP file says it belongs to."""
        try:
            if is_link(path):
                return ""
            data = read_regular(path, most=xmp.LARGEST)
            is_said = b"SidecarForExtension" in data.replace(b"\0", b"")
            return xmp.read(data).extension.lower() if is_said else ""
        except (OSError, StoreError):
            return ""

    def _followed(self, path: Path) -> Path:
        if not is_link(path):
            return path
        real = Path(os.path.realpath(path))
        folders = (os.path.realpath(path.parent), *self._roots)
        is_inside = any(real.is_relative_to(folder) for folder in folders)
        is_caption = real.suffix.lower() == path.suffix.lower() and not is_link(real)
        return real if is_inside and is_caption else path

    def _folder(self, path: str) -> _Folder:
        with self._lock:
            if path not in self._folders:
                self._folders[path] = _listed(path, self._pattern, self._unusual.get(path, ()))
            return self._folders[path]


@dataclass(frozen=True)
class _Folder:
    """What must be known of a folder beyond whether single files exist.

    `shared` are the stems of several media files, `twins` the names that several have, by `_loose`.
    `others` are the caption files that no image has by its exact name, by `_loose`. `images` are
    those whose name ends unlike an image's, by `_loose`.
    """

    path: str
    real_path: str
    folds_case: bool
    shared: frozenset[str]
    twins: frozenset[str]
    others: dict[str, list[str]]
    images: frozenset[str]
    has_links: bool

    def key(self, name: str) -> str:
        """Returns what two names have in common that are one on this disk, or look alike."""
        return _loose(name) if self.folds_case else _composed(name)

    def file_key(self, name: str) -> str:
        """Returns what two paths of one file have in common, also through a link to its folder."""
        return self.key(f"{self.real_path}{os.sep}{name}")

    def is_shared(self, picture: str) -> bool:
        """Returns whether another file could have the XMP file that is named after the stem."""
        return self.key(_stem(picture)) in self.shared

    def found(self, pattern: str, suffix: str, picture: str) -> str:
        """Returns the name of an image's caption file: of the one there is, or of a new one.

        It is never an image's own name, as that of an image which is called a.txt.
        """
        wanted = filled_name(pattern, picture) + suffix
        name = self._alike(wanted, pattern, suffix, picture) if self.others else wanted
        return picture + suffix if self.images and _loose(name) in self.images else name

    def _alike(self, wanted: str, pattern: str, suffix: str, picture: str) -> str:
        """Returns the name of a caption file that differs from the one wanted in the case of
        suffixes or in its normal form, if that is the only one of these files."""
        candidates = self.others.get(_loose(wanted))
        if not candidates or os.path.lexists(f"{self.path}{os.sep}{wanted}"):
            return wanted
        if _loose(picture) in self.twins:
            return wanted
        expression = _expression(_composed(pattern), suffix, _composed(picture))
        flags = re.IGNORECASE if self.folds_case else re.NOFLAG
        alike = (one for one in candidates if re.fullmatch(expression, _composed(one), flags))
        return next(alike, wanted)


def _listed(path: str, pattern: str, unusual: Iterable[str]) -> _Folder:
    names: list[str] = []
    has_links = False
    try:
        with os.scandir(path or os.curdir) as entries:
            for entry in entries:
                names.append(entry.name)
                is_caption = entry.name.lower().endswith(_CAPTION_SUFFIXES)
                has_links = has_links or (is_caption and entry.is_symlink())
    except OSError:
        names = []
    folds_case = _folds_case(path, names)
    key = _loose if folds_case else _composed
    media = {name for name in names if _suffix(name).lower() in _MEDIA_SUFFIXES}.union(unusual)
    keys = {key(name) for name in media}
    stems = Counter(key(_stem(name)) for name in media)
    # The XMP file of a.jpg.png that is named after the stem would be that of a.jpg by its name.
    shared = {stem for stem, count in stems.items() if count > 1 or stem in keys}
    twins = Counter(map(_loose, media))
    captions = [name for name in names if name.lower().endswith(_CAPTION_SUFFIXES)]
    return _Folder(
        path,
        os.path.realpath(path),
        folds_case,
        frozenset(shared),
        frozenset(name for name, count in twins.items() if count > 1),
        _others(captions, media, pattern) if captions else {},
        frozenset(map(_loose, unusual)),
        has_links,
    )


def _others(captions: list[str], media: set[str], pattern: str) -> dict[str, list[str]]:
    exact = {_stem(name) for name in media} | media
    if pattern not in (STEM, NAME):
        exact |= {filled_name(pattern, name) for name in media}
    others: dict[str, list[str]] = {}
    for name in sorted(captions):
        is_exact = _suffix(name) in _CAPTION_SUFFIXES and _stem(name) in exact
        if not is_exact and name not in media:
            others.setdefault(_loose(name), []).append(name)
    return others


def _folds_case(path: str, names: Sequence[str]) -> bool:
    """Returns whether the folder's disk takes a.txt and A.TXT for one file."""
    known = set(names)
    swapped = (name.translate(_OTHER_CASE) for name in names)
    other = next((name for name in swapped if name not in known), None)
    return other is not None and os.path.lexists(f"{path}{os.sep}{other}")


def _expression(pattern: str, suffix: str, picture: str) -> str:
    stem, ending = re.escape(_stem(picture)), re.escape(_suffix(picture))
    parts = re.split(r"(\{stem\}|\{name\})", pattern)
    known = {STEM: stem, NAME: f"{stem}(?i:{ending})"}
    return "".join(known.get(part, re.escape(part)) for part in parts) + f"(?i:{suffix})"


def _stem(name: str) -> str:
    """Without the last suffix, as `Path.stem` has it."""
    end = name.rfind(".")
    return name[:end] if end > 0 else name


def _suffix(name: str) -> str:
    end = name.rfind(".")
    return name[end:] if end > 0 else ""


def _composed(name: str) -> str:
    return name if name.isascii() else normalize("NFC", name)


def _loose(name: str) -> str:
    return name.lower() if name.isascii() else normalize("NFC", name).casefold()


def _names_in(folder: str) -> list[str]:
    try:
        return os.listdir(folder or os.curdir)  # noqa: PTH208
    except OSError:
        return []


def _has_text(path: str) -> bool:
    """Returns whether it is a file, and no link, with more in it than white space."""
    try:
        status = os.lstat(path)
        if not stat.S_ISREG(status.st_mode) or status.st_size > _BLANK_BYTES:
            return stat.S_ISREG(status.st_mode)
        return bool(decoded(read_regular(Path(path), most=_BLANK_BYTES)))
    except UnknownEncoding:
        return True
    except OSError:
        return False
