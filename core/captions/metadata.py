"""What the metadata of an image says: when and where it was taken, by what, and who is in it.

EXIF, XMP (in the file and beside it) and IPTC. What is broken or odd counts as missing, since
opening the image reports what is wrong with it.
"""

# lxml comes without types.
# pyright: basic

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, fields
from datetime import date
from pathlib import Path
from typing import Any, TypeVar

from lxml import etree
from PIL import ExifTags, Image

from core.captions import xmp
from core.captions.xmp_packet import Packet, XmpError, parsed
from core.captions.xmp_tree import DC, IPTC, LI, PHOTOSHOP, XmpProperty
from core.captions.xmp_tree import Image as XmpImage
from core.files import read_regular
from core.picture import PICTURE_SUFFIXES

_Value = TypeVar("_Value")

_EXIF_TAGS = {name.casefold(): tag for tag, name in ExifTags.TAGS.items()}
# Texts that Windows writes.
_WIDE_TAGS = {
    *(ExifTags.Base.XPTitle, ExifTags.Base.XPComment, ExifTags.Base.XPAuthor),
    *(ExifTags.Base.XPKeywords, ExifTags.Base.XPSubject),
}
_GPS_TAGS = {name.casefold(): tag for tag, name in ExifTags.GPSTAGS.items()}
_EXTENDED = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
_REGIONS = "http://www.metadataworkinggroup.com/schemas/regions/"
_MICROSOFT = "http://ns.microsoft.com/photo/1.2/t/Region#"
_XMP = "http://ns.adobe.com/xap/1.0/"
_EXIF = "http://ns.adobe.com/exif/1.0/"
_PLACES = (
    f"{{{IPTC}}}Location",
    *(f"{{{PHOTOSHOP}}}{one}" for one in ("City", "State", "Country")),
)
_DATES = (f"{{{PHOTOSHOP}}}DateCreated", f"{{{_EXIF}}}DateTimeOriginal", f"{{{_XMP}}}CreateDate")
_DATE = re.compile(r"(\d{4})(?:\D?(\d{2})(?:\D?(\d{2}))?)?")
# Cameras write these where a person would describe the image.
_NO_DESCRIPTION = re.compile(
    r"(?:olympus|minolta|kodak|konica|samsung|sony|panasonic|casio|dcim|dsc|digital|camera|default"
    r"|untitled|screenshot|\d|\W|_)*+",
    re.IGNORECASE,
)
_MONTHS = (
    *("January", "February", "March", "April", "May", "June", "July", "August", "September"),
    *("October", "November", "December"),
)
# What a person writes is shorter; more would crowd the prompt out.
_LONGEST = 1_000
_MOST = 50
# Whatever Pillow's readers and lxml raise for damaged files.
_READ_ERRORS = (
    *(OSError, ValueError, SyntaxError, EOFError, LookupError, TypeError, AttributeError),
    *(ArithmeticError, RuntimeError, AssertionError, MemoryError, struct.error, zlib.error),
    *(Image.DecompressionBombError, etree.LxmlError, XmpError),
)


@dataclass(frozen=True)
class Metadata:
    """What is known; "" and () for what is not. `date` and `place` are as people write them."""

    date: str = ""
    place: str = ""
    camera: str = ""
    description: str = ""
    keywords: tuple[str, ...] = ()
    people: tuple[str, ...] = ()

    def over(self, other: Metadata) -> Metadata:
        """Returns this, with the other one's values where this has none."""
        values = ((field.name, getattr(self, field.name)) for field in fields(self))
        return Metadata(**{name: value or getattr(other, name) for name, value in values})


def metadata_of(picture: Path) -> Metadata:
    """Returns what an image's metadata says. What is in a sidecar counts before what is in the
    file, and there XMP before IPTC before EXIF, as programs for photos have it."""
    found = Metadata()
    for path in _sidecars(picture):
        try:
            found = found.over(_from_xmp(read_regular(path, most=xmp.LARGEST), picture))
        except _READ_ERRORS:
            continue
    return found.over(_from_file(picture))


def exif_value(picture: Path, name: str) -> str:
    """Returns an EXIF tag by its name, as text; "" if there is none."""
    key = name.strip().casefold()
    try:
        with Image.open(picture) as image:
            exif = image.getexif()
            if (tag := _EXIF_TAGS.get(key)) is not None:
                value = exif.get(tag, exif.get_ifd(ExifTags.IFD.Exif).get(tag, ""))
                return _text(
                    _wide(value) if tag in _WIDE_TAGS else _with_named_encoding(value, exif.endian)
                )
            if (tag := _GPS_TAGS.get(key)) is not None:
                return _text(
                    _with_named_encoding(
                        exif.get_ifd(ExifTags.IFD.GPSInfo).get(tag, ""), exif.endian
                    )
                )
    except _READ_ERRORS:
        return ""
    return ""


def _sidecars(picture: Path) -> Iterator[Path]:
    """Yields the XMP files that may be the image's: after its name, then after its stem."""
    yield picture.with_name(f"{picture.name}.xmp")
    by_stem = picture.with_suffix(".xmp")
    if by_stem.suffix.lower() not in PICTURE_SUFFIXES:
        yield by_stem


def _from_file(picture: Path) -> Metadata:
    try:
        with Image.open(picture) as image:
            found = Metadata()
            for read in (_from_embedded_xmp, _from_iptc, _from_exif):
                try:
                    found = found.over(read(image))
                except _READ_ERRORS:
                    continue
            return found
    except _READ_ERRORS:
        return Metadata()


# XMP


def _from_embedded_xmp(image: Image.Image) -> Metadata:
    data = image.info.get("xmp") or image.info.get("XML:com.adobe.xmp") or b""
    data = data.encode() if isinstance(data, str) else data
    return _from_xmp(data) if data and len(data) <= xmp.LARGEST else Metadata()


def _from_xmp(data: bytes, picture: Path | None = None) -> Metadata:
    image = XmpImage(parsed(Packet.split(data).body))
    if picture and image.extension and image.extension.lower() != picture.suffix[1:].lower():
        return Metadata()
    places = (_value(image, name) for name in _PLACES)
    dates = (_date(_value(image, name)) for name in _DATES)
    return Metadata(
        date=next(filter(None, dates), ""),
        place=", ".join(dict.fromkeys(filter(None, places))),
        description=_description(image.text(XmpProperty.DESCRIPTION)),
        keywords=_several(_items(image, f"{{{DC}}}subject")),
        people=_several([*_items(image, f"{{{_EXTENDED}}}PersonInImage"), *_faces(image)]),
    )


def _value(image: XmpImage, name: str) -> str:
    found = [str(node.get(name)) for node in image.attributes(name)]
    found += ["".join(map(str, element.itertext())) for element in image.elements(name)]
    return next(filter(None, map(_text, found)), "")


def _items(image: XmpImage, name: str) -> Iterator[str]:
    for element in image.elements(name):
        for item in element.iter(LI):
            yield "".join(map(str, item.itertext()))


def _faces(image: XmpImage) -> Iterator[str]:
    """Yields the names of faces that people have marked: in digiKam, Lightroom or Windows."""
    for element in image.root.iter(etree.Element):
        if _own(element, f"{{{_REGIONS}}}Type") == "Face":
            yield _own(element, f"{{{_REGIONS}}}Name")
        yield _own(element, f"{{{_MICROSOFT}}}PersonDisplayName")


def _own(element: etree._Element, name: str) -> str:
    """Returns a value of a structure, which is an attribute or an element."""
    value = element.get(name)
    return str(value) if value is not None else str(element.findtext(name) or "")


# IPTC and EXIF


def _from_iptc(image: Image.Image) -> Metadata:
    blocks = image.info.get("photoshop")
    data = blocks.get(0x0404) if isinstance(blocks, dict) else None
    if not isinstance(data, bytes):
        return Metadata()
    records = list(_iptc_records(data))
    is_utf8 = (1, 90, b"\x1b%G") in records

    def texts(number: int) -> list[str]:
        return [
            _decoded(value, is_utf8) for part, kind, value in records if (part, kind) == (2, number)
        ]

    places = [text for number in (92, 90, 95, 101) for text in texts(number)]
    return Metadata(
        date=next(filter(None, map(_date, texts(55))), ""),
        place=", ".join(dict.fromkeys(filter(None, map(_text, places)))),
        description=_description(" ".join(texts(120))),
        keywords=_several(texts(25)),
    )


def _iptc_records(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    position = 0
    while position + 5 <= len(data) and data[position] == 0x1C:
        part, kind = data[position + 1], data[position + 2]
        size = int.from_bytes(data[position + 3 : position + 5], "big")
        if size & 0x8000:
            return  # A size of more than two bytes is that of pictures.
        yield part, kind, data[position + 5 : position + 5 + size]
        position += 5 + size


def _decoded(value: bytes, is_utf8: bool) -> str:
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value.decode("utf-8" if is_utf8 else "latin-1", "replace")


def _from_exif(image: Image.Image) -> Metadata:
    exif = image.getexif()
    own = _or_else(lambda: exif.get_ifd(ExifTags.IFD.Exif), {})
    base = ExifTags.Base
    dates = (
        own.get(base.DateTimeOriginal),
        own.get(base.DateTimeDigitized),
        exif.get(base.DateTime),
    )
    make, model = _text(exif.get(base.Make)), _text(exif.get(base.Model))
    first = make.partition(" ")[0].casefold()
    camera = model if first and model.casefold().startswith(first) else f"{make} {model}".strip()
    keywords = _or_else(lambda: _wide(exif.get(base.XPKeywords)).split(";"), [])
    return Metadata(
        date=next(filter(None, (_date(_text(one)) for one in dates)), ""),
        place=_or_else(lambda: _coordinates(exif.get_ifd(ExifTags.IFD.GPSInfo)), ""),
        camera=camera,
        description=_description(_text(exif.get(base.ImageDescription))),
        keywords=_several(keywords),
    )


def _or_else(read: Callable[[], _Value], nothing: _Value) -> _Value:
    """Returns what is read, or nothing where it is broken: the other values still count."""
    try:
        return read()
    except _READ_ERRORS:
        return nothing


def _coordinates(gps: dict[int, Any]) -> str:
    tags = ExifTags.GPS
    parts: list[str] = []
    for value, sign, most in (
        (gps.get(tags.GPSLatitude), gps.get(tags.GPSLatitudeRef), 90),
        (gps.get(tags.GPSLongitude), gps.get(tags.GPSLongitudeRef), 180),
    ):
        if value is None or sign not in ("N", "S", "E", "W"):
            return ""
        degrees = sum(float(one) / 60**power for power, one in enumerate(value))
        if not 0 <= degrees <= most:
            return ""
        parts.append(f"{degrees:.4f}° {sign}")
    # Cameras without a signal write zeros.
    return "" if all(part.startswith("0.0000°") for part in parts) else ", ".join(parts)


def _wide(value: Any) -> str:
    """Returns a text as Windows writes it into EXIF."""
    return value.decode("utf-16-le", "replace") if isinstance(value, bytes) else ""


# Text


def _with_named_encoding(value: Any, byte_order: str | None) -> Any:
    """Returns a text that names its encoding in its first eight bytes, as UserComment does, without
    that name; anything else as it is."""
    name, text = (value[:8], value[8:]) if isinstance(value, bytes) else (b"", b"")
    match name.rstrip(b"\0"):
        case b"ASCII":
            return text
        case b"UNICODE":
            return text.decode("utf-16-be" if byte_order == ">" else "utf-16-le", "replace")
        case b"JIS":
            return text.decode("iso2022_jp", "replace")
        case _:
            return value


def _text(value: Any) -> str:
    """Returns a value on one line, without control characters, and not too long."""
    if value is None:
        return ""
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
    text = "".join(one if one.isprintable() else " " for one in text)
    return " ".join(text.split())[:_LONGEST].rstrip()


def _several(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(filter(None, map(_text, values))))[:_MOST]


def _description(text: str) -> str:
    text = _text(text)
    return "" if _NO_DESCRIPTION.fullmatch(text) else text


def _date(text: str) -> str:
    """Returns a date as people write it: 3 May 1987, May 1987 or 1987."""
    found = _DATE.match(text)
    if found is None:
        return ""
    year, month, day = (int(part or 0) for part in found.groups())
    try:
        date(year, month or 1, day or 1)
    except ValueError:
        return ""
    if not month:
        return str(year)
    return f"{day} {_MONTHS[month - 1]} {year}" if day else f"{_MONTHS[month - 1]} {year}"
