"""What cannot be opened says so in one sentence, and leaves nothing behind."""

import contextlib
import os
import struct
import sys
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from PIL import Image

from core.errors import PictureError
from core.picture import find_pictures, open_picture
from core.picture.finding import is_picture
from tests.core.picture.image_files import (
    chunk,
    data_of,
    error_of,
    photograph,
    png,
    python,
    two_colours,
)


def test_each_file_that_is_no_picture_says_what_it_is(tmp_path):
    contents = {
        "empty.jpg": (b"", "is empty"),
        "letter.jpg": (b"Dear Sir,\nno picture here.\n", "is a text file, not an image"),
        "page.png": (b"<!DOCTYPE html><html></html>", "is a web page, not an image"),
        "drawing.svg": (b"<?xml version='1.0'?>\n<svg xmlns='x'/>", "(SVG drawing)"),
        "paper.pdf": (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", "(PDF document)"),
        "design.psd": (b"8BPS\0\1" + bytes(40), "(Photoshop document)"),
        "photo.cr2": (b"II*\0\x10\0\0\0CR\2\0" + bytes(40), "(camera raw file)"),
        "photo.cr3": (b"\0\0\0\x18ftypcrx \0\0\0\1crx isom" + bytes(40), "(camera raw file)"),
        "film.mp4": (b"\0\0\0\x18ftypisom\0\0\2\0isommp41" + bytes(40), "(video)"),
        "noise.png": (bytes(range(1, 255)) + b"\0", "has an unknown format"),
    }
    seen = set()
    for name, (content, meant) in contents.items():
        path = tmp_path / name
        path.write_bytes(content)
        text = error_of(path)
        assert name in text
        assert meant in text
        assert not is_picture(path)
        seen.add(text.replace(name, ""))
    assert len(seen) >= len(contents) - 1  # Two camera raw files.


def test_raw_file_that_begins_like_a_tiff_is_called_raw():
    tags = Image.Exif()
    tags[50706] = b"\1\4\0\0"
    data = data_of(two_colours(), "TIFF", tiffinfo=tags)
    assert "camera raw" in error_of(data, "photo.dng")


def test_folder_vanished_file_and_device_say_so(tmp_path):
    assert "is a folder" in error_of(tmp_path)
    assert "“gone.jpg” is no longer there" in error_of(tmp_path / "gone.jpg")
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.jpg")
        assert "not a file" in error_of(tmp_path / "pipe.jpg")
        assert find_pictures([tmp_path]) == []


@pytest.mark.skipif(sys.platform == "win32", reason="permissions are other there")
def test_unreadable_file_says_so():
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        path = folder / "secret.png"
        path.write_bytes(data_of(two_colours(), "PNG"))
        path.chmod(0)
        # Nothing is unreadable to root, which therefore becomes nobody.
        done = python(f"""
            import os
            from pathlib import Path
            from PIL import Image, ImageCms
            from core.picture import (find_pictures, open_picture)
            if os.geteuid() == 0:
                os.setuid(65534)
            print(find_pictures([Path({name!r})]))
            open_picture(Path({str(path)!r}))
        """)
    assert "You have no permission to read “secret.png”" in done.stderr
    assert done.stdout == "[]\n"


def test_absurd_pixel_count_is_refused_before_it_is_decoded():
    bomb = png(60_000, 60_000, 8, 2, [b""])
    assert "claims to have 60000 × 60000 pixels" in error_of(bomb, "bomb.png")
    icon = data_of(Image.new("RGB", (64, 64)), "ICO", sizes=[(64, 64)])
    at = icon.index(b"IHDR")
    header = struct.pack(">II", 60_000, 60_000) + icon[at + 12 : at + 17]
    bomb = icon[: at - 4] + chunk(b"IHDR", header) + icon[at + 21 :]
    assert "claims to have 60000 × 60000 pixels" in error_of(bomb, "bomb.ico")


def test_pictures_open_side_by_side_and_pillow_keeps_its_limit(tmp_path):
    before = Image.MAX_IMAGE_PIXELS
    path = tmp_path / "large.png"
    Image.new("1", (14_000, 14_000)).save(path)  # Over Pillow's own limit.
    data = data_of(two_colours(), "PNG")
    barrier = threading.Barrier(4)

    def open_one(source):
        barrier.wait()
        return open_picture(source).original_size

    with ThreadPoolExecutor(4) as pool:
        sizes = list(pool.map(open_one, [path, data, path, data]))
    assert sizes == [(14_000, 14_000), (64, 32)] * 2
    assert before == Image.MAX_IMAGE_PIXELS


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_no_file_stays_open(tmp_path):
    for kind, end in (("PNG", None), ("JPEG", 900), ("GIF", None), ("TIFF", 90), ("WEBP", 100)):
        path = tmp_path / kind
        path.write_bytes(data_of(photograph(), kind)[:end])
        with contextlib.suppress(PictureError):
            open_picture(path)
        if Path("/proc/self/fd").exists():
            held = [fd.readlink() for fd in Path("/proc/self/fd").iterdir() if fd.is_symlink()]
            assert path not in held
