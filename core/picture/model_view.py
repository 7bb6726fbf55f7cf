"""The picture as a model gets it, after its preprocessing, and the detail lost by that."""

from __future__ import annotations

from dataclasses import dataclass

from PIL import Image, ImageChops

Box = tuple[float, float, float, float]

_LOST_SIDE = 1600
_LOST_GAIN = 3.0
_DIMMED = 0.22
_LOST_COLOUR = (255, 214, 140)


@dataclass(frozen=True)
class ImagePreprocessing:
    """How LLaVA prepares a picture: padded to a square, resized to `image_size` pixels a side,
    normalised by `mean` and `std`, and cut into patches of `patch_size` pixels a side."""

    image_size: int
    patch_size: int
    mean: tuple[float, ...]
    std: tuple[float, ...]

    @property
    def patches_a_side(self) -> int:
        """How many patches the vision tower sees along one side."""
        return self.image_size // self.patch_size


def square_of(width: int, height: int) -> Box:
    """Returns the padded square in pixel coordinates of a picture of this size.

    Two of its edges lie outside the picture unless that is square.
    """
    side = max(width, height)
    left, top = (side - width) // 2, (side - height) // 2
    return -left, -top, side - left, side - top


def given_pixels(
    pixels: Image.Image, preprocessing: ImagePreprocessing, *, is_one_of_many: bool = False
) -> Image.Image:
    """Returns exactly the pixels of the model's input: RGB, `image_size` a side, with the padding.

    They are computed back from the normalised values, so that they cannot differ from them. With
    `is_one_of_many`, when many are made at the same time, only the caller's thread works on it,
    and the normalisation, which would be undone anyway, is left out.
    """
    # numpy takes a tenth of a second to import, which would make the window's start slower.
    import numpy as np

    from core.picture.pixel_values import padded_square, pixel_values

    if is_one_of_many:
        return padded_square(pixels, preprocessing.image_size, threads=1)
    mean, std = preprocessing.mean, preprocessing.std
    values = pixel_values(pixels, preprocessing.image_size, mean, std)
    values = values[0].transpose(1, 2, 0)
    colours = values * np.array(std, np.float32) + np.array(mean, np.float32)
    return Image.fromarray(np.clip(np.rint(colours * 255), 0, 255).astype(np.uint8))


def sent_pixels(pixels: Image.Image, longest_side: int) -> Image.Image:
    """Returns the pixels that a server is sent: at most `longest_side` along the longer side."""
    width, height = pixels.size
    scale = longest_side / max(width, height)
    if scale >= 1:
        return pixels
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return pixels.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)


def lost_detail(pixels: Image.Image, given: Image.Image, covered: Box | None = None) -> Image.Image:
    """Returns the picture darkened, with the detail highlighted that the `given` pixels lack.

    `covered` is what these show, in pixels of the picture; None for its padded square. RGB in the
    picture's shape, at most 1600 pixels a side. Highlighted is the difference between
    the picture and the given pixels enlarged to its size.
    """
    width, height = pixels.size
    factor = min(1.0, _LOST_SIDE / max(width, height))
    size = max(1, round(width * factor)), max(1, round(height * factor))
    whole = pixels.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)
    left, top, right, bottom = covered or square_of(width, height)
    across, down = given.width / (right - left), given.height / (bottom - top)
    part = (-left * across, -top * down, (width - left) * across, (height - top) * down)
    again = given.resize(size, Image.Resampling.BICUBIC, box=part)
    red, green, blue = ImageChops.difference(whole, again).split()
    lost = ImageChops.lighter(ImageChops.lighter(red, green), blue)
    glow = lost.point([min(255, round(level * _LOST_GAIN)) for level in range(256)])
    dim = again.convert("L").point([round(level * _DIMMED) for level in range(256)])
    return Image.composite(
        Image.new("RGB", size, _LOST_COLOUR), Image.merge("RGB", (dim, dim, dim)), glow
    )
