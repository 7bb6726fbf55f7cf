"""JPEG 2000, TGA, JPEG XL, and what Onlooker shows by a preview: camera raw and Photoshop files."""

import struct
import sys

import pytest
from PIL import Image

from core.errors import PictureError
from core.picture import find_pictures, open_picture
from core.picture.finding import is_picture
from tests.core.picture import previews
from tests.core.picture.image_files import (
    RED,
    assert_two_colours,
    data_of,
    error_of,
    photograph,
    two_colours,
)


def jpeg(size=(64, 32), **colours):
    return data_of(two_colours(size, **colours), "JPEG", quality=95, subsampling=0)


SMALL = jpeg((16, 8), left=(0, 90, 0))
RAW_NOTE = "This is the preview in the camera raw file, 64 × 32 pixels."


@pytest.mark.parametrize(
    ("kind", "mode", "options"),
    [
        ("JPEG2000", "RGB", {}),
        ("JPEG2000", "RGB", {"no_jp2": True}),
        *(("TGA", mode, {}) for mode in ("RGB", "RGBA", "P")),
        *(("TGA", mode, {"compression": "tga_rle"}) for mode in ("RGB", "RGBA")),
        ("TGA", "RGB", {"orientation": 1}),
        ("TGA", "RGB", {"id_section": b"written by a test"}),
    ],
)
@pytest.mark.parametrize("name", ["two.jpg", "two"])
def test_jpeg_2000_and_tga_open_whatever_the_name(tmp_path, kind, mode, options, name):
    image = two_colours().convert(mode) if mode != "P" else two_colours().quantize(4)
    path = tmp_path / name
    path.write_bytes(data_of(image, kind, **options))
    picture = open_picture(path)
    assert_two_colours(picture, tolerance=3)
    assert picture.notes == ()
    assert is_picture(path)


def test_grey_tga_opens():
    image = Image.linear_gradient("L")
    assert open_picture(data_of(image, "TGA")).pixels.getpixel((9, 200)) == (200, 200, 200)


def test_tga_without_footer_opens_and_one_that_is_cut_short_is_not_taken_for_one():
    """Version 1 of the format has no footer, and then only its length tells."""
    data = data_of(two_colours(), "TGA")
    assert data.endswith(b"TRUEVISION-XFILE.\0")
    assert_two_colours(open_picture(data[:-26]))
    assert "has an unknown format" in error_of(data[: len(data) // 2], "cut.tga")


def test_alpha_of_a_tga_counts_only_if_its_header_says_so():
    clear = two_colours().convert("RGBA")
    clear.putalpha(0)
    data = bytearray(data_of(clear, "TGA"))
    assert open_picture(bytes(data)).pixels.getpixel((5, 5)) == (255, 255, 255)
    data[17] &= 0xF0
    assert_two_colours(open_picture(bytes(data)))


def cursor():
    icon = bytearray(data_of(two_colours((32, 32)), "ICO", sizes=[(32, 32)]))
    icon[2] = 2
    return bytes(icon)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("zeros", bytes(4096)),
        ("ones", b"\1\xff" * 2048),
        ("empty cursor", b"\0\0\2\0" + bytes(100)),
        ("video", b"\0\0\1\xba" + bytes(4096)),
        ("font", b"\0\1\0\0" + bytes(range(200))),
        ("type 2, no size", b"\0\0\2" + bytes(9) + b"\0\0\0\0\x18\0" + bytes(99)),
        ("type 2, unused range", b"\0\0\2\1" + bytes(8) + b"\2\0\2\0\x18\0" + bytes(12)),
        ("type 2, too long", b"\0\0\2" + bytes(9) + b"\2\0\2\0\x18\0" + bytes(9999)),
        ("type 2, wrong depth", b"\0\0\2" + bytes(9) + b"\2\0\2\0\x17\0" + bytes(12)),
    ],
)
def test_other_files_are_not_taken_for_tga(name, data):
    assert "has an unknown format" in error_of(data, name)


def test_cursor_is_called_one_and_not_a_tga():
    assert "(cursor)" in error_of(cursor(), "arrow.cur")


def test_cut_jpeg_2000_is_shown_or_named():
    data = data_of(photograph(), "JPEG2000")
    for end in (20, 60, 100, len(data) // 2, len(data) - 9):
        try:
            picture = open_picture(data[:end], "cut.jp2")
        except PictureError as error:
            assert "incomplete" in str(error)  # noqa: PT017 (either is right)
        else:
            assert "incomplete" in picture.notes[0]


# ---- JPEG XL


def jxl(image, **options):
    pytest.importorskip("pillow_jxl")
    return data_of(image, "JXL", lossless=True, **options)


@pytest.mark.parametrize("use_container", [False, True])
@pytest.mark.parametrize("size", [(64, 32), (600, 400), (31, 77)])
def test_jpeg_xl_opens_with_the_plugin(tmp_path, size, use_container):
    path = tmp_path / "two.jxl"
    path.write_bytes(jxl(two_colours(size), use_container=use_container))
    picture = open_picture(path)
    assert_two_colours(picture)
    assert picture.original_size == size
    assert is_picture(path)


def test_jpeg_xl_without_the_plugin_says_what_to_install(tmp_path, monkeypatch):
    path = tmp_path / "two.jxl"
    path.write_bytes(b"\xff\x0a" + bytes(100))
    monkeypatch.setitem(sys.modules, "pillow_jxl", None)  # As when it is not installed.
    monkeypatch.setitem(sys.modules, "pillow_jxl.JpegXLImagePlugin", None)
    assert "“two.jxl” is a JPEG XL image. Install what reads it" in error_of(path)
    assert not is_picture(path)
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    assert error_of(path) == "“two.jxl” is a JPEG XL image. Save it as JPEG."


def test_jpeg_xl_is_refused_by_its_size_before_it_is_decoded():
    data = jxl(Image.new("L", (8000, 8000)), effort=1)
    assert len(data) < 10_000
    assert "Onlooker's limit is 891 MB" in error_of(data, "bomb.jxl")


# ---- camera raw


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.cr2", previews.raw_tiff([SMALL, jpeg()], first=[(254, 4, 1), (330, 4, 0)])),
        ("a.nef", previews.raw_tiff([SMALL, jpeg()], first=[(259, 3, 34713)])),
        ("b.nef", previews.raw_tiff([jpeg(), SMALL], start=b"MM\0*", first=[(259, 3, 34713)])),
        ("a.pef", previews.raw_tiff([SMALL, jpeg()], start=b"MM\0*", first=[(259, 3, 65535)])),
        ("a.orf", previews.raw_tiff([SMALL, jpeg()], start=b"IIRO")),
        ("a.rw2", previews.raw_tiff([SMALL, jpeg()], start=b"IIU\0")),
        ("a.arw", previews.raw_tiff([SMALL, jpeg()], first=[(259, 3, 32767)])),
        ("a.dng", previews.dng(jpeg())),
        ("a.raf", previews.raf(jpeg())),
        ("a.cr3", previews.cr3(jpeg())),
        ("searched.orf", b"IIRO\x08\0\0\0" + bytes(300) + SMALL + bytes(50) + jpeg() + bytes(99)),
    ],
)
def test_largest_preview_of_a_raw_file_is_shown_with_a_note(tmp_path, name, data):
    path = tmp_path / name
    path.write_bytes(data)
    picture = open_picture(path)
    assert_two_colours(picture, tolerance=6)
    assert picture.notes == (RAW_NOTE,)
    assert find_pictures([tmp_path], trusts_suffix=True) == [path]


def test_canons_own_mark_makes_a_tiff_a_raw_file():
    """CR2 has CR where its first directory would begin."""
    data = bytearray(previews.raw_tiff([SMALL, jpeg()]))
    entries = bytes(data[8:])
    data = b"II*\0" + struct.pack("<I", 16) + b"CR\2\0" + bytes(4) + entries
    # All offsets move by 8, so that only searching finds the previews.
    assert open_picture(data).notes == (RAW_NOTE,)


@pytest.mark.parametrize(("orientation", "size"), [(1, (64, 32)), (6, (32, 64)), (8, (32, 64))])
def test_preview_is_upright_by_the_raw_files_orientation(orientation, size):
    data = previews.raw_tiff([SMALL, jpeg()], orientation=orientation, first=[(259, 3, 34713)])
    assert open_picture(data).pixels.size == size


def test_preview_with_an_orientation_of_its_own_keeps_it():
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = data_of(two_colours(), "JPEG", exif=exif)
    data = previews.raw_tiff([SMALL, turned], orientation=8, first=[(259, 3, 34713)])
    picture = open_picture(data)
    assert picture.pixels.size == (32, 64)
    pixel = picture.pixels.getpixel((16, 5))
    assert isinstance(pixel, tuple)
    assert pixel[0] > 150
    assert pixel[1] < 60


@pytest.mark.parametrize(
    "data",
    [
        previews.raw_tiff([b"no jpeg"], first=[(259, 3, 34713)]),
        previews.raw_tiff([b"\xff\xd8\xff\xc3" + bytes(99)], first=[(259, 3, 34713)]),
        b"II*\0\x10\0\0\0CR\2\0" + bytes(99),
        b"FUJIFILMCCD-RAW " + b"\xff" * 90,
        b"IIU\0\xff\xff\xff\xff" + bytes(20),
    ],
)
def test_raw_file_without_a_preview_says_so(tmp_path, data):
    path = tmp_path / "a.nef"
    path.write_bytes(data)
    assert error_of(path) == ("“a.nef” has no preview to show (camera raw file). Save it as JPEG.")
    assert not is_picture(path)


def test_directories_of_a_raw_file_that_go_in_circles_end():
    data = previews.raw_tiff([SMALL, jpeg()], first=[(330, 4, 8), (34665, 4, 8), (259, 3, 34713)])
    assert open_picture(data).notes == (RAW_NOTE,)


def test_tiff_with_a_thumbnail_behind_it_stays_a_tiff():
    data = data_of(two_colours(), "TIFF", save_all=True, append_images=[two_colours((8, 8))])
    assert open_picture(data).notes == ("This is the first of 2 frames.",)


# ---- Photoshop documents


def test_photoshop_document_is_shown_by_its_merged_image():
    picture = open_picture(previews.psd(two_colours(), thumbnail=two_colours((16, 8))))
    assert_two_colours(picture)
    assert picture.original_size == (64, 32)
    assert picture.notes == ()


def test_fourth_channel_of_a_photoshop_document_makes_no_holes():
    masked = two_colours().convert("RGBA")
    masked.putalpha(0)
    assert_two_colours(open_picture(previews.psd(masked)))


@pytest.mark.parametrize(
    "how", [{"has_merged": False}, {"depth": 16}, {"depth": 32}, {"compression": 3}]
)
def test_photoshop_document_without_a_readable_merged_image_is_shown_by_its_preview(how):
    white = Image.new("RGB", (256, 128), "white")
    picture = open_picture(previews.psd(white, thumbnail=two_colours(), **how))
    assert_two_colours(picture, tolerance=6)
    assert picture.notes == ("This is the preview in the Photoshop document, 64 × 32 pixels.",)


def test_photoshop_document_without_either_says_so(tmp_path):
    path = tmp_path / "a.psd"
    for data in (
        previews.psd(two_colours(), has_merged=False),
        previews.psd(two_colours())[:56],
        b"8BPS\0\1" + bytes(40),
    ):
        path.write_bytes(data)
        assert error_of(path) == (
            "“a.psd” has no preview to show (Photoshop document). Save it as JPEG."
        )
        assert not is_picture(path)


def test_one_pixel_of_the_new_formats_is_a_picture():
    pixel = Image.new("RGB", (1, 1), RED)
    for data in (data_of(pixel, "TGA"), data_of(pixel, "JPEG2000"), previews.psd(pixel)):
        assert open_picture(data).pixels.size == (1, 1)
