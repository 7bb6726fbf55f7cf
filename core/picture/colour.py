"""Converts pixels of any mode to 8-bit RGB in sRGB, as an image viewer shows them."""

# Pillow leaves the type of a created profile open.
# pyright: reportUnknownMemberType=false

from __future__ import annotations

import io
import math
from typing import Any, Literal, cast

from PIL import Image, ImageChops, ImageCms

from core.message import translatable


def plain(image: Image.Image) -> Image.Image:
    """Returns `image` in one of the modes L, LA, RGB, RGBA, CMYK and LAB.

    Transparency, also that of one palette entry or colour, becomes an alpha channel. For modes "I"
    and "F", `info["extremes"]` may hold the least and greatest value of a picture of which `image`
    is only a strip.
    """
    match image.mode:
        case "I;16" | "I;16L" | "I;16B" | "I;16N" | "I" | "F":
            return _eight_bits(image)
        case "1" | "L" | "RGB" | "P" if "transparency" in image.info:
            return image.convert("RGBA")
        case "1":
            return image.convert("L")
        case "P":
            return image.convert("RGBA" if image.palette and "A" in image.palette.mode else "RGB")
        case "PA" | "RGBa":
            return image.convert("RGBA")
        case "La":
            return image.convert("LA")
        case "L" | "LA" | "RGB" | "RGBA" | "CMYK" | "LAB":
            return image
        case _:
            return image.convert("RGB")


def _eight_bits(image: Image.Image) -> Image.Image:
    """Scales grey of more than eight bits, without clipping it.

    The range is that of 16 bits, or 0 to 1 for floating point. If the values exceed it, it is from
    the least to the greatest of them, as in scientific viewers.
    """
    # It takes a tenth of a second to import, which the window's start would wait for.
    import numpy as np

    values = np.asarray(image)
    if image.mode.startswith("I;16"):
        low, high = 0.0, 65535.0
    else:
        values = np.nan_to_num(values.astype(np.float64))
        low, high = image.info.get("extremes", (0, 0))
        top = 1.0 if image.mode == "F" else 65535.0
        if not (math.isfinite(low) and math.isfinite(high)):
            low, high = float(values.min()), float(values.max())
        if low >= 0 and high <= top:
            low, high = 0.0, top
    scaled = (values - low) * (255 / max(high - low, 1e-12))
    grey = Image.fromarray(np.clip(np.rint(scaled), 0, 255).astype(np.uint8))
    shade = image.info.get("transparency")
    if isinstance(shade, int):
        grey.putalpha(Image.fromarray(np.where(values == shade, 0, 255).astype(np.uint8)))
    return grey


_PROFILED_MODES = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK", "Lab": "LAB"}
_SPACES = {"GRAY": translatable("core", "greyscale"), "Lab": "Lab"}


def on_white(image: Image.Image, profile: bytes | None) -> tuple[Image.Image, str]:
    """Returns `image` as RGB in sRGB on white, and a note if `profile` had to be left out.

    `image` has one of the modes that `plain` returns; `profile` is the file's ICC profile.
    """
    alpha = image.getchannel("A") if image.mode in ("LA", "RGBA") else None
    colour = image.convert(image.mode.removesuffix("A")) if alpha else image
    note: str = ""
    if colour.mode == "LAB":
        colour = _in_srgb(colour, _standard_profile("LAB"))
    elif profile:
        try:
            colour, note = _by_profile(colour, ImageCms.ImageCmsProfile(io.BytesIO(profile)))
        except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
            note = translatable("core", "The colour profile is damaged and was ignored.")
    if colour.mode != "RGB":
        colour = colour.convert("RGB")
    if alpha is None:
        return plain_object(colour), note
    white = Image.new("RGB", colour.size, "white")
    white.paste(colour, mask=alpha)
    return white, note


def _by_profile(colour: Image.Image, profile: ImageCms.ImageCmsProfile) -> tuple[Image.Image, str]:
    """Returns `colour` in sRGB; as it is, with a note, if the profile is for another colour space.

    A profile for RGB fits grey too, and one for grey an RGB image that has only grey.
    """
    space = str(cast("Any", profile.profile).xcolor_space).strip()
    mode = _PROFILED_MODES.get(space)
    if mode == "RGB" and colour.mode == "L":
        colour = colour.convert("RGB")
    elif mode == "L" and colour.mode == "RGB":
        grey = colour.convert("L")
        if ImageChops.difference(grey.convert("RGB"), colour).getbbox() is None:
            colour = grey
    if mode == colour.mode:
        return _in_srgb(colour, profile), ""
    kind = _SPACES.get(space, space) or translatable("core", "other")
    text = translatable("core", "The colour profile is for {kind} images and was ignored.")
    return colour, text.format(kind=kind)


def plain_object(image: Image.Image) -> Image.Image:
    """Returns an `Image.Image` with the same pixels that does not keep the file or its metadata.

    It shares the memory of the pixels, since a copy would take as long as decoding did. Pillow
    offers that only by a private method; should that be gone, the pixels are copied.
    """
    share = getattr(Image.Image(), "_new", None)
    return share(image.im) if share else image.copy()


def _in_srgb(colour: Image.Image, profile: ImageCms.ImageCmsProfile) -> Image.Image:
    """Converts by the profile, which is for the mode of `colour`, with perceptual intent."""
    srgb, mode = _standard_profile("sRGB"), colour.mode
    transform = ImageCms.buildTransform(profile, srgb, mode, "RGB", ImageCms.Intent.PERCEPTUAL)
    if mode == "RGB" and _changes_nothing(transform):
        return colour
    changed = ImageCms.applyTransform(colour, transform)
    assert changed is not None  # It is None only when it works in place.
    return changed


def _standard_profile(name: Literal["LAB", "sRGB"]) -> ImageCms.ImageCmsProfile:
    return ImageCms.ImageCmsProfile(cast("Any", ImageCms.createProfile(name)))


def _changes_nothing(transform: ImageCms.ImageCmsTransform) -> bool:
    """Whether the profile is sRGB itself, as most are: converting would add rounding errors."""
    import numpy as np

    steps = np.arange(0, 256, 15, dtype=np.uint8)
    cube = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(-1, len(steps), 3)
    changed = ImageCms.applyTransform(Image.fromarray(cube), transform)
    return int(np.abs(np.asarray(changed).astype(int) - cube).max()) <= 2
