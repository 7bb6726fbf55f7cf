from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

from core.picture import ImagePreprocessing, given_pixels, lost_detail, square_of
from core.picture.pixel_values import CLIP_MEAN, CLIP_STD, PAD_COLOUR, pixel_values

EYE = ImagePreprocessing(56, 14, CLIP_MEAN, CLIP_STD)


def noise(size: tuple[int, int]) -> Image.Image:
    width, height = size
    values = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    return Image.fromarray(values)


def test_given_pixels_normalise_to_the_very_values_of_the_model():
    pixels = noise((90, 70))
    given = given_pixels(pixels, EYE)
    scaled = (np.asarray(given) * (1 / 255)).astype(np.float32)
    again = (scaled - np.array(CLIP_MEAN, np.float32)) / np.array(CLIP_STD, np.float32)
    assert np.array_equal(again.transpose(2, 0, 1)[None], pixel_values(pixels, 56))


@pytest.mark.parametrize("size", [(90, 70), (70, 90), (56, 56), (56, 20), (1, 1), (900, 1300)])
def test_given_pixels_of_one_of_many_are_the_same(size):
    pixels = noise(size)
    given = given_pixels(pixels, EYE, is_one_of_many=True)
    assert given == given_pixels(pixels, EYE)
    assert np.array_equal(pixel_values(given, 56), pixel_values(pixels, 56))


def test_given_pixels_of_one_of_many_know_every_shade():
    shades = Image.fromarray(np.arange(56 * 56 * 3).astype(np.uint8).reshape(56, 56, 3))
    assert given_pixels(shades, EYE, is_one_of_many=True) == given_pixels(shades, EYE)


def test_given_pixels_have_the_padding_where_the_square_leaves_the_picture():
    given = given_pixels(Image.new("RGB", (112, 56), "white"), EYE)
    assert given.size == (56, 56)
    assert given.getpixel((28, 5)) == PAD_COLOUR
    assert given.getpixel((28, 28)) == (255, 255, 255)
    assert square_of(112, 56) == (0, -28, 112, 84)


def test_square_of_an_upright_picture_leaves_it_at_its_sides():
    assert square_of(3, 8) == (-2, 0, 6, 8)


def test_what_glows_is_the_detail_that_resizing_lost():
    pixels = Image.new("RGB", (560, 280), "white")
    draw = ImageDraw.Draw(pixels)
    draw.rectangle((0, 0, 280, 280), fill="black")  # Large: it is kept.
    draw.line((420, 0, 420, 280), fill="black")  # One pixel of ten: it is lost.
    lost: Any = lost_detail(pixels, given_pixels(pixels, EYE)).convert("L")
    assert lost.size == pixels.size
    assert min(lost.getpixel((420, y)) for y in range(20, 260)) > 150
    assert max(lost.getpixel((x, 140)) for x in range(20, 250)) < 80


def test_a_picture_as_large_as_the_model_wants_it_loses_nothing():
    pixels = noise((56, 56))
    given = given_pixels(pixels, EYE)
    assert given.tobytes() == pixels.tobytes()
    brightest: Any = lost_detail(pixels, given).convert("L").getextrema()[1]
    assert brightest < 80


def test_lost_detail_of_a_large_picture_is_no_larger_than_screens_show():
    pixels = Image.new("RGB", (3200, 800), "teal")
    assert lost_detail(pixels, given_pixels(pixels, EYE)).size == (1600, 400)
