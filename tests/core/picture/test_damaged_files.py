"""A file that is cut short or damaged is shown as far as it can be read, or named."""

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
