"""Pixels of any mode become eight-bit RGB in sRGB, as an image viewer shows them."""

from __future__ import annotations

import io
import math

import numpy as np
from PIL import Image, ImageCms


def plain(band: Image.Image) -> Image.Image:
    """In one of the modes L, LA, RGB, RGBA, CMYK and LAB."""
    match band.mode:
        case "I;16" | "I;16L" | "I;16B" | "I;16N" | "I" | "F":
            return _eight_bits(band)
        case "1" | "L" | "RGB" | "P" if "transparency" in band.info:
            return band.convert("RGBA")
        case "1":
            return band.convert("L")
        case "P":
            return band.convert("RGBA" if band.palette and "A" in band.palette.mode else "RGB")
        case "PA" | "RGBa":
            return band.convert("RGBA")
        case "La":
            return band.convert("LA")
        case "L" | "LA" | "RGB" | "RGBA" | "CMYK" | "LAB":
            return band
    return band.convert("RGB")


def _eight_bits(band: Image.Image) -> Image.Image:
    """Grey of more than eight bits, scaled and never clipped.

    The range is 16 bits, or 0 to 1 for floating point; when the values lie outside of that,
    it is theirs, as scientific viewers have it.
    """
    values = np.asarray(band)
    if band.mode.startswith("I;16"):
        low, high = 0.0, 65535.0
    else:
        values = np.nan_to_num(values.astype(np.float64))
        low, high = band.info.get("extremes", (0, 0))
        top = 1.0 if band.mode == "F" else 65535.0
        if not (math.isfinite(low) and math.isfinite(high)):
            low, high = float(values.min()), float(values.max())
        if low >= 0 and high <= top:
            low, high = 0.0, top
    scaled = (values - low) * (255 / max(high - low, 1e-12))
    grey = Image.fromarray(np.clip(np.rint(scaled), 0, 255).astype(np.uint8))
    clear = band.info.get("transparency")
    if isinstance(clear, int):
        grey.putalpha(Image.fromarray(np.where(values == clear, 0, 255).astype(np.uint8)))
    return grey


_PROFILED_MODES = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK", "Lab": "LAB"}


def on_white(image: Image.Image, profile: bytes | None) -> tuple[Image.Image, bool]:
    """RGB in sRGB, see-through parts white; and whether the profile could be read."""
    alpha = image.getchannel("A") if image.mode in ("LA", "RGBA") else None
    colour = image.convert(image.mode.removesuffix("A")) if alpha else image
    is_good = True
    if colour.mode == "LAB":
        lab = ImageCms.createProfile("LAB")
        colour = _in_srgb(colour, ImageCms.ImageCmsProfile(lab))
    elif profile:
        try:
            colour = _in_srgb(colour, ImageCms.ImageCmsProfile(io.BytesIO(profile)))
        except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
            is_good = False
    if colour.mode != "RGB":
        colour = colour.convert("RGB")
    if alpha is None:
        # Of what a file's own object holds, not a copy: that would take as long as decoding.
        return Image.Image()._new(colour.im), is_good
    white = Image.new("RGB", colour.size, "white")
    white.paste(colour, mask=alpha)
    return white, is_good


def _in_srgb(colour: Image.Image, profile: ImageCms.ImageCmsProfile) -> Image.Image:
    """By the profile, perceptually; unchanged when the profile is for other colours than these."""
    space = profile.profile.xcolor_space  # pyright: ignore[reportAttributeAccessIssue]
    mode = _PROFILED_MODES.get(space.strip(), "")
    if mode == "RGB" and colour.mode == "L":
        colour = colour.convert("RGB")
    if mode != colour.mode:
        return colour
    srgb = ImageCms.createProfile("sRGB")
    transform = ImageCms.buildTransform(profile, srgb, mode, "RGB", ImageCms.Intent.PERCEPTUAL)
    if mode == "RGB" and _changes_nothing(transform):
        return colour
    changed = ImageCms.applyTransform(colour, transform)
    assert changed is not None  # Only in place it gives None.
    return changed


def _changes_nothing(transform: ImageCms.ImageCmsTransform) -> bool:
    """Whether the profile is sRGB itself, as most are; going through it would cost exactness."""
    steps = np.arange(0, 256, 15, dtype=np.uint8)
    cube = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(-1, len(steps), 3)
    changed = ImageCms.applyTransform(Image.fromarray(cube), transform)
    return int(np.abs(np.asarray(changed).astype(int) - cube).max()) <= 2
