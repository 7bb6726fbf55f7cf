"""Changes the text of an XMP file: properties added, replaced and taken away where they stand."""

# lxml comes without types.
# pyright: basic

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from xml.sax.saxutils import escape

from lxml import etree

from core.captions.xmp_packet import XmpError, canonical, parsed, place_of
from core.captions.xmp_tree import (
    ABOUT,
    ALT,
    LANG,
    LI,
    PHOTOSHOP,
    PREFIXES,
    RDF,
    Image,
    is_default,
    text_of,
)
from core.errors import StoreError
from core.message import translatable

NEW_FILE = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/">
</x:xmpmeta>
<?xpacket end="w"?>
"""
FORM = translatable("core", "its description has a form that Onlooker cannot change")
"""Why an unusual file is left as it is."""
# Not allowed in XML 1.0, not even as references.
_FORBIDDEN = re.compile("[^\t\n\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def is_blank(data: bytes | None) -> bool:
    """Returns whether a file says nothing."""
    return not data or not data.strip(b" \t\r\n\0")


def clean(text: str) -> str:
    """Returns a text as XML can hold it."""
    return _FORBIDDEN.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))


def refused(error: XmpError, name: str) -> StoreError:
    """Returns the error for the user."""
    if not name:
        text = translatable(
            "core", "The XMP file cannot be changed ({reason}). Move it away, then try again."
        )
        return StoreError(text.format(reason=error))
    text = translatable(
        "core", "The XMP file “{name}” cannot be changed ({reason}). Move it away, then try again."
    )
    return StoreError(text.format(name=name, reason=error))


def has_own_text(element: etree._Element) -> bool:
    """Returns whether an element has text beside its children."""
    return bool(((element.text or "") + "".join(child.tail or "" for child in element)).strip())


def parent_of_descriptions(image: Image) -> etree._Element:
    """Returns the element to which a description is added."""
    return image.root if image.rdf is None else image.rdf


def with_property(body: str, image: Image, name: str, content: str) -> str:
    """Adds a description of its own for a property, as Adobe's programs do for each schema."""
    parent = parent_of_descriptions(image)
    rdf, declared = prefix_of(parent, RDF)
    namespace, _, local = name[1:].partition("}")
    prefix = PREFIXES[namespace]
    about = escape(image.about, {'"': "&quot;"})
    new = (
        f'<{rdf}:Description{"" if image.rdf is None else declared} {rdf}:about="{about}"'
        f' xmlns:{prefix}="{namespace}">\n'
        f"   <{prefix}:{local}>{content}</{prefix}:{local}>\n"
        f"  </{rdf}:Description>"
    )
    if image.rdf is None:
        new = f"<{rdf}:RDF{declared}>\n  {new}\n </{rdf}:RDF>"
    return with_last(body, parent, new, " ")


def with_extension(body: str, extension: str) -> str:
    """Says in a new file to which image it belongs."""
    node = Image(parsed(body)).nodes[0]
    new = f'<photoshop:SidecarForExtension xmlns:photoshop="{PHOTOSHOP}">{escape(extension)}'
    return with_last(body, node, f"{new}</photoshop:SidecarForExtension>", "  ")


def prefix_of(element: etree._Element, namespace: str) -> tuple[str, str]:
    """Returns a prefix for a namespace inside an element, and its declaration if it needs one."""
    for prefix, known in element.nsmap.items():
        if prefix and known == namespace:
            return prefix, ""
    return PREFIXES[namespace], f' xmlns:{PREFIXES[namespace]}="{namespace}"'


def with_content(body: str, element: etree._Element, content: str) -> str:
    """Replaces what is inside an element."""
    place = place_of(body, element)
    if place.is_self_closing:
        opening = _opened(body[place.start : place.end])
        return f"{body[: place.start]}{opening}{content}</{place.name}>{body[place.end :]}"
    return body[: place.content_start] + content + body[place.content_end :]


def with_first(body: str, parent: etree._Element, new: str) -> str:
    """Adds to a parent, before all that is there."""
    place = place_of(body, parent)
    if place.is_self_closing:
        return with_content(body, parent, new)
    blank = re.compile(r"\s*").match(body, place.content_start)
    between = blank[0] if blank else ""
    return body[: place.content_start] + between + new + body[place.content_start :]


def with_last(body: str, parent: etree._Element, new: str, indent: str) -> str:
    """Adds to a parent, on a line of its own."""
    place = place_of(body, parent)
    line = body[body.rfind("\n", 0, place.start) + 1 : place.start]
    outer = line if not line.strip() else ""
    if place.is_self_closing:
        return with_content(body, parent, f"\n{outer}{indent}{new}\n{outer}")
    end = place.content_start + len(body[place.content_start : place.content_end].rstrip())
    rest = body[end : place.content_end] or f"\n{outer}"
    return f"{body[:end]}\n{outer}{indent}{new}{rest}{body[place.content_end :]}"


def without(body: str, element: etree._Element) -> str:
    """Takes an element away, with the blanks before it."""
    place = place_of(body, element)
    start = len(body[: place.start].rstrip())
    return body[:start] + body[place.end :]


def without_attribute(body: str, name: str) -> str:
    """Takes a property out of the start tag; its text is in what takes its place, or replaced."""
    image = Image(parsed(body))
    nodes = image.attributes(name)
    if len(nodes) > 1 or (nodes and image.elements(name)):
        raise XmpError(FORM)
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


def remains(body: str, names: Collection[str]) -> tuple[bytes, list[object]]:
    """Returns the canonical form without these properties and the blanks around them, and what
    they say in other languages."""
    image = Image(parsed(body))
    others = [other for name in names for other in _other_languages(image, name)]
    for name in names:
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


def _other_languages(image: Image, name: str) -> Iterator[object]:
    for element in image.elements(name):
        for li in element.iterfind(f"{ALT}/{LI}"):
            if not is_default(li) and LANG in li.attrib:
                yield name, li.get(LANG), text_of(li)


def _drop(element: etree._Element) -> None:
    parent = element.getparent()
    if parent is None or (element.tail or "").strip():
        raise XmpError(FORM)
    parent.remove(element)


def _drop_blanks(parent: etree._Element) -> None:
    parent.text = parent.text if (parent.text or "").strip() else None
    for child in parent:
        child.tail = child.tail if (child.tail or "").strip() else None
