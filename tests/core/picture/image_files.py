"""Makes the files that the tests of pictures open, and compares what they become."""

import io
import struct
import subprocess
import sys
import textwrap
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.errors import PictureError
from core.picture import open_picture

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


def photograph(size=(400, 300)):
    noise = np.random.default_rng(3).integers(0, 256, (size[1] // 8, size[0] // 8, 3), np.uint8)
    return Image.fromarray(noise).resize(size)


def error_of(source, name=None):
    """The text with which opening `source` fails: what happened, and what to do."""
    with pytest.raises(PictureError) as caught:
        open_picture(source, name)
    text = str(caught.value)
    assert text.endswith(".")
    assert text.count(". ") == 1, "not two sentences"
    assert "\n" not in text
    return text


def python(script, **options):
    """Runs a script in a process of its own, where warnings are errors."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(script)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        **options,
    )
