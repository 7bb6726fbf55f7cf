"""What a server is sent of a picture file."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageChops, ImageCms

from core.errors import PictureError
from core.picture import Sending, encoded, open_picture, open_to_send
from core.picture.sending import encode

SECRET = b"Ada Lovelace, 51.5 N"


def pixels(size=(120, 80)) -> Image.Image:
    return Image.effect_noise((size[0] // 8, size[1] // 8), 60).resize(size).convert("RGB")


def metadata() -> dict[str, Any]:
    exif = Image.Exif()
    exif[0x010E] = SECRET.decode()
    return {"exif": exif, "comment": SECRET, "xmp": b"<x:xmpmeta>" + SECRET + b"</x:xmpmeta>"}


def sent(path: Path, sending: Sending) -> Image.Image:
    picture = open_to_send(path, sending)
    content = encoded(picture, sending)
    assert SECRET not in content
    image = Image.open(io.BytesIO(content))
    assert not image.getexif()
    image.load()
    assert image.mode == "RGB"
    assert image.size == picture.pixels.size
    return image


def difference(one: Image.Image, other: Image.Image) -> int:
    return int(np.asarray(ImageChops.difference(one, other)).max())


@pytest.mark.parametrize("progressive", [False, True])
def test_small_upright_jpeg_is_sent_as_it_is_but_for_its_metadata(tmp_path, progressive):
    path = tmp_path / "a.jpg"
    pixels().save(path, quality=80, progressive=progressive, **metadata())
    # Cameras store further pictures behind the end.
    path.write_bytes(path.read_bytes() + b"\xff\xd8" + SECRET)
    assert SECRET in path.read_bytes()
    image = sent(path, Sending(1024))
    assert difference(image, open_picture(path).pixels) == 0
    # Encoded again in the best quality it would be larger.
    assert len(encoded(open_to_send(path, Sending(1024)), Sending(1024))) < path.stat().st_size


def turned(path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, SECRET.decode()
    pixels().save(path, "JPEG", exif=exif)


def profiled(path: Path) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    pixels().save(path, "JPEG", icc_profile=profile, **metadata())


def grey(path: Path) -> None:
    pixels().convert("L").save(path, "JPEG", **metadata())


def cmyk(path: Path) -> None:
    pixels().convert("CMYK").save(path, "JPEG", **metadata())


def cut_short(path: Path) -> None:
    pixels((400, 300)).save(path, "JPEG", **metadata())
    path.write_bytes(path.read_bytes()[:-600])


def png(path: Path) -> None:
    pixels().save(path, "PNG", exif=metadata()["exif"])


def heavy(path: Path) -> None:
    Image.effect_noise((120, 80), 90).convert("RGB").save(path, "JPEG", quality=100, subsampling=0)


@pytest.mark.parametrize("make", [turned, profiled, grey, cmyk, cut_short, png, heavy])
@pytest.mark.parametrize("is_png", [False, True])
def test_other_files_are_encoded_as_they_are_shown(tmp_path, make, is_png):
    path = tmp_path / "a"
    make(path)
    sending = Sending(1024, is_png)
    image, shown = sent(path, sending), open_picture(path)
    assert image.format == ("PNG" if is_png else "JPEG")
    expected = Image.open(io.BytesIO(encode(shown.pixels, sending)))
    assert difference(image, expected) == 0
    picture = open_to_send(path, sending)
    assert (picture.notes, picture.original_size) == (shown.notes, shown.original_size)


@pytest.mark.parametrize("size", [(3000, 2000), (2000, 3000), (1100, 300)])
@pytest.mark.parametrize("orientation", [1, 6])
def test_large_jpeg_is_reduced(tmp_path, size, orientation):
    path = tmp_path / "a.jpg"
    exif = Image.Exif()
    exif[0x0112] = orientation
    pixels(size).save(path, exif=exif)
    image = sent(path, Sending(600))
    assert max(image.size) == 600
    whole = open_picture(path)
    assert open_to_send(path, Sending(600)).original_size == whole.original_size
    assert (image.width > image.height) == (whole.pixels.width > whole.pixels.height)
    expected = whole.pixels.resize(image.size, Image.Resampling.LANCZOS)
    assert difference(image.reduce(4), expected.reduce(4)) < 16


def test_file_that_is_no_picture_is_refused_with_its_name(tmp_path):
    path = tmp_path / "a.jpg"
    path.write_bytes(b"\xff\xd8\xff" + bytes(200))
    with pytest.raises(PictureError, match=r"“a\.jpg”"):
        open_to_send(path, Sending())
