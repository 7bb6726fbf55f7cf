"""A new caption in an old file: everything about the file that is not its text stays."""

import codecs

import pytest

from core.captions import xmp
from core.errors import StoreError
from core.workspace.caption_file import LARGEST_TEXT, CaptionFile

NEW = "ein Café\nin zwei Zeilen"
BOMS = {
    "utf-8-sig": codecs.BOM_UTF8,
    "utf-16-le": codecs.BOM_UTF16_LE,
    "utf-16-be": codecs.BOM_UTF16_BE,
    "utf-32-le": codecs.BOM_UTF32_LE,
    "utf-8": b"",
}


def written(path, data, caption):
    path.write_bytes(data)
    return CaptionFile.read(str(path)).with_caption(caption)


@pytest.mark.parametrize("encoding", BOMS)
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("tail", ["", "{end}", "{end}{end}", "  "])
def test_encoding_line_ends_and_what_is_around_stay(tmp_path, encoding, end, tail):
    codec, tail = encoding.removesuffix("-sig"), tail.format(end=end)
    old = BOMS[encoding] + f"  früher{end}und später{tail}".encode(codec)
    data = written(tmp_path / "a.txt", old, NEW)
    assert data == BOMS[encoding] + f"  {NEW.replace(chr(10), end)}{tail}".encode(codec)
    (tmp_path / "a.txt").write_bytes(data)
    file = CaptionFile.read(str(tmp_path / "a.txt"))
    assert file.caption == NEW
    assert file.with_caption("früher\nund später") == old


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (b"a , b,c\r\n", "a , b,c,d", b"a , b,c,d\r\n"),
        (b"one\r\ntwo\nthree", "1\n2\n3", b"1\r\n2\n3"),
        (b"one\r\ntwo\r\nthree\n", "1\n2", b"1\r\n2\n"),
        (b"one\r\n", "1\n2", b"1\r\n2\r\n"),
        (b"", "new", b"new\n"),
        (b"\xef\xbb\xbf", "new", b"\xef\xbb\xbfnew\n"),
        (b"old\n", "", b""),
        (b"  \r\n", "new", b"new\n"),
        ("früher war alles schön\n".encode("cp1252"), "schön", "schön\n".encode("cp1252")),
        ("früher war alles schön\n".encode("cp1252"), "猫", "猫\n".encode()),
        ("früher war alles schön\n".encode("cp1252"), "5 €", "5 €\n".encode()),
    ],
)
def test_new_caption_takes_the_form_of_the_old_file(tmp_path, old, new, expected):
    assert written(tmp_path / "a.txt", old, new) == expected


def test_no_file_is_made_for_no_caption(tmp_path):
    file = CaptionFile.read(str(tmp_path / "a.txt"))
    assert (file.data, file.caption, file.with_caption("")) == (None, "", None)
    assert file.with_caption("a\nb") == b"a\nb\n"


def test_xmp_file_keeps_what_is_not_its_description(tmp_path):
    path = tmp_path / "a.xmp"
    before = xmp.described(None, description="old", alt_text="its own", extended="old")
    path.write_bytes(before)
    data = CaptionFile.read(str(path)).with_caption("new & <better>")
    texts = xmp.read(data)
    assert (texts.description, texts.alt_text, texts.extended) == (
        *("new & <better>", "its own"),
        "new & <better>",
    )
    path.write_bytes(data)
    again = CaptionFile.read(str(path))
    assert again.caption == "new & <better>"
    assert again.with_caption("old") == before


@pytest.mark.parametrize(
    "data",
    [b"a" * (LARGEST_TEXT + 1), b"\x81\x8d\x8f\x90\x9d", b"GIF89a\x01\0\x01\0\0\0\0" + bytes(20)],
)
def test_what_is_no_caption_file_is_refused(tmp_path, data):
    (tmp_path / "a.txt").write_bytes(data)
    with pytest.raises(StoreError, match=r"a\.txt"):
        CaptionFile.read(str(tmp_path / "a.txt"))


def test_caption_that_could_not_be_read_again_is_refused(tmp_path):
    with pytest.raises(StoreError, match="larger"):
        CaptionFile.read(str(tmp_path / "a.txt")).with_caption("a" * LARGEST_TEXT)
