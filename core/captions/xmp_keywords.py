"""The keywords of an XMP file (`dc:subject`): read, and replaced; all else in it stays as it is."""

# lxml comes without types.
# pyright: basic

from __future__ import annotations

from collections.abc import Sequence
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
    with_property,
    without_attribute,
)
from core.captions.xmp_packet import Packet, XmpError, parsed, place_of
from core.captions.xmp_tree import BAG, LI, RDF, SEQ, SUBJECT, Image, children, text_of
from core.message import translatable


def keywords_of(data: bytes | None, name: str = "") -> list[str]:
    """Returns the keywords in a file; `name` is its own name, for errors. Raises StoreError."""
    if is_blank(data):
        return []
    try:
        return _keywords(Image(parsed(Packet.split(data or b"").body)))
    except XmpError as error:
        raise refused(error, name) from error


def with_keywords(
    before: bytes | None, keywords: Sequence[str], *, extension: str = "", name: str = ""
) -> bytes:
    """Returns the file with these keywords. Those that it has already stay as they are written.

    A new file says that it belongs to the image with `extension`, if that is given. Raises
    StoreError where the file cannot be changed without touching anything else.
    """
    wanted = [text for keyword in keywords if (text := " ".join(clean(keyword).split()))]
    try:
        is_new = is_blank(before)
        packet = Packet.split(NEW_FILE.encode() if is_new else before or b"")
        body = _with_keywords(packet.body, wanted)
        if is_new and extension:
            body = with_extension(body, extension)
        after = packet.joined(body)
        _prove(packet.body, Packet.split(after).body, wanted, is_new=is_new)
        return after
    except XmpError as error:
        raise refused(error, name) from error


def _keywords(image: Image) -> list[str]:
    found = [str(node.get(SUBJECT)) for node in image.attributes(SUBJECT)]
    for element in image.elements(SUBJECT):
        lists = children(element)
        items = [li for one in lists for li in one.iterchildren(LI)]
        found += [text_of(li) for li in items] if lists else [text_of(element)]
    return [text for one in found if (text := " ".join(one.split()))]


def _with_keywords(body: str, keywords: list[str]) -> str:
    body = without_attribute(body, SUBJECT)
    image = Image(parsed(body))
    found = image.elements(SUBJECT)
    if len(found) > 1 or (found and not _is_changeable(found[0])):
        raise XmpError(FORM)
    if not found:
        parent = parent_of_descriptions(image)
        return with_property(body, image, SUBJECT, _bag(parent, keywords, declares=False))
    lists = children(found[0])
    if not lists:
        return with_content(body, found[0], _bag(found[0], keywords))
    return with_content(body, lists[0], _items(body, lists[0], keywords))


def _is_changeable(element: etree._Element) -> bool:
    """Returns whether it is a list of texts, a plain text, or empty."""
    if element.attrib:
        return False
    lists = children(element)
    if not lists:
        return True
    return (
        len(lists) == 1
        and lists[0].tag in (BAG, SEQ)
        and not lists[0].attrib
        and not has_own_text(element)
        and not has_own_text(lists[0])
        and all(li.tag == LI and not children(li) for li in children(lists[0]))
    )


def _items(body: str, bag: etree._Element, keywords: list[str]) -> str:
    """Returns the content of a list with other keywords, each on a line as those before."""
    written: dict[str, str] = {}
    blank, tail = "", ""
    items = children(bag)
    inside = place_of(body, bag)
    end = inside.content_start
    for number, li in enumerate(items):
        place = place_of(body, li)
        written.setdefault(" ".join(text_of(li).split()), body[place.start : place.end])
        if not number:
            before = body[inside.content_start : place.start]
            blank = before if not before.strip() else ""
        end = place.end
    if items:
        after = body[end : inside.content_end]
        tail = after if not after.strip() else ""
    rdf, declared = prefix_of(bag, RDF)
    new = (written.get(one) or f"<{rdf}:li{declared}>{escape(one)}</{rdf}:li>" for one in keywords)
    return "".join(f"{blank}{one}" for one in new) + tail


def _bag(parent: etree._Element, keywords: list[str], *, declares: bool = True) -> str:
    rdf, declared = prefix_of(parent, RDF)
    items = "".join(f"<{rdf}:li>{escape(one)}</{rdf}:li>" for one in keywords)
    return f"<{rdf}:Bag{declared if declares else ''}>{items}</{rdf}:Bag>"


def _prove(before: str, after: str, keywords: list[str], *, is_new: bool) -> None:
    """Raises XmpError unless `after` has the keywords, and differs in nothing else."""
    if _keywords(Image(parsed(after))) != keywords:
        raise XmpError(FORM)
    if not is_new and remains(before, (SUBJECT,)) != remains(after, (SUBJECT,)):
        raise XmpError(translatable("core", "a change would change something else in it"))
