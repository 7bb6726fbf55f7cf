"""The pixels of a picture file: upright, few enough to keep, never all in memory at once."""

from __future__ import annotations

import contextlib
import io
import math
import struct
import sys
import threading
import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import BinaryIO

from PIL import Image, ImageChops, ImageFile

from core.errors import PictureError
from core.picture.colour import on_white, plain
from core.picture.strips import bands_of

LARGEST_PIXELS = 30_000 * 30_000
"""What a file may hold. Above it, a few bytes can claim any amount of memory."""

KEPT_PIXELS = 4096 * 4096
KEPT_SIDE = 16_384
"""What `Picture.pixels` may have: 64 MiB, and a side that every graphics system can show."""

# Above the first, a file is decoded a band at a time where its format allows; above the second
# it is not decoded at all when the format does not allow it.
_BANDED_PIXELS = 64 * 2**20
_DECODED_BYTES = 4 * 2**30
_BAND_PIXELS = 4 * 2**20
_READ_BYTES = 8 * 2**20
_ORIENTATION = 0x0112


# Whatever Pillow's readers and their libraries raise over broken bytes.
_BROKEN = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    LookupError,
    TypeError,
    AttributeError,
    ArithmeticError,
    RuntimeError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
)


_limit_lock = threading.Lock()
_limit_kept: list[int | None] = []


@contextlib.contextmanager
def _without_pillow_limit() -> Iterator[None]:
    """Keep Pillow from refusing giants: `decoded` looks at their size itself.

    Pillow's own limit, 179 megapixels, is one global that its readers look at in several
    places. It is put back when the last thread leaves.
    """
    with _limit_lock:
        _limit_kept.append(_limit_kept[0] if _limit_kept else Image.MAX_IMAGE_PIXELS)
        Image.MAX_IMAGE_PIXELS = None
    try:
        yield
    finally:
        with _limit_lock:
            kept = _limit_kept.pop()
            if not _limit_kept:
                Image.MAX_IMAGE_PIXELS = kept


def _identified(file: BinaryIO, kind: str, title: str) -> ImageFile.ImageFile:
    """The file with its header read and no pixel decoded."""
    heif_reader = _heif_reader(title) if kind == "HEIF" else None
    try:
        return heif_reader(file) if heif_reader else Image.open(file, formats=(kind,))
    except _BROKEN as error:
        raise _damaged(title) from error


def _heif_reader(title: str) -> Callable[[BinaryIO], ImageFile.ImageFile]:
    """pillow-heif, or its twin without encoders, which is what the packaged program carries."""
    with contextlib.suppress(ImportError):
        from pillow_heif import HeifImageFile

        return HeifImageFile
    try:
        from pi_heif import HeifImageFile
    except ImportError as error:
        advice = "install what reads it (pip install pillow-heif) or save it as JPEG."
        if hasattr(sys, "frozen"):  # Nothing can be installed into a packaged program.
            advice = "save it as JPEG."
        raise PictureError(f"{title} is a HEIC picture; {advice}") from error
    return HeifImageFile


def _damaged(title: str) -> PictureError:
    return PictureError(
        f"{title} is cut short or damaged, and nothing of it can be shown; copy or download it"
        " again."
    )


# Decoding


def decoded(
    file: BinaryIO, kind: str, title: str
) -> tuple[Image.Image, list[str], tuple[int, int]]:
    """Pixels, notes for the person, and the file's own (width, height) when upright.

    `kind` is one of `PICTURE_FORMATS`, `title` what errors call the file. Raises PictureError.
    """
    if kind == "ICO":
        for size in _sizes_in_icon(file):
            _refuse_absurd(size, title)
    with _without_pillow_limit(), _identified(file, kind, title) as image:
        size = image.size
        _refuse_absurd(size, title)
        if kind == "TIFF" and _is_camera_raw(image):
            raise PictureError(
                f"{title} is a camera raw file, which Onlooker cannot show; save it as JPEG."
            )
        _scale_clear_grey(image)
        kept = _kept_size(*size)
        bands = None
        if size[0] * size[1] > _BANDED_PIXELS:
            bands = bands_of(image, file, size[1] // kept[1])
        if bands:
            turn = _turn(image.info.get("exif"))
            whole, is_whole = _joined(bands, size, kept)
        else:
            loaded, is_whole = _loaded(image, file, kept, title)
            if kind != "JPEG":  # Some turn it, or choose among sizes, only while they load.
                size = (loaded.width, loaded.height)
                kept = _kept_size(*size)
            turn = _turn(loaded)
            if kind == "JPEG" and kept == loaded.size:
                whole = plain(loaded)
            else:
                whole, _ = _joined(_cut(loaded, loaded.height // kept[1]), loaded.size, kept)
        if not is_whole and _is_blank(whole):
            raise _damaged(title)
        frames = _frames(image) if kind != "JPEG" else 1
        profile = image.info.get("icc_profile")
    if whole.size != kept:
        whole = whole.resize(kept, Image.Resampling.LANCZOS)
    pixels, has_good_profile = on_white(whole, profile)
    if turn is not None:
        pixels = pixels.transpose(turn)
        size = (size[1], size[0]) if turn in _SIDEWAYS else size
    pixels.info = {}
    notes = []
    if not is_whole:
        notes.append("The file is cut short or damaged; this is what could be read of it.")
    if frames > 1:
        notes.append(f"This is the first of {frames} frames.")
    if pixels.size != size:
        notes.append("Shown at {} × {} pixels; the file has {} × {}.".format(*pixels.size, *size))
    if not has_good_profile:
        notes.append("Its colour profile is damaged and was left out.")
    return pixels, notes, size


def _scale_clear_grey(image: ImageFile.ImageFile) -> None:
    """Pillow scales grey of two and four bits to eight, but not the shade that is transparent."""
    clear = image.info.get("transparency")
    rawmode = image.tile[0].args if image.tile else None
    if isinstance(clear, int) and rawmode in ("L;2", "L;4"):
        image.info["transparency"] = clear * {"L;2": 85, "L;4": 17}[str(rawmode)]


def _refuse_absurd(size: tuple[int, int], title: str) -> None:
    width, height = size
    if width * height > LARGEST_PIXELS:
        raise PictureError(
            f"{title} claims {width} × {height} pixels, more than Onlooker opens"
            " (30,000 × 30,000); make it smaller first."
        )


def _sizes_in_icon(file: BinaryIO) -> Iterator[tuple[int, int]]:
    """What each image of it claims. Pillow decodes the largest as soon as it opens an icon."""
    count = int.from_bytes(file.read(6)[4:], "little")
    entries = file.read(16 * count)
    for (offset,) in struct.iter_unpack("<12xI", entries[: len(entries) // 16 * 16]):
        file.seek(offset)
        head = file.read(24)
        if head.startswith(b"\x89PNG"):
            yield int.from_bytes(head[16:20], "big"), int.from_bytes(head[20:24], "big")
        elif len(head) == 24 and head[:4] == b"\x28\0\0\0":
            width, twice_height = struct.unpack("<ii", head[4:12])
            yield abs(width), abs(twice_height) // 2
    file.seek(0)


def _kept_size(width: int, height: int) -> tuple[int, int]:
    scale = min(1.0, math.sqrt(KEPT_PIXELS / (width * height)), KEPT_SIDE / max(width, height))
    return max(1, int(width * scale)), max(1, int(height * scale))


def _loaded(
    image: ImageFile.ImageFile, file: BinaryIO, kept: tuple[int, int], title: str
) -> tuple[Image.Image, bool]:
    """The image with its pixels decoded, and whether they are all there."""
    full = image.size
    if image.format in ("JPEG", "MPO"):
        image.draft(None, kept)
    # In one go: after each block, threads that open others would wait for the interpreter.
    image.decodermaxblock = _READ_BYTES
    if _decoding_bytes(image, full) > _DECODED_BYTES:
        raise PictureError(
            f"{title} needs more than {_DECODED_BYTES >> 30} GB of memory to be decoded; make it"
            " smaller or save it as a plain JPEG first."
        )
    try:
        image.load()
        return image, True
    except _BROKEN as error:
        if image.format in ("JPEG", "MPO"):
            return _loaded_with_an_end(file, kept, title), False
        # Pillow decodes into this before it fails: what was read is there. Its own switch for
        # broken files is one global for all threads.
        if getattr(image, "_im", None) is None:
            raise _damaged(title) from error
        image.tile = []
        return image, False


def _loaded_with_an_end(file: BinaryIO, kept: tuple[int, int], title: str) -> Image.Image:
    """A JPEG that is cut short. Given an end-of-image marker, libjpeg fills up the rest."""
    file.seek(0)
    try:
        image = Image.open(io.BytesIO(file.read() + b"\xff\xd9"), formats=("JPEG",))
        image.draft(None, kept)
        image.load()
    except _BROKEN as error:
        raise _damaged(title) from error
    return image


def _decoding_bytes(image: ImageFile.ImageFile, full: tuple[int, int]) -> int:
    """What Pillow holds while it decodes an image of size `full` to `image.size`."""
    pixel_bytes = {"1": 1, "L": 1, "P": 1, "I;16": 2, "I;16B": 2}.get(image.mode, 4)
    decoding = image.width * image.height * pixel_bytes
    if image.info.get("progressive"):
        # libjpeg keeps two bytes for each coefficient, at full size whatever the draft.
        layers = getattr(image, "layer", [])
        most = max((across * down for _, across, down, _ in layers), default=1)
        samples = sum(across * down / most for _, across, down, _ in layers)
        decoding += int(full[0] * full[1] * samples * 2)
    return decoding


def _is_camera_raw(image: ImageFile.ImageFile) -> bool:
    """Raw files are TIFF whose first image is a thumbnail, with the photograph in a sub-image."""
    tags = getattr(image, "tag_v2", {})
    return 50706 in tags or (tags.get(254) == 1 and 330 in tags)  # DNGVersion; SubIFDs


def _frames(image: ImageFile.ImageFile) -> int:
    try:
        return getattr(image, "n_frames", 1)
    except _BROKEN:
        return 1


def _is_blank(image: Image.Image) -> bool:
    """Whether one colour fills it, as when a reader failed before the first row."""
    first = image.getpixel((0, 0))
    return not ImageChops.difference(image, Image.new(image.mode, image.size, first)).getbbox(
        alpha_only=False
    )


# Upright

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_SIDEWAYS = (
    Image.Transpose.TRANSPOSE,
    Image.Transpose.ROTATE_270,
    Image.Transpose.TRANSVERSE,
    Image.Transpose.ROTATE_90,
)


def _turn(source: Image.Image | bytes | None) -> Image.Transpose | None:
    """What makes it upright, by the EXIF data of a loaded image or the bytes of it."""
    try:
        if isinstance(source, Image.Image):
            exif = source.getexif()
        else:
            exif = Image.Exif()
            exif.load(source or b"")
        return _TURNS.get(exif.get(_ORIENTATION, 1))
    except _BROKEN:
        return None


# Smaller


def _cut(image: Image.Image, rows: int) -> Iterator[Image.Image]:
    """The image in bands of a multiple of `rows`, so that no second whole one is made."""
    step = rows * max(1, _BAND_PIXELS // (image.width * rows))
    extremes = image.getextrema() if image.mode in ("I", "F") else None
    for top in range(0, image.height, step):
        band = image.crop((0, top, image.width, min(top + step, image.height)))
        if extremes:
            band.info["extremes"] = extremes
        yield band


def _joined(
    bands: Iterable[Image.Image], size: tuple[int, int], kept: tuple[int, int]
) -> tuple[Image.Image, bool]:
    """The bands, each shrunk by whole factors towards `kept`, as one image.

    Also whether they reach to the foot of it.
    """
    factors = (size[0] // kept[0], size[1] // kept[1])
    whole, top = None, 0
    for band in bands:
        part = plain(band)
        if factors != (1, 1):
            part = part.reduce(factors)
        if whole is None:
            reduced = (math.ceil(size[0] / factors[0]), math.ceil(size[1] / factors[1]))
            if part.size == reduced:
                return part, True
            whole = Image.new(part.mode, reduced)
        whole.paste(part, (0, top))
        top += part.height
    if whole is None:
        return Image.new("L", kept), False
    return whole, top >= whole.height
