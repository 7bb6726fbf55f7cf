"""Large pictures are reduced in bounded memory."""

import struct
import sys
import zlib

import numpy as np
import pytest
from PIL import Image, TiffImagePlugin

from core.picture import open_picture
from tests.core.picture.image_files import (
    RED,
    assert_two_colours,
    chunk,
    data_of,
    python,
    two_colours,
)
from tests.support.tiers import slowly


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
    assert picture.notes == (f"Shown at {width} × {height} pixels. The file has 6000 × 4000.",)
    assert_two_colours(picture, tolerance=4)


def test_large_picture_stored_sideways_is_reduced_upright():
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
        *(("PNG", mode, {}) for mode in ("1", "RGB", "RGBA", "I;16")),
        *(slowly("PNG", mode, {}) for mode in ("L", "LA", "P")),
        ("PNG", "P", {"bits": 2}),
        ("PNG", "P", {"transparency": 1}),
        ("PNG", "L", {"transparency": 100}),
        *(("BMP", mode, {}) for mode in ("1", "P", "RGB")),
        *(slowly("BMP", mode, {}) for mode in ("L", "RGBA")),
        *(("PPM", mode, {}) for mode in ("1", "RGB")),
        slowly("PPM", "L", {}),
        *(("TIFF", mode, {}) for mode in ("RGB", "I;16", "CMYK")),
        *(slowly("TIFF", mode, {}) for mode in ("1", "L", "LA", "P", "RGBA")),
        ("TIFF", "RGB", {"compression": "tiff_lzw"}),
        ("TIFF", "RGB", {"compression": "tiff_adobe_deflate", "tiffinfo": {317: 2}}),
        ("TIFF", "RGB", {"compression": "jpeg", "quality": 90}),
        ("TIFF", "1", {"compression": "group4"}),
    ],
)
def test_large_picture_read_in_strips_is_the_picture_read_whole(monkeypatch, kind, mode, options):
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
    in_strips = np.asarray(open_picture(data).pixels).astype(int)
    assert np.abs(whole - in_strips).max() <= 1


@pytest.mark.parametrize("order", ["<", ">"])
def test_large_tiff_in_tiles_is_read_in_strips(monkeypatch, order):
    rng = np.random.default_rng(5)
    image = Image.fromarray(rng.integers(0, 256, (20, 30, 3), np.uint8)).resize((600, 440))
    data = tiled_tiff(image, 64, order)
    monkeypatch.setattr("core.picture.reduction.KEPT_PIXELS", 150 * 110)
    whole = np.asarray(open_picture(data).pixels).astype(int)
    monkeypatch.setattr("core.picture.decode._STRIPWISE_PIXELS", 0)
    monkeypatch.setattr("core.picture.strips._STRIP_BYTES", 1)
    in_strips = np.asarray(open_picture(data).pixels).astype(int)
    assert np.abs(whole - in_strips).max() <= 1
    assert np.abs(in_strips - np.asarray(image.resize((150, 110)))).mean() < 5


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


LARGE_SIDE = 15_000  # 225 million pixels: 858 MiB as Pillow holds colour.


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
        assert picture.original_size == ({LARGE_SIDE}, {LARGE_SIDE})
        print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
    """)
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


@pytest.mark.skipif(sys.platform == "win32", reason="resource is not there on Windows")
@pytest.mark.parametrize(
    ("kind", "limit"),
    [pytest.param("png", 350, marks=pytest.mark.slow), ("jpg", 350), ("bmp", 350)],
)
def test_very_large_picture_is_opened_in_bounded_memory(tmp_path, kind, limit):
    side = LARGE_SIDE
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
