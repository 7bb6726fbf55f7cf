"""An XMP sidecar gets a picture's description; every other byte of it stays as it is.

The text is inserted at byte offsets that expat reports. The file is not written anew from a tree:
that would lose prefixes, comments, packet wrappers and the order that other programs keep.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass, field
from xml.parsers import expat
from xml.sax.saxutils import escape

from core.errors import StoreError

RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
DC = "http://purl.org/dc/elements/1.1/"
IPTC = "http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/"
XML = "http://www.w3.org/XML/1998/namespace"

DESCRIPTION = f"{DC} description"
ALT_TEXT = f"{IPTC} AltTextAccessibility"
_PREFIXES = {DC: "dc", IPTC: "Iptc4xmpCore"}

_NEW = f"""<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/">
 <rdf:RDF xmlns:rdf="{RDF}">
 </rdf:RDF>
</x:xmpmeta>
<?xpacket end="w"?>
"""
# Not allowed in XML 1.0, not even as references.
_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def described(before: bytes | None, *, description: str, alt_text: str) -> bytes:
    """The sidecar with both texts as their x-default; other languages stay.

    Raises StoreError when `before` is no XMP that can be added to.
    """
    data = before if before and before.strip() else _NEW.encode()
    for name, text in ((DESCRIPTION, description), (ALT_TEXT, alt_text)):
        data = _with_text(data, name, _FORBIDDEN.sub("", text))
    return data


def description_of(data: bytes | None) -> str:
    """`dc:description` in x-default, or in the first language there is; "" without one."""
    return _text_of(data, DESCRIPTION)


def alt_text_of(data: bytes | None) -> str:
    return _text_of(data, ALT_TEXT)


def _text_of(data: bytes | None, name: str) -> str:
    if not data or not data.strip():
        return ""
    found = _scan(data, name)
    return (found.default or found.first or "").strip()


def _with_text(data: bytes, name: str, text: str) -> bytes:
    found = _scan(data, name)
    encoding = _encoding_of(data)
    li = f'<rdf:li xmlns:rdf="{RDF}" xml:lang="x-default">{escape(text)}</rdf:li>'
    if found.default_range:
        start, end = found.default_range
        new = escape(text)
    elif found.alt_start is not None:
        start = end = found.alt_start
        new = li
    elif found.is_there:
        raise StoreError(
            "The XMP file holds a description in a form that Onlooker cannot add to. Move the "
            "file away, then try again."
        )
    elif found.rdf_end is not None:
        start = end = found.rdf_end
        new = _new_description(name, li, found.about)
    else:
        raise StoreError("The XMP file holds no rdf:RDF. Move the file away, then try again.")
    return data[:start] + new.encode(encoding, "xmlcharrefreplace") + data[end:]


def _new_description(name: str, li: str, about: str) -> str:
    namespace, _, local = name.partition(" ")
    tag = f"{_PREFIXES[namespace]}:{local}"
    quoted = escape(about, {'"': "&quot;"})
    return (
        f' <rdf:Description xmlns:rdf="{RDF}" rdf:about="{quoted}"'
        f' xmlns:{_PREFIXES[namespace]}="{namespace}">\n'
        f"   <{tag}><rdf:Alt>{li}</rdf:Alt></{tag}>\n"
        "  </rdf:Description>\n "
    )


@dataclass
class _Found:
    """Where things stand, in bytes. Ranges are of what is between the tags."""

    is_there: bool = False
    default_range: tuple[int, int] | None = None
    default: str | None = None
    first: str | None = None
    alt_start: int | None = None
    rdf_end: int | None = None
    about: str = ""
    open: list[str] = field(default_factory=list)


def _scan(data: bytes, name: str) -> _Found:
    found = _Found()
    parser = expat.ParserCreate(namespace_separator=" ")
    # What comes next ends the start tag before it.
    begun: list[str] = []
    text: list[str] | None = None
    li_start: int | None = None
    is_default = False

    def on_any() -> None:
        """The byte after the start tag that was just read."""
        nonlocal li_start
        if not begun:
            return
        tag, at = begun.pop(), parser.CurrentByteIndex
        if tag == f"{RDF} Alt" and found.open[-2:-1] == [name]:
            found.alt_start = at
        elif tag == f"{RDF} li" and text is not None:
            li_start = at

    def on_start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal text, is_default
        on_any()
        found.open.append(tag)
        if tag == name:
            found.is_there = True
        if tag == f"{RDF} Description" and found.open[-2:-1] == [f"{RDF} RDF"]:
            found.about = found.about or attributes.get(f"{RDF} about", "")
            found.is_there = found.is_there or name in attributes
        if tag == f"{RDF} li" and found.open[-3:-1] == [name, f"{RDF} Alt"]:
            text, is_default = [], attributes.get(f"{XML} lang") == "x-default"
        begun.append(tag)

    def on_end(tag: str) -> None:
        nonlocal text
        at = parser.CurrentByteIndex
        # A tag that closes itself has nothing between.
        closes_itself = bool(begun) and data[at : at + 4].replace(b"\0", b"")[:2] != b"</"
        if closes_itself:
            begun.clear()
        on_any()
        if tag == f"{RDF} li" and text is not None:
            said = "".join(text)
            found.first = said if found.first is None else found.first
            if is_default and not closes_itself and li_start is not None:
                found.default, found.default_range = said, (li_start, at)
            text = None
        if tag == f"{RDF} RDF" and not closes_itself:
            found.rdf_end = at
        found.open.pop()

    def on_text(said: str) -> None:
        on_any()
        if text is not None:
            text.append(said)

    def on_other(*_: str) -> None:
        on_any()

    parser.StartElementHandler = on_start
    parser.EndElementHandler = on_end
    parser.CharacterDataHandler = on_text
    parser.CommentHandler = on_other
    parser.ProcessingInstructionHandler = on_other
    parser.buffer_text = False
    try:
        parser.Parse(data, True)
    except (expat.ExpatError, LookupError, ValueError) as error:
        raise StoreError(
            f"The XMP file is damaged ({error}). Move it away, then try again."
        ) from error
    return found


def _encoding_of(data: bytes) -> str:
    if data.startswith(codecs.BOM_UTF16_LE):
        return "utf-16-le"
    if data.startswith(codecs.BOM_UTF16_BE):
        return "utf-16-be"
    declared = re.match(rb"""<\?xml[^>]*encoding=["']([\w.-]+)["']""", data)
    return declared[1].decode() if declared else "utf-8"
