"""A file that is cut short or damaged is shown as far as it can be read, or named."""

import struct
import zlib

import numpy as np
import pytest

from core.errors import PictureError
from core.picture import open_picture
from tests.core.picture.image_files import data_of, photograph


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
    assert picture.notes[0] == "The file is damaged or incomplete. Only a part of it could be read."
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


def png_rows(width, height, *, filters):
    """A grey PNG whose rows have these filters, from the first one on; the rest are unfiltered."""
    rng = np.random.default_rng(3)
    rows = rng.integers(1, 256, (height, width + 1), np.uint8)
    rows[:, 0] = 0
    rows[: len(filters), 0] = filters
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return rows, b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in (
            (b"IHDR", header),
            (b"IDAT", zlib.compress(rows.tobytes())),
            (b"IEND", b""),
        )
    )


@pytest.mark.parametrize("read_in", ["whole", "strips"])
@pytest.mark.parametrize("good_rows", [1, 7, 8, 29])
@pytest.mark.parametrize("unknown_filter", [5, 255])
def test_png_with_an_unknown_filter_is_shown_up_to_that_row(
    monkeypatch, read_in, good_rows, unknown_filter
):
    rows, data = png_rows(20, 30, filters=[0] * good_rows + [unknown_filter])
    if read_in == "strips":
        monkeypatch.setattr("core.picture.decode._STRIPWISE_PIXELS", 0)
        monkeypatch.setattr("core.picture.strips._STRIP_BYTES", 20 * 4 * 8)
    picture = open_picture(data)
    assert picture.notes[0] == "The file is damaged or incomplete. Only a part of it could be read."
    seen = np.asarray(picture.pixels.convert("L"))
    assert np.array_equal(seen[:good_rows], rows[:good_rows, 1:])
    assert set(np.unique(seen[good_rows:])) <= {0, 255}


@pytest.mark.parametrize("read_in", ["whole", "strips"])
def test_png_with_an_unknown_filter_in_its_first_row_is_named(monkeypatch, read_in):
    _, data = png_rows(20, 30, filters=[9])
    if read_in == "strips":
        monkeypatch.setattr("core.picture.decode._STRIPWISE_PIXELS", 0)
    with pytest.raises(PictureError, match="damaged"):
        open_picture(data)


def test_png_whose_palette_is_damaged_is_named():
    data = bytearray(data_of(photograph((20, 16)).quantize(16), "PNG"))
    at = data.index(b"PLTE")
    chunk = b"PLTE" + bytes(3 * 300)  # There can be 256 colours.
    end = at + 4 + int.from_bytes(data[at - 4 : at]) + 4
    data[at - 4 : end] = struct.pack(">I", 3 * 300) + chunk + struct.pack(">I", zlib.crc32(chunk))
    with pytest.raises(PictureError, match="damaged"):
        open_picture(bytes(data))
