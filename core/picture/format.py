"""Recognises the format of a file by its first bytes, never by its name."""

from __future__ import annotations

from enum import Enum, StrEnum, auto

from core.message import Message, translatable

HEAD_BYTES = 512
"""How many bytes of a file `format_of` needs to see."""

# fmt: off
PICTURE_SUFFIXES = (
    ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".apng", ".webp", ".gif", ".bmp", ".dib", ".tif",
    ".tiff", ".avif", ".heic", ".heif", ".hif", ".ico", ".ppm", ".pgm", ".pbm", ".pnm", ".pfm",
    ".jp2", ".j2k", ".jpf", ".jpx", ".j2c", ".tga", ".jxl", ".psd",
    ".cr2", ".cr3", ".nef", ".nrw", ".arw", ".dng", ".pef", ".orf", ".rw2", ".raf", ".srw",
)
# fmt: on
"""For file dialogs. Which format a file really has, its content says."""

TRUSTED_SUFFIXES = frozenset(PICTURE_SUFFIXES[: PICTURE_SUFFIXES.index(".jp2")])
"""For quick searches: files of the other formats may be unreadable, so that those are looked at."""


class PictureFormat(StrEnum):
    """A format that Onlooker opens; the value is Pillow's name for it, if Pillow opens it."""

    JPEG = "JPEG"
    PNG = "PNG"
    WEBP = "WEBP"
    GIF = "GIF"
    BMP = "BMP"
    TIFF = "TIFF"
    AVIF = "AVIF"
    HEIF = "HEIF"
    ICO = "ICO"
    PPM = "PPM"
    JPEG_2000 = "JPEG2000"
    TGA = "TGA"
    JPEG_XL = "JXL"
    PSD = "PSD"
    CAMERA_RAW = "RAW"


class OtherFormat(Enum):
    """A format that is recognised so that an error can name it, but not opened."""

    CURSOR = auto()
    DDS = auto()
    GIMP = auto()
    OPENEXR = auto()
    PDF = auto()
    POSTSCRIPT = auto()
    QOI = auto()
    RADIANCE = auto()
    SVG = auto()
    TEXT = auto()
    VIDEO = auto()
    WEB_PAGE = auto()
    ZIP = auto()


_NAMES: dict[PictureFormat | OtherFormat, Message] = {
    PictureFormat.CAMERA_RAW: translatable("core", "camera raw file"),
    PictureFormat.JPEG_XL: translatable("core", "JPEG XL image"),
    PictureFormat.PSD: translatable("core", "Photoshop document"),
    OtherFormat.CURSOR: translatable("core", "cursor"),
    OtherFormat.DDS: translatable("core", "DDS texture"),
    OtherFormat.GIMP: translatable("core", "GIMP document"),
    OtherFormat.OPENEXR: translatable("core", "OpenEXR image"),
    OtherFormat.PDF: translatable("core", "PDF document"),
    OtherFormat.POSTSCRIPT: translatable("core", "PostScript document"),
    OtherFormat.QOI: translatable("core", "QOI image"),
    OtherFormat.RADIANCE: translatable("core", "Radiance HDR image"),
    OtherFormat.SVG: translatable("core", "SVG drawing"),
    OtherFormat.VIDEO: translatable("core", "video"),
    OtherFormat.WEB_PAGE: translatable("core", "web page"),
    OtherFormat.ZIP: translatable("core", "ZIP archive or office document"),
}


def name_of(kind: PictureFormat | OtherFormat) -> Message:
    """Returns what a sentence calls a file of this format."""
    if kind in _NAMES:
        return _NAMES[kind]
    if isinstance(kind, PictureFormat):
        return translatable("core", "{format} image").format(format=kind.value)
    return translatable("core", "file")


_HEIF_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}

_SIGNATURES: tuple[tuple[bytes, PictureFormat | OtherFormat], ...] = (
    (b"%PDF", OtherFormat.PDF),
    (b"%!PS", OtherFormat.POSTSCRIPT),
    (b"\xc5\xd0\xd3\xc6", OtherFormat.POSTSCRIPT),
    (b"8BPS", PictureFormat.PSD),
    (b"gimp xcf", OtherFormat.GIMP),
    (b"\x00\x00\x00\x0cJXL ", PictureFormat.JPEG_XL),
    (b"\xff\x0a", PictureFormat.JPEG_XL),
    (b"\x00\x00\x00\x0cjP  ", PictureFormat.JPEG_2000),
    (b"\xff\x4f\xff\x51", PictureFormat.JPEG_2000),
    (b"v/1\x01", OtherFormat.OPENEXR),
    (b"#?RADIANCE", OtherFormat.RADIANCE),
    (b"qoif", OtherFormat.QOI),
    (b"DDS ", OtherFormat.DDS),
    (b"FUJIFILMCCD-RAW", PictureFormat.CAMERA_RAW),
    (b"IIRO", PictureFormat.CAMERA_RAW),
    (b"IIRS", PictureFormat.CAMERA_RAW),
    (b"MMOR", PictureFormat.CAMERA_RAW),
    (b"IIU\x00", PictureFormat.CAMERA_RAW),
    (b"PK\x03\x04", OtherFormat.ZIP),
    (b"\x1a\x45\xdf\xa3", OtherFormat.VIDEO),
)


def format_of(head: bytes) -> PictureFormat | OtherFormat | None:
    """Returns the format of a file that begins with `head`, its first `HEAD_BYTES`.

    Returns None for an unknown format, and for TGA, which `core.picture.recognition` recognises.
    """
    match head[:2]:
        case b"\xff\xd8":
            return PictureFormat.JPEG if head[2:3] == b"\xff" else None
        case b"\x89P":
            return PictureFormat.PNG if head.startswith(b"\x89PNG\r\n\x1a\n") else None
        case b"GI":
            return PictureFormat.GIF if head[:6] in (b"GIF87a", b"GIF89a") else None
        case b"RI":
            return PictureFormat.WEBP if head[:4] == b"RIFF" and head[8:12] == b"WEBP" else None
        case b"BM":
            header_sizes = (12, 16, 40, 52, 56, 64, 108, 124)
            header_size = int.from_bytes(head[14:18], "little")
            return PictureFormat.BMP if header_size in header_sizes else None
        case b"II" | b"MM" if head[2:4] in (b"*\0", b"\0*", b"+\0", b"\0+"):
            return PictureFormat.CAMERA_RAW if head[8:10] == b"CR" else PictureFormat.TIFF
        case b"\0\0" if head[:4] == b"\0\0\1\0" and head[4:6] != b"\0\0":
            return PictureFormat.ICO
        case b"\0\0" if head[:4] == b"\0\0\2\0" and head[4:6] != b"\0\0":
            return OtherFormat.CURSOR  # Else it may be a TGA.
        case b"P1" | b"P2" | b"P3" | b"P4" | b"P5" | b"P6" | b"Pf":
            return PictureFormat.PPM if head[2:3] in (b" ", b"\t", b"\n", b"\r", b"#") else None
        case _ if head[4:8] == b"ftyp":
            return _base_media_format_of(head)
        case _:
            signed = (kind for start, kind in _SIGNATURES if head.startswith(start))
            return next(signed, None) or _text_format_of(head)


def is_image(data: bytes) -> bool:
    """Returns whether a file's content begins as that of an image, and is not text, which may
    begin with the letters of a format."""
    return isinstance(format_of(data[:HEAD_BYTES]), PictureFormat) and not _is_text(data)


def _base_media_format_of(head: bytes) -> PictureFormat | OtherFormat:
    """The format of an ISO base media file (ISO/IEC 14496-12), by its major and other brands."""
    end = min(int.from_bytes(head[:4], "big"), len(head))
    brands = [head[8:12], *(head[i : i + 4] for i in range(16, end - 3, 4))]
    if {b"avif", b"avis"}.intersection(brands):
        return PictureFormat.AVIF
    if _HEIF_BRANDS.intersection(brands):
        return PictureFormat.HEIF
    return PictureFormat.CAMERA_RAW if brands[0] == b"crx " else OtherFormat.VIDEO


def _text_format_of(head: bytes) -> OtherFormat | None:
    if not head or not _is_text(head):
        return None
    text = head.lower().removeprefix(b"\xef\xbb\xbf").lstrip()
    if text.startswith((b"<!doctype html", b"<html")):
        return OtherFormat.WEB_PAGE
    return OtherFormat.SVG if b"<svg" in text else OtherFormat.TEXT


def _is_text(head: bytes) -> bool:
    if b"\0" in head:
        return False
    try:
        head.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        # The head may end inside a character.
        return error.start > len(head) - 4 and len(head) == HEAD_BYTES
    return True
