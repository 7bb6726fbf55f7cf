"""An XMP sidecar gets an image's description; everything else in it stays as it is.

The file is understood as a tree and changed as text, so that prefixes, comments, line breaks and
the order that other programs keep stay. Before a change counts, its result is parsed, and the
canonical forms before and after, without our texts, are compared: a change that would touch
anything else is refused.
"""

# lxml comes without types.
# pyright: basic

from __future__ import annotations

from dataclasses import dataclass
from xml.sax.saxutils import escape

from lxml import etree

from core.captions.xmp_edit import (
    FORM,
    NEW_FILE,
    clean,
    has_own_text,
    is_blank,
    parent_of_descriptions,
    prefix_of,
    refused,
    remains,
    with_content,
    with_extension,
    with_first,
    with_property,
    without,
    without_attribute,
)
from core.captions.xmp_packet import Packet, XmpError, parsed, place_of
from core.captions.xmp_tree import (
    ALT,
    LANG,
    LI,
    RDF,
    Image,
    XmpProperty,
    children,
    is_default,
)
from core.message import translatable

LARGEST = 4_000_000
"""The bytes up to which an XMP file is read; a tree takes twenty times as many."""

# Each is found anew in the text; a broken program writes two or three.
_MOST_DEFAULTS = 10


@dataclass(frozen=True)
class XmpTexts:
    """The texts of an XMP file for everybody (x-default), or in the first language there is.

    `extension` is that of the image to which the file belongs, as Adobe's programs write it into
    sidecars that they name after the stem; "" if the file does not say.
    """

    description: str = ""
    alt_text: str = ""
    extended: str = ""
    extension: str = ""


def read(data: bytes | None, name: str = "") -> XmpTexts:
    """Returns the texts in a file; `name` is its own name, for errors. Raises StoreError."""
    if is_blank(data):
        return XmpTexts()
    try:
        image = Image(parsed(Packet.split(data or b"").body))
        description, alt_text, extended = map(image.text, XmpProperty)
        return XmpTexts(description, alt_text, extended, image.extension)
    except XmpError as error:
        raise refused(error, name) from error


def described(
    before: bytes | None,
    *,
    description: str,
    alt_text: str,
    extended: str | None = None,
    extension: str = "",
    name: str = "",
) -> bytes:
    """Returns the file with these texts as their x-default; other languages stay.

    `extended` is the long description, None to leave it. A new file says that it belongs to the
    image with `extension`, if that is given. Raises StoreError where the file cannot be changed
    without touching anything else; `name` is its name.
    """
    texts = {XmpProperty.DESCRIPTION: description, XmpProperty.ALT_TEXT: alt_text}
    if extended is not None:
        texts[XmpProperty.EXTENDED] = extended
    try:
        is_new = is_blank(before)
        packet = Packet.split(NEW_FILE.encode() if is_new else before or b"")
        body = packet.body
        image = Image(parsed(body))
        for one in texts:
            image.text(one)  # What cannot be read is not changed either.
        del image
        for one, text in texts.items():
            body = _with_text(body, one, clean(text))
        if is_new and extension:
            body = with_extension(body, extension)
        after = packet.joined(body)
        _prove(packet.body, Packet.split(after).body, texts, is_new=is_new)
        return after
    except XmpError as error:
        raise refused(error, name) from error


def description_of(data: bytes | None) -> str:
    """Returns `dc:description`, "" without one. Raises StoreError."""
    return read(data).description


def alt_text_of(data: bytes | None) -> str:
    """Returns the alternative text, "" without one. Raises StoreError."""
    return read(data).alt_text


# Changing the text


def _with_text(body: str, name: XmpProperty, text: str) -> str:
    """Returns the element with one property set; each step is found anew in the text."""
    body = without_attribute(body, name)
    image = Image(parsed(body))
    found = image.elements(name)
    if len(found) > 1 or (found and not _is_changeable(found[0])):
        raise XmpError(FORM)
    if not found:
        content = _alt(parent_of_descriptions(image), text, declares=False)
        return with_property(body, image, name, content)
    alts = children(found[0])
    if not alts:
        # Nothing, or a plain text, which the new one takes the place of.
        content = _alt(found[0], text)
        return with_content(body, found[0], content)
    defaults = [li for li in children(alts[0]) if is_default(li) or LANG not in li.attrib]
    if not defaults:
        return with_first(body, alts[0], _li(alts[0], text))
    if len(defaults) > _MOST_DEFAULTS:
        raise XmpError(FORM)
    for extra in reversed(defaults[1:]):
        body = without(body, extra)
    # What was taken away stood behind the first, which therefore is where it was.
    return _with_default(body, defaults[0], text)


def _is_changeable(element: etree._Element) -> bool:
    """Returns whether a property is a list of languages, a plain text, or empty."""
    if element.attrib:
        return False
    alts = children(element)
    if not alts:
        return True
    items = children(alts[0])
    without_language = [li for li in items if LANG not in li.attrib]
    return (
        [alt.tag for alt in alts] == [ALT]
        and not alts[0].attrib
        and not has_own_text(element)
        and not has_own_text(alts[0])
        and all(li.tag == LI and not children(li) and set(li.attrib) <= {LANG} for li in items)
        and (not without_language or len(items) == 1)
    )


def _with_default(body: str, li: etree._Element, text: str) -> str:
    if LANG not in li.attrib:
        place = place_of(body, li)
        tag = f'<{place.name} xml:lang="x-default">{escape(text)}</{place.name}>'
        return body[: place.start] + tag + body[place.end :]
    return with_content(body, li, escape(text))


def _alt(parent: etree._Element, text: str, *, declares: bool = True) -> str:
    rdf, declared = prefix_of(parent, RDF)
    li = f'<{rdf}:li xml:lang="x-default">{escape(text)}</{rdf}:li>'
    return f"<{rdf}:Alt{declared if declares else ''}>{li}</{rdf}:Alt>"


def _li(parent: etree._Element, text: str) -> str:
    rdf, declared = prefix_of(parent, RDF)
    return f'<{rdf}:li{declared} xml:lang="x-default">{escape(text)}</{rdf}:li>'


# Proving


def _prove(before: str, after: str, texts: dict[XmpProperty, str], *, is_new: bool) -> None:
    """Raises XmpError unless `after` holds the texts, and differs in nothing else."""
    image = Image(parsed(after))
    for name, text in texts.items():
        if image.defaults(name) != [clean(text)]:
            raise XmpError(FORM)
    if is_new:
        return
    del image
    if remains(before, texts) != remains(after, texts):
        raise XmpError(translatable("core", "a change would change something else in it"))
