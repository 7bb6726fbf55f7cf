"""Real files, made on the spot, in every format that Onlooker opens."""

import struct
import sys

import pytest
from PIL import Image

from core.errors import PictureError
from core.picture import open_picture
from core.picture.finding import is_picture
from tests.core.picture.image_files import assert_two_colours, data_of, two_colours


@pytest.mark.parametrize(
    ("kind", "options", "tolerance"),
    [
        ("JPEG", {"quality": 95, "subsampling": 0}, 4),
        ("JPEG", {"quality": 95, "subsampling": 0, "progressive": True}, 4),
        ("PNG", {}, 0),
        ("WEBP", {"lossless": True}, 0),
        ("WEBP", {"quality": 95}, 12),
        ("GIF", {}, 0),
        ("BMP", {}, 0),
        ("TIFF", {}, 0),
        ("TIFF", {"compression": "tiff_lzw"}, 0),
        ("TIFF", {"compression": "tiff_deflate"}, 0),
        ("TIFF", {"compression": "jpeg", "quality": 95}, 6),
        ("AVIF", {"quality": 95}, 12),
        ("ICO", {"sizes": [(64, 32)]}, 0),
        ("PPM", {}, 0),
    ],
)
@pytest.mark.parametrize("misleading", [".jpg", ".txt", ""])
def test_format_is_recognised_by_content_whatever_the_name(
    tmp_path, kind, options, tolerance, misleading
):
    path = tmp_path / f"two colours{misleading}"
    path.write_bytes(data_of(two_colours(), kind, **options))
    picture = open_picture(path)
    assert_two_colours(picture, tolerance=tolerance)
    assert (picture.path, picture.name) == (path, path.name)
    assert picture.original_size == picture.pixels.size == (64, 32)
    assert picture.notes == ()
    assert is_picture(path)


@pytest.fixture
def heic(tmp_path):
    pillow_heif = pytest.importorskip("pillow_heif")
    path = tmp_path / "phone.heic"
    pillow_heif.from_pillow(two_colours()).save(path, quality=95)
    return path


def test_heic_opens_with_the_extra_installed(heic):
    assert_two_colours(open_picture(heic), tolerance=14)
    assert is_picture(heic)


def test_heic_opens_with_the_reader_that_the_package_carries(heic, monkeypatch):
    pytest.importorskip("pi_heif")
    monkeypatch.setitem(sys.modules, "pillow_heif", None)  # As when it is not installed.
    assert_two_colours(open_picture(heic), tolerance=14)


def test_heic_without_a_reader_says_what_to_install(heic, monkeypatch):
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    monkeypatch.setitem(sys.modules, "pi_heif", None)
    with pytest.raises(PictureError, match=r"“phone.heic” is a HEIC .*pip install pillow-heif"):
        open_picture(heic)


def test_packaged_program_without_a_reader_asks_for_no_installation(heic, monkeypatch):
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    monkeypatch.setitem(sys.modules, "pi_heif", None)
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    with pytest.raises(PictureError) as raised:
        open_picture(heic)
    assert str(raised.value) == "“phone.heic” is a HEIC image. Save it as JPEG."


def test_bytes_without_a_path_are_a_pasted_picture():
    data = data_of(two_colours(), "PNG")
    pasted = open_picture(data)
    assert_two_colours(pasted)
    assert (pasted.path, pasted.name) == (None, "Pasted image")
    assert open_picture(data, "from the web.png").name == "from the web.png"
    with pytest.raises(PictureError, match="The pasted image is empty"):
        open_picture(b"")
    with pytest.raises(PictureError, match=r"“web\.png” is empty"):
        open_picture(b"", "web.png")


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "TIFF", "AVIF"])
def test_first_of_several_frames_is_shown_with_a_note(kind):
    frames = [two_colours(), *(two_colours(left=(0, shade, 0)) for shade in (90, 160))]
    options = {"lossless": True} if kind == "WEBP" else {}
    data = data_of(frames[0], kind, save_all=True, append_images=frames[1:], **options)
    picture = open_picture(data)
    assert_two_colours(picture, tolerance=20 if kind == "AVIF" else 2)
    assert picture.notes == ("This is the first of 3 frames.",)


def test_largest_image_of_an_icon_is_shown():
    icon = data_of(two_colours((128, 128)), "ICO", sizes=[(16, 16), (128, 128), (32, 32)])
    assert open_picture(icon).pixels.size == (128, 128)


@pytest.mark.parametrize("is_animated", [False, True])
def test_part_of_a_gif_that_its_first_frame_leaves_out_is_white(is_animated):
    """Not the first colour of the palette, which is that of the frame here."""
    palette = bytes((255, 0, 0, 0, 255, 0))
    frame = b"," + struct.pack("<HHHH", 20, 10, 20, 20) + b"\0\x02"
    whole = data_of(Image.new("P", (20, 20)), "GIF")
    at = whole.index(b"," + struct.pack("<HHHH", 0, 0, 20, 20)) + 10
    drawn = frame[:-1] + whole[at : whole.index(b"\0;", at) + 1]
    head = b"GIF89a" + struct.pack("<HH", 60, 40) + b"\x80\1\0" + palette
    picture = open_picture(head + drawn * (2 if is_animated else 1) + b";")
    assert picture.pixels.size == (60, 40)
    assert picture.pixels.getpixel((0, 0)) == (255, 255, 255)
    assert picture.pixels.getpixel((30, 20)) == (255, 0, 0)
