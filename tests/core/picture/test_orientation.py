"""Each EXIF orientation comes out upright."""

import pytest
from PIL import Image

from core.picture import open_picture
from tests.core.picture.image_files import data_of, is_near, two_colours


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
