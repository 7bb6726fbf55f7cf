"""Decodes a picture file: upright, in sRGB, small enough to keep, never all in memory at once."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, BinaryIO

from PIL import Image, ImageChops, ImageFile

from core.errors import PictureError
from core.message import translatable
from core.picture.budget import BUDGET, claimed_bytes, decoding_bytes, reducing_bytes
from core.picture.colour import on_white, plain
from core.picture.endless import MOST_PAGES, frame_count, refuse_endless
from core.picture.format import PictureFormat, name_of
from core.picture.jpeg_markers import undecodable_kind
from core.picture.jxl import can_open_jxl, jxl_size
from core.picture.orientation import SIDEWAYS, turn_of, upright_turn
from core.picture.previews import find_preview, has_merged_pixels
from core.picture.reading import (
    damaged,
    prepare,
    read_header,
    read_pixels,
    scale_transparent_grey,
    sizes_in_icon,
    without_pillow_limit,
)
from core.picture.reduction import cut, join_reduced, kept_size
from core.picture.strips import read_strips, strip_bytes
from core.picture.tga import with_meant_alpha

LARGEST_PIXELS = 30_000 * 30_000
"""The most pixels a file may have. Without it, a few bytes could claim any amount of memory."""

if TYPE_CHECKING:
    from core.picture.tiff_layout import SampleLayout

# Above this, a file is decoded strip by strip if its format allows that.
_STRIPWISE_PIXELS = 64 * 2**20


@dataclass(frozen=True, eq=False)
class Decoded:
    """The content of a picture file.

    `pixels` are upright RGB in sRGB, `notes` sentences for the person, and `original_size` is the
    (width, height) of the file when upright.
    """

    pixels: Image.Image
    notes: tuple[str, ...]
    original_size: tuple[int, int]


@dataclass(frozen=True, eq=False)
class _Stored:
    """The pixels as the file stores them, reduced to the size to keep; `turn` makes them upright.

    `full_size` is the (width, height) of the file before either.
    """

    pixels: Image.Image
    full_size: tuple[int, int]
    turn: Image.Transpose | None
    is_complete: bool


def decode(
    file: BinaryIO, picture_format: PictureFormat, title: str, orientation: int = 1
) -> Decoded:
    """Decodes `file`, an open file of format `picture_format`; errors call it `title`.

    `orientation` is that of a picture whose own EXIF data has none. Waits while other threads
    decode as much as memory is meant to hold. Raises PictureError if the file cannot be shown, and
    MemoryError if there is too little memory.
    """
    is_raw = picture_format is PictureFormat.CAMERA_RAW
    if is_raw or (picture_format is PictureFormat.PSD and not has_merged_pixels(file)):
        return _decode_preview(file, picture_format, title)
    refuse_endless(file, picture_format, title)
    if picture_format is PictureFormat.JPEG and (kind := undecodable_kind(file)):
        raise PictureError(
            translatable(
                "core",
                "{image} is a kind of JPEG that Onlooker cannot read ({kind}). Save it as a plain "
                "JPEG.",
            ).format(image=title, kind=kind)
        )
    if picture_format is PictureFormat.TIFF:
        # It imports numpy, which takes a tenth of a second: the window's start would wait for it.
        from core.picture.tiff_layout import sample_layout

        if layout := sample_layout(file, title):
            return _decode_samples(file, layout, title, orientation)
    early = _decoded_at_opening(file, picture_format, title)
    with (
        without_pillow_limit(),
        BUDGET.taken(early, title),
        read_header(file, picture_format, title) as image,
    ):
        _refuse_absurd(image.size, title)
        scale_transparent_grey(image)
        full = image.size
        strips = _strips_of(image, file)
        needed = _needed_bytes(image, picture_format, in_strips=strips is not None)
        with BUDGET.taken(0 if early else needed, title):
            if strips is not None:
                stored = _read_strips(image, strips, orientation)
            else:
                stored = _read_whole(image, file, picture_format, title, full, orientation)
            if not stored.is_complete and _is_blank(stored.pixels):
                raise damaged(title)
            frames = frame_count(image, file, picture_format)
            pixels, profile_note = on_white(stored.pixels, image.info.get("icc_profile"))
    return _upright(stored, pixels, frames, profile_note)


def _decode_samples(file: BinaryIO, layout: SampleLayout, title: str, orientation: int) -> Decoded:
    """Decodes a TIFF whose samples Pillow does not know."""
    from core.picture.tiff_samples import page_count, read_samples

    _refuse_absurd((layout.width, layout.height), title)
    image, own_orientation, is_complete = read_samples(file, layout, title)
    kept = kept_size(*image.size)
    reduced, _ = join_reduced(cut(image, image.height // kept[1]), image.size, kept)
    turn = turn_of(own_orientation if own_orientation > 1 else orientation)
    stored = _Stored(_fitted(reduced, kept), image.size, turn, is_complete)
    pixels, profile_note = on_white(stored.pixels, image.info.get("icc_profile"))
    return _upright(stored, pixels, page_count(file, MOST_PAGES), profile_note)


def _upright(
    stored: _Stored, pixels: Image.Image, frames: int | None, profile_note: str
) -> Decoded:
    """Turns the pixels and says what was lost."""
    size = stored.full_size
    if stored.turn is not None:
        pixels = pixels.transpose(stored.turn)
        size = (size[1], size[0]) if stored.turn in SIDEWAYS else size
    pixels.info = {}
    notes: list[str] = []
    if not stored.is_complete:
        notes.append(
            translatable(
                "core", "The file is damaged or incomplete. Only a part of it could be read."
            )
        )
    if frames is None:
        notes.append(translatable("core", "This is the first of many frames."))
    elif frames > 1:
        text = translatable("core", "This is the first of {count} frames.")
        notes.append(text.format(count=frames))
    if pixels.size != size:
        text = translatable("core", "Shown at {shown} pixels. The file has {original}.")
        shown, original = (f"{width} × {height}" for width, height in (pixels.size, size))
        notes.append(text.format(shown=shown, original=original))
    if profile_note:
        notes.append(profile_note)
    return Decoded(pixels, tuple(notes), size)


def _decode_preview(file: BinaryIO, picture_format: PictureFormat, title: str) -> Decoded:
    """Decodes the JPEG inside a camera raw file or a Photoshop document."""
    preview = find_preview(file, picture_format)
    if preview is None:
        raise PictureError(
            translatable(
                "core", "{image} has no preview to show ({format}). Save it as JPEG."
            ).format(image=title, format=name_of(picture_format))
        )
    inside = io.BytesIO(preview.read(file))
    decoded = decode(inside, PictureFormat.JPEG, title, preview.orientation)
    width, height = decoded.original_size
    text = translatable("core", "This is the preview in the {format}, {size} pixels.")
    note = text.format(format=name_of(picture_format), size=f"{width} × {height}")
    return replace(decoded, notes=(note, *decoded.notes))


def _decoded_at_opening(file: BinaryIO, picture_format: PictureFormat, title: str) -> int:
    """Returns the bytes of a decoder that decodes as soon as it reads the header; 0 for others."""
    sizes: list[tuple[int, int]] = []
    if picture_format is PictureFormat.ICO:
        sizes = list(sizes_in_icon(file))
    elif picture_format is PictureFormat.JPEG_XL and can_open_jxl():
        size = jxl_size(file)
        if size is None:
            raise damaged(title)
        sizes = [size]
    for size in sizes:
        _refuse_absurd(size, title)
    return max((claimed_bytes(size, picture_format) for size in sizes), default=0)


def _strips_of(image: ImageFile.ImageFile, file: BinaryIO) -> Iterator[Image.Image] | None:
    """The picture strip by strip, if it is large and its format allows that."""
    if image.width * image.height <= _STRIPWISE_PIXELS:
        return None
    return read_strips(image, file, image.height // kept_size(*image.size)[1])


def _needed_bytes(
    image: ImageFile.ImageFile, picture_format: PictureFormat, *, in_strips: bool
) -> int:
    full = image.size
    kept = kept_size(*full)
    if in_strips:
        return strip_bytes(image, full[1] // kept[1]) + reducing_bytes(image, full, kept)
    prepare(image, kept)
    return decoding_bytes(image, picture_format, full, kept)


def _read_strips(
    image: ImageFile.ImageFile, strips: Iterator[Image.Image], orientation: int
) -> _Stored:
    kept = kept_size(*image.size)
    turn = upright_turn(image.info.get("exif"), orientation)
    pixels, is_complete = join_reduced(strips, image.size, kept)
    return _Stored(_fitted(pixels, kept), image.size, turn, is_complete)


def _read_whole(
    image: ImageFile.ImageFile,
    file: BinaryIO,
    picture_format: PictureFormat,
    title: str,
    full: tuple[int, int],
    orientation: int,
) -> _Stored:
    """Decodes a prepared image, which has `full` size in the file, and reduces it."""
    is_jpeg = picture_format is PictureFormat.JPEG
    drawn = image.tile[0][1] if picture_format is PictureFormat.GIF and image.tile else None
    loaded, is_complete = read_pixels(image, file, kept_size(*full), title)
    if not is_jpeg:
        # Some readers turn the image, or choose one of several, only while they load it.
        full = loaded.size
    kept = kept_size(*full)
    loaded = _without_meaningless_alpha(loaded, file, picture_format)
    if drawn is not None and drawn != (0, 0, *loaded.size):
        loaded = _on_clear(loaded, drawn)
    turn = upright_turn(loaded, orientation)
    if is_jpeg and kept == loaded.size:
        pixels = plain(loaded)
    else:
        pixels, _ = join_reduced(cut(loaded, loaded.height // kept[1]), loaded.size, kept)
    return _Stored(_fitted(pixels, kept), full, turn, is_complete)


def _on_clear(image: Image.Image, drawn: tuple[int, int, int, int]) -> Image.Image:
    """Makes everything but the part that a GIF's first frame draws transparent, as browsers do."""
    clear = Image.new("RGBA", image.size)
    clear.paste(image.crop(drawn).convert("RGBA"), drawn[:2])
    return clear


def _fitted(pixels: Image.Image, size: tuple[int, int]) -> Image.Image:
    return pixels if pixels.size == size else pixels.resize(size, Image.Resampling.LANCZOS)


def _without_meaningless_alpha(
    image: Image.Image, file: BinaryIO, picture_format: PictureFormat
) -> Image.Image:
    """Drops an alpha channel that does not mean transparency."""
    if picture_format is PictureFormat.TGA:
        file.seek(0)
        return with_meant_alpha(image, file.read(18))
    if picture_format is PictureFormat.PSD and image.mode == "RGBA":
        # The merged image is on white already; a fourth channel may be any mask.
        return image.convert("RGB")
    return image


def _refuse_absurd(size: tuple[int, int], title: str) -> None:
    width, height = size
    if width * height > LARGEST_PIXELS:
        raise PictureError(
            translatable(
                "core",
                "{image} claims to have {size} pixels, and Onlooker opens at most {most}. Make it "
                "smaller.",
            ).format(image=title, size=f"{width} × {height}", most="30,000 × 30,000")
        )


def _is_blank(image: Image.Image) -> bool:
    """Whether one colour fills it, as when a reader failed before the first row."""
    first = image.getpixel((0, 0))
    return not ImageChops.difference(image, Image.new(image.mode, image.size, first)).getbbox(
        alpha_only=False
    )
