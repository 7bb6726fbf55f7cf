"""What a file is, told by its first bytes and never by its name."""

from __future__ import annotations

HEAD_BYTES = 512
"""How much of a file `format_of` wants to see."""

PICTURE_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "HEIF", "ICO", "PPM")

_HEIF_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}

# Start of the file, and what to call it.
_UNSUPPORTED = (
    (b"%PDF", "a PDF document"),
    (b"%!PS", "a PostScript document"),
    (b"\xc5\xd0\xd3\xc6", "a PostScript document"),
    (b"8BPS", "a Photoshop document"),
    (b"gimp xcf", "a GIMP document"),
    (b"\x00\x00\x00\x0cJXL ", "a JPEG XL picture"),
    (b"\xff\x0a", "a JPEG XL picture"),
    (b"\x00\x00\x00\x0cjP  ", "a JPEG 2000 picture"),
    (b"\xff\x4f\xff\x51", "a JPEG 2000 picture"),
    (b"v/1\x01", "an OpenEXR picture"),
    (b"#?RADIANCE", "a Radiance HDR picture"),
    (b"qoif", "a QOI picture"),
    (b"DDS ", "a DDS texture"),
    (b"\x00\x00\x02\x00", "a cursor"),
    (b"FUJIFILMCCD-RAW", "a camera raw file"),
    (b"IIRO", "a camera raw file"),
    (b"IIRS", "a camera raw file"),
    (b"MMOR", "a camera raw file"),
    (b"IIU\x00", "a camera raw file"),
    (b"PK\x03\x04", "a ZIP archive or an office document"),
    (b"\x1a\x45\xdf\xa3", "a video"),
)


def format_of(head: bytes) -> str | None:
    """Pillow's name for the format these first bytes begin; "a …" for one we do not show."""
    match head[:2]:
        case b"\xff\xd8":
            return "JPEG" if head[2:3] == b"\xff" else None
        case b"\x89P":
            return "PNG" if head.startswith(b"\x89PNG\r\n\x1a\n") else None
        case b"GI":
            return "GIF" if head[:6] in (b"GIF87a", b"GIF89a") else None
        case b"RI":
            return "WEBP" if head[:4] == b"RIFF" and head[8:12] == b"WEBP" else None
        case b"BM":
            sizes = (12, 16, 40, 52, 56, 64, 108, 124)
            return "BMP" if int.from_bytes(head[14:18], "little") in sizes else None
        case b"II" | b"MM" if head[2:4] in (b"*\0", b"\0*", b"+\0", b"\0+"):
            return "a camera raw file" if head[8:10] == b"CR" else "TIFF"
        case b"\0\0" if head[:4] == b"\0\0\1\0" and head[4:6] != b"\0\0":
            return "ICO"
        case b"P1" | b"P2" | b"P3" | b"P4" | b"P5" | b"P6" | b"Pf":
            return "PPM" if head[2:3] in (b" ", b"\t", b"\n", b"\r", b"#") else None
    if head[4:8] == b"ftyp":
        return _boxed_format_of(head)
    for start, kind in _UNSUPPORTED:
        if head.startswith(start):
            return kind
    return _text_format_of(head)


def _boxed_format_of(head: bytes) -> str | None:
    """The format of an ISO base media file, by its brands."""
    end = min(int.from_bytes(head[:4], "big"), len(head))
    brands = [head[8:12], *(head[i : i + 4] for i in range(16, end - 3, 4))]
    if {b"avif", b"avis"}.intersection(brands):
        return "AVIF"
    if _HEIF_BRANDS.intersection(brands):
        return "HEIF"
    return "a camera raw file" if brands[0] == b"crx " else "a video"


def _text_format_of(head: bytes) -> str | None:
    if not head or not _is_text(head):
        return None
    text = head.lower().removeprefix(b"\xef\xbb\xbf").lstrip()
    if text.startswith((b"<!doctype html", b"<html")):
        return "a web page"
    return "an SVG drawing" if b"<svg" in text else "text"


def _is_text(head: bytes) -> bool:
    if b"\0" in head:
        return False
    try:
        # The head may end inside a character.
        head.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return error.start > len(head) - 4 and len(head) == HEAD_BYTES
    return True
