"""A picture made small, for lists: a JPEG is decoded at a fraction of its size."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from core.picture.budget import BUDGET, decoding_bytes
from core.picture.colour import on_white, plain
from core.picture.decode import LARGEST_PIXELS
from core.picture.endless import refuse_endless
from core.picture.format import PictureFormat
from core.picture.jpeg_markers import undecodable_kind
from core.picture.opening import Picture, open_picture, opened, printable
from core.picture.orientation import SIDEWAYS, upright_turn
from core.picture.reading import prepare, read_header, read_pixels, without_pillow_limit
from core.picture.recognition import recognise


def open_small(path: Path, side: int) -> Image.Image:
    """Returns the whole upright picture in RGB, at most `side` pixels high and wide.

    Raises PictureError, and may be called from any thread.
    """
    pixels = (open_reduced_jpeg(path, side) or open_picture(path)).pixels
    width, height = pixels.size
    scale = side / max(width, height)
    if scale >= 1:
        return pixels
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return pixels.resize(size, Image.Resampling.LANCZOS, reducing_gap=2.0)


def open_reduced_jpeg(path: Path, side: int, content: bytes | None = None) -> Picture | None:
    """Returns the picture at the smallest size that decoding gives above twice `side`; None for
    what is no plain JPEG, is damaged, or is too large. `content` is the file's, if it was read
    already. Raises PictureError."""
    title = f"“{printable(path.name)}”"
    with opened(content or path, title) as file:
        is_plain = recognise(file) is PictureFormat.JPEG and not undecodable_kind(file)
        if not is_plain:
            return None
        refuse_endless(file, PictureFormat.JPEG, title)
        with without_pillow_limit(), read_header(file, PictureFormat.JPEG, title) as image:
            full = image.size
            if full[0] * full[1] > LARGEST_PIXELS:
                return None
            scale = min(1.0, 2 * side / max(full))
            kept = max(1, int(full[0] * scale)), max(1, int(full[1] * scale))
            prepare(image, kept)
            with BUDGET.taken(decoding_bytes(image, PictureFormat.JPEG, full, kept), title):
                loaded, is_complete = read_pixels(image, file, kept, title)
                if not is_complete:
                    return None
                turn = upright_turn(loaded)
                profile = image.info.get("icc_profile")
                pixels, note = on_white(plain(loaded), profile)
    is_as_stored = turn is None and not profile and loaded.mode == "RGB" and pixels.size == full
    if turn is not None:
        pixels = pixels.transpose(turn)
        full = (full[1], full[0]) if turn in SIDEWAYS else full
    notes = (note,) if note else ()
    return Picture(path, pixels, notes, full, is_as_stored=is_as_stored)
