"""Each pixel mode becomes 8-bit RGB on white."""

import struct

import numpy as np
import pytest
from PIL import Image

from core.picture import open_picture
from tests.core.picture.image_files import (
    BLUE,
    RED,
    assert_two_colours,
    chunk,
    data_of,
    png,
    two_colours,
)


def test_one_bit_is_black_and_white():
    image = two_colours(left=(0, 0, 0), right=(255, 255, 255)).convert("1")
    for kind in ("PNG", "TIFF", "BMP", "PPM"):
        assert_two_colours(open_picture(data_of(image, kind)), (0, 0, 0), (255, 255, 255), 0)


def test_grey_stays_grey():
    image = two_colours(left=(70, 70, 70), right=(180, 180, 180)).convert("L")
    for kind in ("PNG", "TIFF", "JPEG", "BMP", "PPM", "WEBP"):
        assert_two_colours(open_picture(data_of(image, kind)), (70,) * 3, (180,) * 3, 3)


def test_palette_gives_its_colours():
    image = two_colours().quantize(8)
    for kind in ("PNG", "GIF", "TIFF", "BMP"):
        assert_two_colours(open_picture(data_of(image, kind)), tolerance=1)


def test_transparent_colour_of_a_palette_is_white():
    image = two_colours().quantize(8)
    clear = image.getpixel((0, 0))
    for kind in ("PNG", "GIF"):
        data = data_of(image, kind, transparency=clear)
        assert_two_colours(open_picture(data), left=(255, 255, 255), tolerance=1)
    alphas = bytes(128 if index == clear else 255 for index in range(8))
    mixed = tuple((255 + value) // 2 for value in RED)
    assert_two_colours(open_picture(data_of(image, "PNG", transparency=alphas)), left=mixed)


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF", "AVIF", "ICO"])
def test_transparent_parts_are_white(kind):
    image = two_colours().convert("RGBA")
    image.paste((200, 30, 40, 0), (0, 0, 32, 32))
    options = {"WEBP": {"lossless": True}, "AVIF": {"quality": 95}, "ICO": {"sizes": [(64, 32)]}}
    data = data_of(image, kind, **options.get(kind, {}))
    tolerance = 14 if kind == "AVIF" else 1
    assert_two_colours(open_picture(data), left=(255, 255, 255), tolerance=tolerance)


def test_half_transparent_parts_mix_with_white():
    image = two_colours().convert("RGBA")
    image.putalpha(128)
    mixed = [tuple(round((255 * 127 + value * 128) / 255) for value in c) for c in (RED, BLUE)]
    assert_two_colours(open_picture(data_of(image, "PNG")), *mixed, tolerance=1)
    grey = two_colours(left=(0, 0, 0), right=(255, 255, 255)).convert("LA")
    grey.putalpha(128)
    assert_two_colours(open_picture(data_of(grey, "PNG")), (127,) * 3, (255,) * 3, 1)


def test_transparent_colour_of_a_png_without_alpha_is_white():
    image = two_colours()
    clear = data_of(image, "PNG", transparency=RED)
    assert_two_colours(open_picture(clear), left=(255, 255, 255), tolerance=0)
    grey = two_colours(left=(70, 70, 70), right=(180, 180, 180)).convert("L")
    data = data_of(grey, "PNG", transparency=70)
    assert_two_colours(open_picture(data), (255,) * 3, (180,) * 3, 0)
    deep = Image.fromarray(np.asarray(grey).astype(np.uint16) * 257)
    data = data_of(deep, "PNG", transparency=70 * 257)
    assert_two_colours(open_picture(data), (255,) * 3, (180,) * 3, 0)
    two_bits = png(4, 1, 2, 0, [bytes([0b01_01_10_10])], chunk(b"tRNS", struct.pack(">H", 1)))
    assert_two_colours(open_picture(two_bits), (255,) * 3, (170,) * 3, 0)


def test_sixteen_bit_grey_is_scaled_not_clipped():
    values = np.full((32, 64), 180 * 257, np.uint16)
    values[:, :32] = 70 * 257
    little, big = Image.fromarray(values), Image.fromarray(values.astype(">u2"))
    for image in (little, big):
        for kind in ("PNG", "TIFF"):
            assert_two_colours(open_picture(data_of(image, kind)), (70,) * 3, (180,) * 3, 0)
    ppm = b"P5 64 32 65535\n" + values.astype(">u2").tobytes()
    assert_two_colours(open_picture(ppm), (70,) * 3, (180,) * 3, 0)


def test_thirty_two_bit_grey_shows_its_whole_range():
    values = np.full((32, 64), 0.75, np.float32)
    values[:, :32] = 0.25
    for scaled, left, right in ((values, 64, 191), (values * 1000 - 250, 0, 255)):
        tiff = data_of(Image.fromarray(scaled), "TIFF")
        assert_two_colours(open_picture(tiff), (left,) * 3, (right,) * 3, 1)
    whole = (values * 65535).astype(np.int32)
    assert_two_colours(
        open_picture(data_of(Image.fromarray(whole), "TIFF")), (64,) * 3, (191,) * 3, 1
    )


def test_sixteen_bit_colour_is_scaled_not_clipped():
    left, right = (struct.pack(">3H", *(value * 257 for value in c)) for c in (RED, BLUE))
    rows = [left * 32 + right * 32] * 32
    assert_two_colours(open_picture(png(64, 32, 16, 2, rows)), tolerance=1)
    ppm = b"P6 64 32 65535\n" + b"".join(rows)
    assert_two_colours(open_picture(ppm), tolerance=1)
    assert_two_colours(open_picture(rgb16_tiff(64, 32, b"".join(rows))), tolerance=1)


def rgb16_tiff(width, height, data):
    """Big-endian, uncompressed, one strip."""
    entries = [
        (256, 3, 1, width << 16),
        (257, 3, 1, height << 16),
        (258, 3, 3, 8 + 2 + 9 * 12 + 4),
        (259, 3, 1, 1 << 16),
        (262, 3, 1, 2 << 16),
        (273, 4, 1, 8 + 2 + 9 * 12 + 4 + 6),
        (277, 3, 1, 3 << 16),
        (278, 3, 1, height << 16),
        (279, 4, 1, len(data)),
    ]
    ifd = struct.pack(">H", len(entries)) + b"".join(struct.pack(">HHII", *e) for e in entries)
    return b"MM\0*" + struct.pack(">I", 8) + ifd + bytes(4) + struct.pack(">3H", 16, 16, 16) + data


def test_cmyk_looks_as_in_a_viewer():
    # Pillow writes CMYK JPEGs as Adobe does, inverted and with Adobe's marker.
    image = two_colours(left=(255, 0, 0), right=(0, 0, 255)).convert("CMYK")
    jpeg = data_of(image, "JPEG", quality=95, subsampling=0)
    assert_two_colours(open_picture(jpeg), (255, 0, 0), (0, 0, 255), 6)
    tiff = data_of(image, "TIFF")
    assert_two_colours(open_picture(tiff), (255, 0, 0), (0, 0, 255), 1)
