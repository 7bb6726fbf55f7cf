"""A file becomes an upright RGB `Picture`, and a `Picture` becomes what the model is given.

Read `opening` first: it finds image files and opens them. `format` recognises a format by its
first bytes, `decode` reads the pixels, `colour` converts any pixel mode to 8-bit sRGB, and
`strips` reads very large files strip by strip. `pixel_values` pads, resizes and normalises as
LLaVA-1.5 does, and `model_view` turns that back into an image for people. Nothing here imports
torch. `pixel_values` imports numpy and is imported by name, so that the window starts without it.
"""

from core.picture.model_view import ImagePreprocessing, given_pixels, lost_detail, square_of
from core.picture.opening import PICTURE_SUFFIXES, Picture, find_pictures, open_picture

__all__ = [
    "PICTURE_SUFFIXES",
    "ImagePreprocessing",
    "Picture",
    "find_pictures",
    "given_pixels",
    "lost_detail",
    "open_picture",
    "square_of",
]
