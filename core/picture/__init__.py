"""A file becomes an upright RGB `Picture`, and a `Picture` becomes what the model is given.

Read `opening` first: it opens one file, and `finding` finds those of a folder, in `natural_order`.
`format` recognises
a format by its first bytes, and `recognition`, with `tga`, where those are not enough. `endless`
(with `jpeg_markers`) refuses files that would keep a decoder busy for minutes, and `budget` bounds
the memory that decoders in all threads hold. `previews` finds the JPEGs in camera raw files and
Photoshop documents; `jxl` opens JPEG XL with a plugin. `decode` reads, reduces, converts and turns
a picture with the help of `reading` (Pillow and damaged files), `strips` (very large files, with
`png_strips` and `tiff_strips`), `tiff_layout` and `tiff_samples` (what Pillow cannot read of TIFF),
`reduction`,
`colour` (any pixel mode to 8-bit sRGB) and `orientation`. `dimensions` reads the width and height
alone, `small` makes pictures small, for lists, `part` cuts a part out, and
`sending` encodes what a server is sent. `pixel_values` pads, resizes and normalises as
LLaVA-1.5 does, and `model_view` turns that back into an image for people; `bicubic` has Pillow's
weights for graphics cards. Nothing here imports torch. `pixel_values` and `bicubic` import numpy
and are imported by name, so that the window starts without it.
"""

from core.picture.dimensions import picture_size
from core.picture.finding import (
    FoundPictures,
    PictureSearch,
    find_pictures,
    is_picture,
    look_for_pictures,
)
from core.picture.format import PICTURE_SUFFIXES, is_image
from core.picture.model_view import (
    ImagePreprocessing,
    given_pixels,
    lost_detail,
    square_of,
)
from core.picture.natural_order import natural_key, sorted_in_parts
from core.picture.opening import Picture, open_picture, printable
from core.picture.part import SMALLEST_PART, PicturePart, box_of, cut_out, part_of
from core.picture.sending import (
    USUAL_SENDING,
    Sending,
    encoded,
    is_encoded,
    open_to_send,
    sent_picture,
)
from core.picture.small import open_small

__all__ = [
    "PICTURE_SUFFIXES",
    "SMALLEST_PART",
    "USUAL_SENDING",
    "FoundPictures",
    "ImagePreprocessing",
    "Picture",
    "PicturePart",
    "PictureSearch",
    "Sending",
    "box_of",
    "cut_out",
    "encoded",
    "find_pictures",
    "given_pixels",
    "is_encoded",
    "is_image",
    "is_picture",
    "look_for_pictures",
    "lost_detail",
    "natural_key",
    "open_picture",
    "open_small",
    "open_to_send",
    "part_of",
    "picture_size",
    "printable",
    "sent_picture",
    "sorted_in_parts",
    "square_of",
]
