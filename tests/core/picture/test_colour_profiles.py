"""ICC profiles are applied, and broken ones left out."""

import struct

import numpy as np
import pytest
from PIL import Image, ImageCms

from core.picture import open_picture
from tests.core.picture.image_files import assert_two_colours, data_of, two_colours


def swapped_profile():
    """sRGB with red and blue exchanged: the tags that point to the colours trade names."""
    data = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    for at in range(132, 132 + 12 * int.from_bytes(data[128:132], "big"), 12):
        name = bytes(data[at : at + 4])
        data[at : at + 4] = {b"rXYZ": b"bXYZ", b"bXYZ": b"rXYZ"}.get(name, name)
    return bytes(data)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF", "AVIF"])
def test_colour_profile_is_applied(kind):
    exact = {"JPEG": {"quality": 95, "subsampling": 0}, "WEBP": {"lossless": True}}
    image = two_colours(left=(220, 60, 30), right=(30, 60, 220))
    data = data_of(image, kind, icc_profile=swapped_profile(), **exact.get(kind, {}))
    picture = open_picture(data)
    assert_two_colours(picture, (30, 60, 220), (220, 60, 30), 25 if kind == "AVIF" else 12)


def profile_of_red_ink():
    """A press whose cyan ink is red and whose other inks are black: one table, to CIELAB."""
    ramp = bytes(range(256))
    corners = []
    for cyan, *others in np.ndindex(2, 2, 2, 2):
        lab = (0, 128, 128) if any(others) else (138, 209, 198) if cyan else (255, 128, 128)
        corners += lab
    identity = struct.pack(">9i", *(65536 if n % 4 == 0 else 0 for n in range(9)))
    table = (
        b"mft1" + bytes(4) + bytes([4, 3, 2, 0]) + identity + ramp * 4 + bytes(corners) + ramp * 3
    )
    header = bytearray(128)
    header[8:12] = b"\x02\x40\0\0"
    header[12:24] = b"prtrCMYKLab "
    header[36:40] = b"acsp"
    header[68:80] = struct.pack(">3i", 63190, 65536, 54061)
    tags = struct.pack(">I4sII", 1, b"A2B0", 144, len(table))
    header[:4] = struct.pack(">I", 144 + len(table))
    return bytes(header) + tags + table


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_profile_of_a_press_is_applied_to_its_inks(kind):
    image = Image.new("CMYK", (64, 32), (0, 0, 0, 0))
    image.paste((255, 0, 0, 0), (0, 0, 32, 32))
    options = {"quality": 95, "subsampling": 0} if kind == "JPEG" else {}
    data = data_of(image, kind, icc_profile=profile_of_red_ink(), **options)
    assert_two_colours(open_picture(data), (255, 0, 0), (255, 255, 255), 16)


def test_profile_that_is_srgb_changes_no_value():
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    values = np.random.default_rng(1).integers(0, 256, (40, 50, 3), np.uint8)
    picture = open_picture(data_of(Image.fromarray(values), "PNG", icc_profile=srgb))
    assert np.array_equal(np.asarray(picture.pixels), values)


def test_profile_is_applied_beneath_transparency_and_behind_a_palette():
    image = two_colours(left=(220, 60, 30), right=(30, 60, 220)).convert("RGBA")
    image.paste((0, 0, 0, 0), (0, 0, 64, 8))
    picture = open_picture(data_of(image, "PNG", icc_profile=swapped_profile()))
    assert_two_colours(picture, (30, 60, 220), (220, 60, 30), 12)
    assert picture.pixels.getpixel((5, 2)) == (255, 255, 255)
    palette = two_colours(left=(220, 60, 30), right=(30, 60, 220)).quantize(4)
    picture = open_picture(data_of(palette, "PNG", icc_profile=swapped_profile()))
    assert_two_colours(picture, (30, 60, 220), (220, 60, 30), 12)


def test_broken_profile_is_left_out_with_a_note():
    broken = open_picture(data_of(two_colours(), "PNG", icc_profile=b"no profile at all" * 20))
    assert_two_colours(broken, tolerance=0)
    assert broken.notes == ("The colour profile is damaged and was ignored.",)


def profile_for(space: bytes) -> bytes:
    """A profile whose header says that it is for another colour space."""
    srgb = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    srgb[16:20] = space
    return bytes(srgb)


SPACES = {"CMYK": "CMYK", "Lab": "Lab", "GRAY": "greyscale", "RGB": "RGB", "XYZ": "XYZ"}
FITTING = {"RGB": {"RGB"}, "RGBA": {"RGB"}, "P": {"RGB"}, "L": {"GRAY", "RGB"}, "CMYK": {"CMYK"}}


@pytest.mark.parametrize(
    ("mode", "space"),
    [
        (mode, space)
        for mode, fitting in FITTING.items()
        for space in sorted(SPACES.keys() - fitting)
    ],
)
def test_profile_for_another_kind_of_image_is_left_out_with_a_note(mode, space):
    left, right = ((70,) * 3, (180,) * 3) if mode == "L" else ((220, 60, 30), (30, 60, 220))
    image = two_colours(left=left, right=right)
    image = image.quantize(4) if mode == "P" else image.convert(mode)
    kind = "TIFF" if mode == "CMYK" else "PNG"
    picture = open_picture(data_of(image, kind, icc_profile=profile_for(space.ljust(4).encode())))
    assert picture.notes == (f"The colour profile is for {SPACES[space]} images and was ignored.",)
    assert_two_colours(picture, left, right, 3)


def test_profiles_for_grey_and_for_colours_both_fit_grey():
    grey = two_colours(left=(70,) * 3, right=(180,) * 3).convert("L")
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    picture = open_picture(data_of(grey, "JPEG", icc_profile=srgb))
    assert_two_colours(picture, (70,) * 3, (180,) * 3, 2)
    assert picture.notes == ()
