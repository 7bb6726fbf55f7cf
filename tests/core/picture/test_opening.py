"""Real files, made on the spot, in every format and mode; and every way they can be broken."""

import contextlib
import io
import os
import struct
import subprocess
import sys
import tempfile
import textwrap
import threading
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms, TiffImagePlugin

from core.errors import PictureError
from core.picture import PICTURE_SUFFIXES, find_pictures, open_picture
from core.picture.finding import is_picture

ROOT = Path(__file__).parents[3]

# Left half, right half.
RED, BLUE = (200, 30, 40), (20, 60, 210)


def two_colours(size=(64, 32), left=RED, right=BLUE):
    image = Image.new("RGB", size, right)
    image.paste(left, (0, 0, size[0] // 2, size[1]))
    return image


def data_of(image, kind, **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def halves(picture):
    width, height = picture.pixels.size
    return (
        picture.pixels.getpixel((width // 4, height // 2)),
        picture.pixels.getpixel((3 * width // 4, height // 2)),
    )


def is_near(seen, meant, tolerance=3):
    return all(abs(a - b) <= tolerance for a, b in zip(seen, meant, strict=True))


def assert_two_colours(picture, left=RED, right=BLUE, tolerance=3):
    assert picture.pixels.mode == "RGB"
    assert picture.pixels.info == {}
    assert type(picture.pixels) is Image.Image
    seen = halves(picture)
    assert is_near(seen[0], left, tolerance), seen
    assert is_near(seen[1], right, tolerance), seen


def png(width, height, bits, colour_type, rows, extra=b""):
    """A PNG from its unfiltered rows, for what Pillow does not write."""
    header = struct.pack(">IIBBBBB", width, height, bits, colour_type, 0, 0, 0)
    data = zlib.compress(b"".join(b"\0" + row for row in rows))
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + extra
        + chunk(b"IDAT", data)
        + chunk(b"IEND", b"")
    )


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


# Formats


@pytest.mark.parametrize(
    ("kind", "options", "tolerance"),
    [
        ("JPEG", {"quality": 95, "subsampling": 0}, 4),
        ("JPEG", {"quality": 95, "subsampling": 0, "progressive": True}, 4),
        ("PNG", {}, 0),
        ("WEBP", {"lossless": True}, 0),
        ("WEBP", {"quality": 95}, 12),
        ("GIF", {}, 0),
        ("BMP", {}, 0),
        ("TIFF", {}, 0),
        ("TIFF", {"compression": "tiff_lzw"}, 0),
        ("TIFF", {"compression": "tiff_deflate"}, 0),
        ("TIFF", {"compression": "jpeg", "quality": 95}, 6),
        ("AVIF", {"quality": 95}, 12),
        ("ICO", {"sizes": [(64, 32)]}, 0),
        ("PPM", {}, 0),
    ],
)
@pytest.mark.parametrize("misleading", [".jpg", ".txt", ""])
def test_format_is_told_by_content_whatever_the_name(
    tmp_path, kind, options, tolerance, misleading
):
    path = tmp_path / f"two colours{misleading}"
    path.write_bytes(data_of(two_colours(), kind, **options))
    picture = open_picture(path)
    assert_two_colours(picture, tolerance=tolerance)
    assert (picture.path, picture.name) == (path, path.name)
    assert picture.original_size == picture.pixels.size == (64, 32)
    assert picture.notes == ()
    assert is_picture(path)


@pytest.fixture
def heic(tmp_path):
    pillow_heif = pytest.importorskip("pillow_heif")
    path = tmp_path / "phone.heic"
    pillow_heif.from_pillow(two_colours()).save(path, quality=95)
    return path


def test_heic_opens_with_the_extra_installed(heic):
    assert_two_colours(open_picture(heic), tolerance=14)
    assert is_picture(heic)


def test_heic_opens_with_the_reader_that_the_package_carries(heic, monkeypatch):
    pytest.importorskip("pi_heif")
    monkeypatch.setitem(sys.modules, "pillow_heif", None)  # As when it is not installed.
    assert_two_colours(open_picture(heic), tolerance=14)


def test_heic_without_a_reader_says_what_to_install(heic, monkeypatch):
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    monkeypatch.setitem(sys.modules, "pi_heif", None)
    with pytest.raises(PictureError, match=r"“phone.heic” is a HEIC .*pip install pillow-heif"):
        open_picture(heic)


def test_packaged_program_without_a_reader_asks_for_no_installation(heic, monkeypatch):
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    monkeypatch.setitem(sys.modules, "pi_heif", None)
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    with pytest.raises(PictureError) as raised:
        open_picture(heic)
    assert str(raised.value) == "“phone.heic” is a HEIC picture; save it as JPEG."


def test_bytes_without_a_path_are_a_pasted_picture():
    data = data_of(two_colours(), "PNG")
    pasted = open_picture(data)
    assert_two_colours(pasted)
    assert (pasted.path, pasted.name) == (None, "Pasted picture")
    assert open_picture(data, "from the web.png").name == "from the web.png"
    with pytest.raises(PictureError, match="The pasted picture is empty"):
        open_picture(b"")
    with pytest.raises(PictureError, match=r"“web\.png” is empty"):
        open_picture(b"", "web.png")


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "TIFF", "AVIF"])
def test_first_of_several_frames_is_shown_with_a_note(kind):
    frames = [two_colours(), *(two_colours(left=(0, shade, 0)) for shade in (90, 160))]
    options = {"lossless": True} if kind == "WEBP" else {}
    data = data_of(frames[0], kind, save_all=True, append_images=frames[1:], **options)
    picture = open_picture(data)
    assert_two_colours(picture, tolerance=20 if kind == "AVIF" else 2)
    assert picture.notes == ("This is the first of 3 frames.",)


def test_largest_image_of_an_icon_is_shown():
    icon = data_of(two_colours((128, 128)), "ICO", sizes=[(16, 16), (128, 128), (32, 32)])
    assert open_picture(icon).pixels.size == (128, 128)


# Modes


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
def test_see_through_parts_are_white(kind):
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


# Orientation


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
def test_each_exif_orientation_comes_out_upright(kind, orientation):
    upright = Image.new("RGB", (96, 64), "white")
    upright.paste("red", (0, 0, 48, 32))
    upright.paste("blue", (48, 0, 96, 32))
    back = {
        1: [],
        2: [Image.Transpose.FLIP_LEFT_RIGHT],
        3: [Image.Transpose.ROTATE_180],
        4: [Image.Transpose.FLIP_TOP_BOTTOM],
        5: [Image.Transpose.TRANSPOSE],
        6: [Image.Transpose.ROTATE_90],
        7: [Image.Transpose.TRANSVERSE],
        8: [Image.Transpose.ROTATE_270],
    }
    stored = upright
    for step in back[orientation]:
        stored = stored.transpose(step)
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture = open_picture(data_of(stored, kind, exif=exif))
    assert picture.original_size == picture.pixels.size == (96, 64)
    assert is_near(picture.pixels.getpixel((24, 16)), (255, 0, 0), 20)
    assert is_near(picture.pixels.getpixel((72, 16)), (0, 0, 255), 20)
    assert is_near(picture.pixels.getpixel((24, 48)), (255, 255, 255), 20)
    assert len(picture.pixels.getexif()) == 0


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_broken_exif_does_not_hide_the_picture():
    data = data_of(two_colours(), "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\x7f", quality=95)
    assert open_picture(data).pixels.size == (64, 32)


# Colour profiles


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


def test_broken_profile_is_left_out_with_a_note_and_a_strange_one_in_silence():
    broken = open_picture(data_of(two_colours(), "PNG", icc_profile=b"no profile at all" * 20))
    assert_two_colours(broken, tolerance=0)
    assert broken.notes == ("Its colour profile is damaged and was left out.",)
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    assert_two_colours(open_picture(data_of(two_colours(), "PNG", icc_profile=lab)), tolerance=0)
    grey = two_colours(left=(70,) * 3, right=(180,) * 3).convert("L")
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    picture = open_picture(data_of(grey, "JPEG", icc_profile=srgb))
    assert_two_colours(picture, (70,) * 3, (180,) * 3, 2)


# Sizes


@pytest.mark.parametrize(
    "kind", ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "ICO", "PPM"]
)
def test_one_pixel_is_a_picture(kind):
    data = data_of(
        Image.new("RGB", (1, 1), RED), kind, **({"sizes": [(1, 1)]} if kind == "ICO" else {})
    )
    assert open_picture(data).pixels.size == (1, 1)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF"])
def test_large_picture_is_reduced_and_says_so(kind):
    data = data_of(two_colours((6000, 4000)), kind)
    picture = open_picture(data)
    width, height = picture.pixels.size
    assert width * height <= 4096 * 4096
    assert abs(width / height - 1.5) < 0.01
    assert picture.original_size == (6000, 4000)
    assert picture.notes == (f"Shown at {width} × {height} pixels; the file has 6000 × 4000.",)
    assert_two_colours(picture, tolerance=4)


def test_large_picture_that_lies_on_its_side_is_reduced_upright():
    exif = Image.Exif()
    exif[0x0112] = 6
    picture = open_picture(data_of(two_colours((6000, 4000)), "JPEG", exif=exif))
    assert picture.original_size == (4000, 6000)
    assert picture.pixels.height > picture.pixels.width


def test_long_thin_picture_keeps_what_can_be_read():
    picture = open_picture(data_of(Image.new("L", (30_000, 10), 99), "PNG"))
    assert picture.pixels.size == (16_384, 5)
    assert picture.original_size == (30_000, 10)


@pytest.mark.parametrize(
    ("kind", "mode", "options"),
    [
        *(("PNG", mode, {}) for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")),
        ("PNG", "P", {"bits": 2}),
        ("PNG", "P", {"transparency": 1}),
        ("PNG", "L", {"transparency": 100}),
        *(("BMP", mode, {}) for mode in ("1", "L", "P", "RGB", "RGBA")),
        *(("PPM", mode, {}) for mode in ("1", "L", "RGB")),
        *(("TIFF", mode, {}) for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16", "CMYK")),
        ("TIFF", "RGB", {"compression": "tiff_lzw"}),
        ("TIFF", "RGB", {"compression": "tiff_adobe_deflate", "tiffinfo": {317: 2}}),
        ("TIFF", "RGB", {"compression": "jpeg", "quality": 90}),
        ("TIFF", "1", {"compression": "group4"}),
    ],
)
def test_giant_read_in_bands_is_the_picture_read_whole(monkeypatch, kind, mode, options):
    rng = np.random.default_rng(5)
    smooth = Image.fromarray(rng.integers(0, 256, (30, 47, 4), np.uint8)).resize((937, 611))
    image = smooth.convert("RGB").quantize(4) if mode == "P" else None
    if mode == "I;16":
        image = Image.fromarray(np.asarray(smooth.convert("L")).astype(np.uint16) * 257)
    image = image or smooth.convert(mode)
    monkeypatch.setattr("PIL.TiffImagePlugin.STRIP_SIZE", 937 * 3 * 32)
    data = data_of(image, kind, **options)
    monkeypatch.setattr("core.picture.reduction.KEPT_PIXELS", 300 * 200)
    whole = np.asarray(open_picture(data).pixels).astype(int)
    monkeypatch.setattr("core.picture.decode._STRIPWISE_PIXELS", 0)
    monkeypatch.setattr("core.picture.strips._STRIP_BYTES", 937 * 4 * 50)
    banded = np.asarray(open_picture(data).pixels).astype(int)
    assert np.abs(whole - banded).max() <= 1


@pytest.mark.parametrize("order", ["<", ">"])
def test_giant_tiff_in_tiles_is_read_in_bands(monkeypatch, order):
    rng = np.random.default_rng(5)
    image = Image.fromarray(rng.integers(0, 256, (20, 30, 3), np.uint8)).resize((600, 440))
    data = tiled_tiff(image, 64, order)
    monkeypatch.setattr("core.picture.reduction.KEPT_PIXELS", 150 * 110)
    whole = np.asarray(open_picture(data).pixels).astype(int)
    monkeypatch.setattr("core.picture.decode._STRIPWISE_PIXELS", 0)
    monkeypatch.setattr("core.picture.strips._STRIP_BYTES", 1)
    banded = np.asarray(open_picture(data).pixels).astype(int)
    assert np.abs(whole - banded).max() <= 1
    assert np.abs(banded - np.asarray(image.resize((150, 110)))).mean() < 5


def tiled_tiff(image, side, order):
    """Deflated tiles of RGB."""
    across, down = -(-image.width // side), -(-image.height // side)
    boxes = [
        (x * side, y * side, (x + 1) * side, (y + 1) * side)
        for y in range(down)
        for x in range(across)
    ]
    tiles = [zlib.compress(image.crop(box).tobytes()) for box in boxes]
    directory = TiffImagePlugin.ImageFileDirectory_v2(
        ifh=(b"II*\0" if order == "<" else b"MM\0*") + bytes(4)
    )
    for tag, kind, value in [
        (256, 4, image.width),
        (257, 4, image.height),
        (258, 3, (8, 8, 8)),
        (259, 3, 8),
        (262, 3, 2),
        (277, 3, 3),
        (322, 4, side),
        (323, 4, side),
        (324, 4, tuple(range(len(tiles)))),
        (325, 4, tuple(map(len, tiles))),
    ]:
        directory.tagtype[tag] = kind
        directory[tag] = value
    at = 8 + len(directory.tobytes(8))
    directory[324] = tuple(at + sum(map(len, tiles[:n])) for n in range(len(tiles)))
    start = b"II*\0" if order == "<" else b"MM\0*"
    return start + struct.pack(f"{order}I", 8) + directory.tobytes(8) + b"".join(tiles)


def python(script, **options):
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(script)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        **options,
    )


GIANT_SIDE = 15_000  # 225 million pixels: 858 MiB as Pillow holds colour.


def peak_mebibytes(path):
    """Of a process that does nothing but open the picture, over what it needs for a small one."""
    done = python(f"""
        import resource
        from pathlib import Path
        from core.picture import (open_picture)
        from PIL import Image
        import io
        small = io.BytesIO(); Image.new("RGB", (9, 9)).save(small, "PNG")
        open_picture(small.getvalue())
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        picture = open_picture(Path({str(path)!r}))
        assert max(picture.pixels.size) <= 4096, picture.pixels.size
        assert picture.original_size == ({GIANT_SIDE}, {GIANT_SIDE})
        print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
    """)
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


@pytest.mark.skipif(sys.platform == "win32", reason="resource is not there on Windows")
@pytest.mark.parametrize(("kind", "limit"), [("png", 350), ("jpg", 350), ("bmp", 350)])
def test_giant_is_opened_in_bounded_memory(tmp_path, kind, limit):
    side = GIANT_SIDE
    path = tmp_path / f"giant.{kind}"
    if kind == "png":
        row = zlib.compressobj(1)
        data = b"".join(row.compress(b"\0" + bytes([200, 30, 40]) * side) for _ in range(side))
        header = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0))
        idat = chunk(b"IDAT", data + row.flush())
        path.write_bytes(b"\x89PNG\r\n\x1a\n" + header + idat + chunk(b"IEND", b""))
    elif kind == "bmp":
        head = data_of(Image.new("1", (8, 1)), "BMP")[:62]
        head = bytearray(head)
        head[18:26] = struct.pack("<ii", side, side)
        with path.open("wb") as file:
            file.write(head)
            file.truncate(len(head) + side * (-(-side // 32) * 4))
    else:
        Image.new("L", (side, side), 90).save(path)
    assert peak_mebibytes(path) < limit


# Errors


def error_of(source, name=None):
    with pytest.raises(PictureError) as caught:
        open_picture(source, name)
    text = str(caught.value)
    assert text.endswith(".")
    assert ". " not in text, "more than one sentence"
    assert "\n" not in text
    return text


def test_each_file_that_is_no_picture_says_what_it_is(tmp_path):
    contents = {
        "empty.jpg": (b"", "is empty"),
        "letter.jpg": (b"Dear Sir,\nno picture here.\n", "holds text, not a picture"),
        "page.png": (b"<!DOCTYPE html><html></html>", "holds a web page"),
        "drawing.svg": (b"<?xml version='1.0'?>\n<svg xmlns='x'/>", "an SVG drawing"),
        "paper.pdf": (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", "a PDF document"),
        "design.psd": (b"8BPS\0\1" + bytes(40), "a Photoshop document"),
        "photo.cr2": (b"II*\0\x10\0\0\0CR\2\0" + bytes(40), "a camera raw file"),
        "photo.cr3": (b"\0\0\0\x18ftypcrx \0\0\0\1crx isom" + bytes(40), "a camera raw file"),
        "film.mp4": (b"\0\0\0\x18ftypisom\0\0\2\0isommp41" + bytes(40), "a video"),
        "photo.jxl": (b"\xff\x0a" + bytes(range(200, 240)), "a JPEG XL picture"),
        "photo.jp2": (b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(40), "a JPEG 2000 picture"),
        "noise.png": (bytes(range(1, 255)) + b"\0", "is not a picture that Onlooker knows"),
    }
    seen = set()
    for name, (content, meant) in contents.items():
        path = tmp_path / name
        path.write_bytes(content)
        text = error_of(path)
        assert name in text
        assert meant in text
        assert not is_picture(path)
        seen.add(text.replace(name, ""))
    assert len(seen) >= len(contents) - 1  # Two camera raw files.


def test_phone_raw_file_in_tiff_clothing_is_called_raw():
    tags = Image.Exif()
    tags[50706] = b"\1\4\0\0"
    data = data_of(two_colours(), "TIFF", tiffinfo=tags)
    assert "camera raw" in error_of(data, "photo.dng")


def test_folder_vanished_file_and_device_say_so(tmp_path):
    assert "is a folder" in error_of(tmp_path)
    assert "“gone.jpg” is no longer there" in error_of(tmp_path / "gone.jpg")
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.jpg")
        assert "not a file" in error_of(tmp_path / "pipe.jpg")
        assert find_pictures([tmp_path]) == []


@pytest.mark.skipif(sys.platform == "win32", reason="permissions are other there")
def test_unreadable_file_says_so():
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        path = folder / "secret.png"
        path.write_bytes(data_of(two_colours(), "PNG"))
        path.chmod(0)
        # Nothing is unreadable to root, which therefore becomes nobody.
        done = python(f"""
            import os
            from pathlib import Path
            from PIL import Image, ImageCms
            from core.picture import (find_pictures, open_picture)
            if os.geteuid() == 0:
                os.setuid(65534)
            print(find_pictures([Path({name!r})]))
            open_picture(Path({str(path)!r}))
        """)
    assert "“secret.png” may not be read" in done.stderr
    assert done.stdout == "[]\n"


def test_absurd_pixel_count_is_refused_before_it_is_decoded():
    bomb = png(60_000, 60_000, 8, 2, [b""])
    assert "claims 60000 × 60000 pixels" in error_of(bomb, "bomb.png")
    icon = data_of(Image.new("RGB", (64, 64)), "ICO", sizes=[(64, 64)])
    at = icon.index(b"IHDR")
    header = struct.pack(">II", 60_000, 60_000) + icon[at + 12 : at + 17]
    bomb = icon[: at - 4] + chunk(b"IHDR", header) + icon[at + 21 :]
    assert "claims 60000 × 60000 pixels" in error_of(bomb, "bomb.ico")


def photograph(size=(400, 300)):
    noise = np.random.default_rng(3).integers(0, 256, (size[1] // 8, size[0] // 8, 3), np.uint8)
    return Image.fromarray(noise).resize(size)


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("JPEG", {}),
        ("JPEG", {"progressive": True}),
        ("PNG", {}),
        ("GIF", {}),
        ("BMP", {}),
        ("PPM", {}),
    ],
)
def test_file_cut_short_is_shown_as_far_as_it_goes(kind, options):
    image = photograph()
    whole = data_of(image, kind, **options)
    picture = open_picture(whole[: len(whole) * 6 // 10])
    assert picture.notes[0] == "The file is cut short or damaged; this is what could be read of it."
    assert picture.pixels.size == image.size
    box = (0, 200, 400, 290) if kind == "BMP" else (0, 0, 400, 100)  # BMP begins at the foot.
    seen = np.asarray(picture.pixels.crop(box)).astype(int)
    meant = np.asarray(image.crop(box)).astype(int)
    assert np.abs(seen - meant).mean() < 30  # GIF has a palette of its own.


@pytest.mark.parametrize(
    "kind", ["JPEG", "PNG", "GIF", "BMP", "PPM", "TIFF", "WEBP", "AVIF", "ICO"]
)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_file_cut_anywhere_is_shown_or_named_and_nothing_else(kind):
    data = data_of(photograph((120, 96)), kind)
    for end in [1, 4, 10, 30, 60, 150, *range(200, len(data), max(1, len(data) // 40))]:
        try:
            picture = open_picture(data[:end], "cut")
        except PictureError as error:
            assert "“cut”" in str(error)  # noqa: PT017 (either is right)
        else:
            assert picture.pixels.mode == "RGB"


@pytest.mark.parametrize(
    "kind", ["JPEG", "PNG", "GIF", "BMP", "PPM", "TIFF", "WEBP", "AVIF", "ICO"]
)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_file_with_broken_bytes_is_shown_or_named_and_nothing_else(kind):
    data = data_of(photograph((80, 64)), kind)
    rng = np.random.default_rng(8)
    for _ in range(60):
        broken = bytearray(data)
        for at in rng.integers(0, min(len(data), 4000), 6):
            broken[at] = rng.integers(256)
        try:
            picture = open_picture(bytes(broken), "broken")
        except PictureError as error:
            assert "“broken”" in str(error)  # noqa: PT017 (either is right)
        else:
            assert picture.pixels.mode == "RGB"


def test_pictures_open_side_by_side_and_pillow_keeps_its_limit(tmp_path):
    before = Image.MAX_IMAGE_PIXELS
    path = tmp_path / "large.png"
    Image.new("1", (14_000, 14_000)).save(path)  # Over Pillow's own limit.
    data = data_of(two_colours(), "PNG")
    barrier = threading.Barrier(4)

    def open_one(source):
        barrier.wait()
        return open_picture(source).original_size

    with ThreadPoolExecutor(4) as pool:
        sizes = list(pool.map(open_one, [path, data, path, data]))
    assert sizes == [(14_000, 14_000), (64, 32)] * 2
    assert before == Image.MAX_IMAGE_PIXELS


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_no_file_stays_open(tmp_path):
    for kind, end in (("PNG", None), ("JPEG", 900), ("GIF", None), ("TIFF", 90), ("WEBP", 100)):
        path = tmp_path / kind
        path.write_bytes(data_of(photograph(), kind)[:end])
        with contextlib.suppress(PictureError):
            open_picture(path)
        if Path("/proc/self/fd").exists():
            held = [fd.readlink() for fd in Path("/proc/self/fd").iterdir() if fd.is_symlink()]
            assert path not in held


# Which files


@pytest.fixture
def folder(tmp_path):
    data = data_of(two_colours(), "PNG")
    for name in ("img10.png", "img2.jpg", "Img1.dat", ".hidden.png", "b/img3.png", "b/c/img4.png"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    (tmp_path / "notes.txt").write_text("not a picture")
    (tmp_path / "empty.png").touch()
    return tmp_path


def test_folder_gives_its_pictures_in_the_order_a_person_counts(folder):
    names = [path.name for path in find_pictures([folder])]
    assert names == ["Img1.dat", "img2.jpg", "img10.png"]


def test_folders_within_come_after_the_files_when_asked(folder):
    names = [
        path.relative_to(folder).as_posix() for path in find_pictures([folder], recursive=True)
    ]
    assert names == ["Img1.dat", "img2.jpg", "img10.png", "b/img3.png", "b/c/img4.png"]


def test_files_are_taken_as_given_and_none_twice(folder):
    given = [
        folder / "notes.txt",
        folder / "img10.png",
        folder,
        folder / "img10.png",
        folder / "gone",
    ]
    names = [path.name for path in find_pictures(given)]
    assert names == ["notes.txt", "img10.png", "Img1.dat", "img2.jpg", "gone"]


def test_folder_that_links_to_itself_ends(folder):
    (folder / "b" / "again").symlink_to(folder, target_is_directory=True)
    assert len(find_pictures([folder], recursive=True)) == 5


def test_suffixes_for_dialogs_cover_every_format():
    assert {
        ".jpg",
        ".png",
        ".webp",
        ".gif",
        ".bmp",
        ".tif",
        ".avif",
        ".heic",
        ".ico",
        ".ppm",
    } <= set(PICTURE_SUFFIXES)
    assert all(suffix == suffix.lower() and suffix.startswith(".") for suffix in PICTURE_SUFFIXES)
