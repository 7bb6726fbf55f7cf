"""Reads captions that other programs wrote, and finds the images that they belong to. Reviews that
an export wrote come with them.

A folder of text or XMP files, or with a `metadata.jsonl` of Hugging Face's; a CSV file, JSON lines,
a JSON object (COCO's, or kohya's with a key for each image), or Parquet.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePath, PurePosixPath, PureWindowsPath
from threading import Event
from typing import Any, cast
from unicodedata import normalize

from core.captions import xmp
from core.captions.cells import text_in
from core.captions.encoding import decoded, plain
from core.captions.table_cells import csv_records
from core.captions.table_rows import TableError
from core.errors import Cancelled, StoreError
from core.files import is_folder, read_bytes
from core.message import translatable
from core.workspace.data import ReviewState
from core.workspace.export.parquet import parquet_records
from core.workspace.export.reviews import REVIEWS, Contents, review_in

_NAMES = ("file_name", "filename", "file", "image", "image_path", "path", "picture", "name")
_CAPTIONS = ("caption", "text", "description", "prompt", "alt_text", "label")
_TEXTS = (".txt", ".caption")
# A byte that is no Unicode, as an export writes what Python makes of it.
_ESCAPED = re.compile(r"[\\%]u(dc[89a-f][0-9a-f])")
# Where `datasets` looks for captions in a folder of images.
_METADATA = ("metadata.jsonl", "metadata.csv", "metadata.parquet")
_LARGEST = 1_000_000_000
_LARGEST_TEXT = 4_000_000


@dataclass(frozen=True)
class ReadCaption:
    """A caption, and what the file calls its image: a name, a path, or either without suffix. None
    stands for no caption beside a `review`; the `fingerprint` is "" if the file has none."""

    name: str
    caption: str | None
    review: ReviewState | None = None
    fingerprint: str = ""


@dataclass(frozen=True)
class Matches:
    """Captions and reviews by image. `unknown` are the names for which there is no image, `unclear`
    those that several images have."""

    captions: Mapping[Path, str] = field(default_factory=dict[Path, str])
    reviews: Mapping[Path, ReviewState] = field(default_factory=dict[Path, ReviewState])
    unknown: tuple[str, ...] = ()
    unclear: tuple[str, ...] = ()


def read_captions(path: Path, stop: Event | None = None) -> list[ReadCaption]:
    """Returns the captions in a file; or in the text files of a folder and its subfolders, or else
    in its `metadata.jsonl`, or else in its XMP files. Raises StoreError, which names the file, and
    Cancelled once `stop` is set."""
    if is_folder(path):
        return _all_in_folder(path, stop)
    readers: dict[str, Callable[[Path], Iterable[ReadCaption]]] = {
        ".csv": _in_csv,
        ".tsv": _in_csv,
        ".jsonl": _in_json_lines,
        ".ndjson": _in_json_lines,
        ".json": _in_json,
        ".parquet": _in_parquet,
    }
    reader = readers.get(path.suffix.lower())
    if reader is None:
        text = translatable(
            "core", "“{name}” has no format that captions are read from. Choose from {formats}."
        )
        raise StoreError(text.format(name=path.name, formats=", ".join(readers)))
    try:
        found = [_as_stored(one) for one in until_stopped(reader(path), stop)]
    except (ValueError, RecursionError, TableError) as error:
        text = translatable("core", "“{name}” is damaged ({reason}). Save it again.")
        reason = error.reason if isinstance(error, TableError) else error
        raise StoreError(text.format(name=path.name, reason=reason)) from error
    if not found:
        text = translatable(
            "core",
            "“{name}” has no captions: a column such as {caption} and one such as {file} are "
            "needed. Rename its columns.",
        )
        raise StoreError(text.format(name=path.name, caption=_CAPTIONS[0], file=_NAMES[0]))
    return found


def _all_in_folder(folder: Path, stop: Event | None) -> list[ReadCaption]:
    if found := list(until_stopped(_in_folder(folder), stop)):
        return found
    for name in _METADATA:
        if (folder / name).is_file():
            return read_captions(folder / name, stop)
    if found := list(until_stopped(_in_xmp_files(folder), stop)):
        return found
    text = translatable(
        "core",
        "“{name}” has no captions: text files, {table} or XMP files are needed. Choose another "
        "folder.",
    )
    raise StoreError(text.format(name=folder.name, table=_METADATA[0]))


def until_stopped(found: Iterable[ReadCaption], stop: Event | None) -> Iterator[ReadCaption]:
    """Yields all of them. Raises Cancelled once `stop` is set."""
    for one in found:
        if stop is not None and stop.is_set():
            raise Cancelled(translatable("core", "Reading was cancelled."))
        yield one


def matched(
    found: Iterable[ReadCaption],
    pictures: Sequence[Path],
    root: Path,
    contents: Contents | None = None,
) -> Matches:
    """Finds the image of each caption: by its path from `root`, by its whole path, then by as much
    of the path as is unique, with and without a suffix. The last caption of an image counts.

    With `contents` a fingerprint decides where an image with another content has the path.
    """
    places: dict[tuple[str, ...], set[Path]] = defaultdict(set)
    for picture in pictures:
        parts = _parts(picture.as_posix())
        for names in (parts, (*parts[:-1], _stem(parts[-1]))):
            for count in range(1, len(parts) + 1):
                places[names[-count:]].add(picture)
    known = {_parts(_relative(picture, root)): picture for picture in pictures}
    captions: dict[Path, str] = {}
    reviews: dict[Path, ReviewState] = {}
    unknown: list[str] = []
    unclear: list[str] = []
    for one in found:
        candidates = _named(one.name, known, places)
        if one.fingerprint and contents is not None:
            candidates = _with_content(one.fingerprint, candidates, contents)
        if len(candidates) != 1:
            (unclear if candidates else unknown).append(one.name)
            continue
        (picture,) = candidates
        if one.caption is not None:
            captions[picture] = one.caption
        if one.review is not None:
            reviews[picture] = one.review
    return Matches(captions, reviews, tuple(unknown), tuple(unclear))


def _named(
    name: str,
    known: Mapping[tuple[str, ...], Path],
    places: Mapping[tuple[str, ...], set[Path]],
) -> set[Path]:
    """Returns the images that have a name; one that is not Unicode is escaped."""
    ways = [_parts(one) for one in dict.fromkeys((name, _ESCAPED.sub(_unescaped, name)))]
    whole = next((known[parts] for parts in ways if parts in known), None)
    found = (_candidates(parts, places) for parts in reversed(ways))
    return {whole} if whole is not None else next(filter(None, found), set[Path]())


def _unescaped(escaped: re.Match[str]) -> str:
    return chr(int(escaped[1], 16))


def _with_content(fingerprint: str, candidates: set[Path], contents: Contents) -> set[Path]:
    """Returns those of the candidates that have this content, or else other images with it, or else
    the candidates, which were changed since."""
    same = {path for path in candidates if contents.fingerprint(path) == fingerprint}
    return same or set(contents.images(fingerprint)) or candidates


def _candidates(parts: tuple[str, ...], places: Mapping[tuple[str, ...], set[Path]]) -> set[Path]:
    """Returns the images that have as many of the last parts as some image has."""
    for count in range(len(parts), 0, -1):
        if found := places.get(parts[-count:]):
            return found
    return set()


def _parts(name: str) -> tuple[str, ...]:
    """Returns the parts of a path of any system, as they are compared."""
    is_windows = "\\" in name and "/" not in name
    path = PureWindowsPath(name) if is_windows else PurePosixPath(name)
    name = normalize("NFC", path.as_posix())  # Names from a Mac are written in parts.
    return tuple(part for part in name.split("/") if part not in ("", "."))


def _relative(picture: Path, root: Path) -> str:
    try:
        return picture.relative_to(root).as_posix()
    except ValueError:
        return picture.as_posix()


def _stem(name: str) -> str:
    return PurePath(name).stem


def _in_folder(folder: Path) -> Iterator[ReadCaption]:
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in _TEXTS and path.is_file() and not path.name.startswith("."):
            name = path.relative_to(folder).with_suffix("").as_posix()
            yield ReadCaption(name, decoded(read_bytes(path, most=_LARGEST_TEXT), path.name))
    if (reviews := folder / REVIEWS).is_file():
        found = (replace(one, caption=None) for one in _in_csv(reviews))
        yield from (one for one in found if one.review is not None)


def _in_xmp_files(folder: Path) -> Iterator[ReadCaption]:
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() == ".xmp" and path.is_file() and not path.name.startswith("."):
            read = xmp.read(read_bytes(path, most=xmp.LARGEST), path.name)
            if read.description:
                yield ReadCaption(
                    path.relative_to(folder).with_suffix("").as_posix(), plain(read.description)
                )


def _as_stored(found: ReadCaption) -> ReadCaption:
    """Returns a caption as it is once it was written and read: one with other line ends or with
    blanks around it is the same caption."""
    caption = found.caption
    return found if caption is None else replace(found, caption=plain(caption))


def _in_csv(path: Path) -> Iterator[ReadCaption]:
    for values in csv_records(_text(path)):
        yield from _in_record({key: text_in(value) for key, value in values.items()})


def _in_json_lines(path: Path) -> Iterator[ReadCaption]:
    for line in _text(path).split("\n"):  # A caption may hold other line ends, such as U+2028.
        if line.strip():
            yield from _in_record(json.loads(line))


def _in_json(path: Path) -> Iterator[ReadCaption]:
    content = json.loads(_text(path))
    if isinstance(content, list):
        for record in cast("list[Any]", content):
            yield from _in_record(record)
        return
    if not isinstance(content, dict):
        return
    values = cast("dict[str, Any]", content)
    if isinstance(values.get("annotations"), list) and isinstance(values.get("images"), list):
        yield from _in_coco(values["images"], values["annotations"])
        return
    for name, value in values.items():
        # kohya's scripts write an object with a caption, tags or both; others the caption itself.
        if isinstance(value, str):
            yield ReadCaption(name, value)
        elif isinstance(value, dict):
            record = cast("dict[str, Any]", value)
            parts = [record.get(key) for key in ("caption", "tags")]
            if text := ", ".join(part for part in parts if isinstance(part, str) and part):
                yield ReadCaption(name, text)


def _in_coco(images: list[Any], annotations: list[Any]) -> Iterator[ReadCaption]:
    # As text: whatever stands there in a file of others, a list too, is a key.
    names = {str(image.get("id")): image.get("file_name") for image in _objects(images)}
    captions: dict[str, list[str]] = {}
    for one in _objects(annotations):
        name, caption = names.get(str(one.get("image_id"))), one.get("caption")
        if isinstance(name, str) and isinstance(caption, str):
            captions.setdefault(name, []).append(caption.strip())
    # COCO has five captions for an image; a caption file has them on lines of their own.
    return (ReadCaption(name, "\n".join(texts)) for name, texts in captions.items())


def _objects(values: list[Any]) -> list[dict[str, Any]]:
    return [cast("dict[str, Any]", value) for value in values if isinstance(value, dict)]


def _in_parquet(path: Path) -> Iterator[ReadCaption]:
    for record in parquet_records(path):
        yield from _in_record(record)


def _in_record(record: Any) -> Iterator[ReadCaption]:
    if not isinstance(record, dict):
        return
    values = {key.strip().lower(): value for key, value in cast("dict[str, Any]", record).items()}
    for key, value in list(values.items()):
        if isinstance(value, dict):  # An image of `datasets` has its path inside.
            values[key] = cast("dict[str, Any]", value).get("path")
    name = next((values[key] for key in _NAMES if isinstance(values.get(key), str)), None)
    caption = next((values[key] for key in _CAPTIONS if isinstance(values.get(key), str)), None)
    review = review_in(values.get("review"))
    if review is not None:
        caption = caption or None  # It may be there for its review alone.
    if name and (caption is not None or review is not None):
        mark = values.get("fingerprint")
        yield ReadCaption(name, caption, review, mark if isinstance(mark, str) else "")


def _text(path: Path) -> str:
    data = read_bytes(path, most=_LARGEST)
    if data is None:
        text = translatable("core", "“{name}” is no longer there. Choose another file.")
        raise StoreError(text.format(name=path.name))
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return decoded(data, path.name)
