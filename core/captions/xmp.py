"""An XMP sidecar gets an image's description; everything else in it stays as it is.

The file is understood as a tree and changed as text, so that prefixes, comments, line breaks and
the order that other programs keep stay. Before a change counts, its result is parsed, and the
canonical forms before and after, without our texts, are compared: a change that would touch
anything else is refused.
"""

# lxml comes without types.
# pyright: basic

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from xml.sax.saxutils import escape

from lxml import etree

from core.captions.xmp_packet import Packet, XmpError, canonical, parsed, place_of
from core.captions.xmp_tree import (
    ABOUT,
    ALT,
    LANG,
    LI,
    PHOTOSHOP,
    PREFIXES,
    RDF,
    Image,
    XmpProperty,
    children,
    is_default,
    text_of,
)
from core.errors import StoreError
from core.message import translatable

LARGEST = 4_000_000
"""The bytes up to which an XMP file is read; a tree takes twenty times as many."""

_NEW = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/">
</x:xmpmeta>
<?xpacket end="w"?>
"""
_FORM = translatable("core", "its description has a form that Onlooker cannot change")
# Each is found anew in the text; a broken program writes two or three.
_MOST_DEFAULTS = 10
# Not allowed in XML 1.0, not even as references.
_FORBIDDEN = re.compile("[^\t\n\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


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
    if _is_blank(data):
        return XmpTexts()
    try:
        image = Image(parsed(Packet.split(data or b"").body))
        description, alt_text, extended = map(image.text, XmpProperty)
        return XmpTexts(description, alt_text, extended, image.extension)
    except XmpError as error:
        raise _refused(error, name) from error


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
        is_new = _is_blank(before)
        packet = Packet.split(_NEW.encode() if is_new else before or b"")
        body = packet.body
        image = Image(parsed(body))
        for one in texts:
            image.text(one)  # What cannot be read is not changed either.
        del image
        for one, text in texts.items():
            body = _with_text(body, one, _clean(text))
        if is_new and extension:
            body = _with_extension(body, extension)
        after = packet.joined(body)
        _prove(packet.body, Packet.split(after).body, texts, is_new=is_new)
        return after
    except XmpError as error:
        raise _refused(error, name) from error


def description_of(data: bytes | None) -> str:
    """Returns `dc:description`, "" without one. Raises StoreError."""
    return read(data).description


def alt_text_of(data: bytes | None) -> str:
    """Returns the alternative text, "" without one. Raises StoreError."""
    return read(data).alt_text


def _is_blank(data: bytes | None) -> bool:
    return not data or not data.strip(b" \t\r\n\0")


def _clean(text: str) -> str:
    return _FORBIDDEN.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))


def _refused(error: XmpError, name: str) -> StoreError:
    if not name:
        text = translatable(
            "core", "The XMP file cannot be changed ({reason}). Move it away, then try again."
        )
        return StoreError(text.format(reason=error))
    text = translatable(
        "core", "The XMP file “{name}” cannot be changed ({reason}). Move it away, then try again."
    )
    return StoreError(text.format(name=name, reason=error))


# Changing the text


def _with_text(body: str, name: XmpProperty, text: str) -> str:
    """Returns the element with one property set; each step is found anew in the text."""
    body = _without_attribute(body, name)
    image = Image(parsed(body))
    found = image.elements(name)
    if len(found) > 1 or (found and not _is_changeable(found[0])):
        raise XmpError(_FORM)
    if not found:
        return _with_property(body, image, name, text)
    alts = children(found[0])
    if not alts:
        # Nothing, or a plain text, which the new one takes the place of.
        content = _alt(found[0], text)
        return _with_content(body, found[0], content)
    defaults = [li for li in children(alts[0]) if is_default(li) or LANG not in li.attrib]
    if not defaults:
        return _with_first(body, alts[0], _li(alts[0], text))
    if len(defaults) > _MOST_DEFAULTS:
        raise XmpError(_FORM)
    for extra in reversed(defaults[1:]):
        body = _without(body, extra)
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
        and not _has_own_text(element)
        and not _has_own_text(alts[0])
        and all(li.tag == LI and not children(li) and set(li.attrib) <= {LANG} for li in items)
        and (not without_language or len(items) == 1)
    )


def _has_own_text(element: etree._Element) -> bool:
    return bool(((element.text or "") + "".join(child.tail or "" for child in element)).strip())


def _with_default(body: str, li: etree._Element, text: str) -> str:
    if LANG not in li.attrib:
        place = place_of(body, li)
        tag = f'<{place.name} xml:lang="x-default">{escape(text)}</{place.name}>'
        return body[: place.start] + tag + body[place.end :]
    return _with_content(body, li, escape(text))


def _with_property(body: str, image: Image, name: XmpProperty, text: str) -> str:
    """Adds a description of its own for a property, as Adobe's programs do for each schema."""
    parent = image.root if image.rdf is None else image.rdf
    rdf, declared = _prefix(parent, RDF)
    namespace, _, local = name[1:].partition("}")
    prefix = PREFIXES[namespace]
    about = escape(image.about, {'"': "&quot;"})
    new = (
        f'<{rdf}:Description{"" if image.rdf is None else declared} {rdf}:about="{about}"'
        f' xmlns:{prefix}="{namespace}">\n'
        f"   <{prefix}:{local}>{_alt(parent, text, declares=False)}</{prefix}:{local}>\n"
        f"  </{rdf}:Description>"
    )
    if image.rdf is None:
        new = f"<{rdf}:RDF{declared}>\n  {new}\n </{rdf}:RDF>"
    return _with_last(body, parent, new, " ")


def _with_extension(body: str, extension: str) -> str:
    node = Image(parsed(body)).nodes[0]
    new = f'<photoshop:SidecarForExtension xmlns:photoshop="{PHOTOSHOP}">{escape(extension)}'
    return _with_last(body, node, f"{new}</photoshop:SidecarForExtension>", "  ")


def _alt(parent: etree._Element, text: str, *, declares: bool = True) -> str:
    rdf, declared = _prefix(parent, RDF)
    li = f'<{rdf}:li xml:lang="x-default">{escape(text)}</{rdf}:li>'
    return f"<{rdf}:Alt{declared if declares else ''}>{li}</{rdf}:Alt>"


def _li(parent: etree._Element, text: str) -> str:
    rdf, declared = _prefix(parent, RDF)
    return f'<{rdf}:li{declared} xml:lang="x-default">{escape(text)}</{rdf}:li>'


def _prefix(element: etree._Element, namespace: str) -> tuple[str, str]:
    """Returns a prefix for a namespace inside an element, and its declaration if it needs one."""
    for prefix, known in element.nsmap.items():
        if prefix and known == namespace:
            return prefix, ""
    return PREFIXES[namespace], f' xmlns:{PREFIXES[namespace]}="{namespace}"'


def _with_content(body: str, element: etree._Element, content: str) -> str:
    place = place_of(body, element)
    if place.is_self_closing:
        opening = _opened(body[place.start : place.end])
        return f"{body[: place.start]}{opening}{content}</{place.name}>{body[place.end :]}"
    return body[: place.content_start] + content + body[place.content_end :]


def _with_first(body: str, parent: etree._Element, new: str) -> str:
    place = place_of(body, parent)
    if place.is_self_closing:
        return _with_content(body, parent, new)
    blank = re.compile(r"\s*").match(body, place.content_start)
    between = blank[0] if blank else ""
    return body[: place.content_start] + between + new + body[place.content_start :]


def _with_last(body: str, parent: etree._Element, new: str, indent: str) -> str:
    """Adds to a parent, on a line of its own."""
    place = place_of(body, parent)
    line = body[body.rfind("\n", 0, place.start) + 1 : place.start]
    outer = line if not line.strip() else ""
    if place.is_self_closing:
        return _with_content(body, parent, f"\n{outer}{indent}{new}\n{outer}")
    end = place.content_start + len(body[place.content_start : place.content_end].rstrip())
    rest = body[end : place.content_end] or f"\n{outer}"
    return f"{body[:end]}\n{outer}{indent}{new}{rest}{body[place.content_end :]}"


def _without(body: str, element: etree._Element) -> str:
    place = place_of(body, element)
    start = len(body[: place.start].rstrip())
    return body[:start] + body[place.end :]


def _without_attribute(body: str, name: XmpProperty) -> str:
    """Takes a property out of the start tag; its text is in what takes its place, or replaced."""
    image = Image(parsed(body))
    nodes = image.attributes(name)
    if len(nodes) > 1 or (nodes and image.elements(name)):
        raise XmpError(_FORM)
    for node in nodes:
        place = place_of(body, node)
        tag = body[place.start : place.content_start]
        namespace, _, local = name[1:].partition("}")
        names = [f"{prefix}:{local}" for prefix, known in node.nsmap.items() if known == namespace]
        pattern = rf"\s({'|'.join(map(re.escape, names))})\s*=\s*(\"[^\"]*\"|'[^']*')"
        body = body[: place.start] + re.sub(pattern, "", tag) + body[place.content_start :]
    return body


def _opened(tag: str) -> str:
    return f"{tag[:-2].rstrip()}>"


# Proving


def _prove(before: str, after: str, texts: dict[XmpProperty, str], *, is_new: bool) -> None:
    """Raises XmpError unless `after` holds the texts, and differs in nothing else."""
    image = Image(parsed(after))
    for name, text in texts.items():
        if image.defaults(name) != [_clean(text)]:
            raise XmpError(_FORM)
    if is_new:
        return
    del image
    if _remains(before, texts) != _remains(after, texts):
        raise XmpError(translatable("core", "a change would change something else in it"))


def _remains(body: str, texts: dict[XmpProperty, str]) -> tuple[bytes, list[object]]:
    """Returns the canonical form without our texts and blanks around them, and what our
    properties say in other languages."""
    image = Image(parsed(body))
    others = [other for name in texts for other in _other_languages(image, name)]
    for name in texts:
        for element in image.elements(name):
            _drop(element)
        for node in image.attributes(name):
            del node.attrib[name]
    rdf = [] if image.rdf is None else [image.rdf]
    for parent in (image.root, *rdf, *image.nodes):
        _drop_blanks(parent)
    for element in (*image.nodes, *rdf):
        is_bare = not len(element) and not element.text and set(element.attrib) <= {*ABOUT}
        if is_bare and element is not image.root:
            _drop(element)
    return canonical(image.root), others


def _other_languages(image: Image, name: XmpProperty) -> Iterator[object]:
    for element in image.elements(name):
        for li in element.iterfind(f"{ALT}/{LI}"):
            if not is_default(li) and LANG in li.attrib:
                yield name, li.get(LANG), text_of(li)


def _drop(element: etree._Element) -> None:
    parent = element.getparent()
    if parent is None or (element.tail or "").strip():
        raise XmpError(_FORM)
    parent.remove(element)


def _drop_blanks(parent: etree._Element) -> None:
    parent.text = parent.text if (parent.text or "").strip() else None
    for child in parent:
        child.tail = child.tail if (child.tail or "").strip() else None
