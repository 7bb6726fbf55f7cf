"""A part of a picture: where it is, and its pixels."""

import pytest
from PIL import Image

from core.errors import PictureError
from core.picture import Picture, PicturePart, box_of, cut_out, part_of


def test_part_is_in_the_pixels_of_the_file_and_cut_out_of_those_that_are_there():
    pixels = Image.new("RGB", (100, 50), "white")
    pixels.paste("red", (20, 10, 60, 40))
    picture = Picture(None, pixels, original_size=(200, 100), given_name="pasted")
    part = part_of(picture, (20.2, 9.9, 59.8, 40.1))
    assert part == PicturePart(40, 20, 80, 60)
    assert box_of(picture, part) == (20, 10, 60, 40)
    cut = cut_out(picture, part)
    assert cut.pixels.size == (40, 30)
    assert cut.pixels.getcolors() == [(1200, (255, 0, 0))]
    assert (cut.original_size, cut.name) == ((80, 60), "pasted")


@pytest.mark.parametrize("box", [(0, 0, 15.4, 40), (10, 90, 60, 130), (-50, -50, 10, 10)])
def test_part_that_is_too_small_inside_the_picture_is_refused(box):
    with pytest.raises(PictureError, match="16 × 16"):
        part_of(Picture(None, Image.new("RGB", (100, 100))), box)


def test_part_of_a_picture_that_has_become_smaller_keeps_a_pixel():
    picture = Picture(None, Image.new("RGB", (10, 10)))
    assert box_of(picture, PicturePart(200, 300, 50, 50)) == (9, 9, 10, 10)
