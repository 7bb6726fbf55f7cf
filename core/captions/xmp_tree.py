"""What an XMP file says about its image: the properties of the image's own descriptions."""

# lxml comes without types.
# pyright: basic

from __future__ import annotations

from enum import StrEnum

from lxml import etree

from core.captions.xmp_packet import XmpError
from core.message import translatable

RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
DC = "http://purl.org/dc/elements/1.1/"
IPTC = "http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/"
PHOTOSHOP = "http://ns.adobe.com/photoshop/1.0/"
META = "adobe:ns:meta/"
LANG = "{http://www.w3.org/XML/1998/namespace}lang"

PREFIXES = {RDF: "rdf", DC: "dc", IPTC: "Iptc4xmpCore", PHOTOSHOP: "photoshop"}
ABOUT = (f"{{{RDF}}}about", "about")
NODE, ALT, LI = f"{{{RDF}}}Description", f"{{{RDF}}}Alt", f"{{{RDF}}}li"
_EXTENSION = f"{{{PHOTOSHOP}}}SidecarForExtension"

BAG, SEQ = f"{{{RDF}}}Bag", f"{{{RDF}}}Seq"
SUBJECT = f"{{{DC}}}subject"
"""The keywords, a property that is a list."""

_MOST_NODES = _MOST_LANGUAGES = 1_000


class XmpProperty(StrEnum):
    """A text of an image in several languages; the value is the name that lxml gives it."""

    DESCRIPTION = f"{{{DC}}}description"
    ALT_TEXT = f"{{{IPTC}}}AltTextAccessibility"
    EXTENDED = f"{{{IPTC}}}ExtDescrAccessibility"


class Image:
    """What a tree says about the image itself: the properties of its top-level descriptions.

    Descriptions inside other structures, as of layers and ingredients, are not the image's.
    """

    def __init__(self, root: etree._Element):
        self.root = root
        self.rdf = self._rdf()
        self.nodes = [] if self.rdf is None else list(self.rdf.iterchildren(etree.Element))
        if len(self.nodes) > _MOST_NODES:
            raise XmpError(translatable("core", "it has too many descriptions"))
        if any(node.tag != NODE for node in self.nodes):
            raise XmpError(
                translatable("core", "its rdf:RDF contains something other than descriptions")
            )
        abouts = {node.get(about, "") for node in self.nodes for about in ABOUT} - {""}
        if len(abouts) > 1:
            raise XmpError(translatable("core", "it describes several files"))
        self.about = next(iter(abouts), "")

    def _rdf(self) -> etree._Element | None:
        """Returns the element with the descriptions; None for a wrapper with nothing in it."""
        if self.root.tag == f"{{{RDF}}}RDF":
            return self.root
        found = self.root.findall(f"{{{RDF}}}RDF")
        if len(found) == 1:
            return found[0]
        is_wrapper = str(self.root.tag).startswith(f"{{{META}}}")
        if found or not is_wrapper or len(self.root) or (self.root.text or "").strip():
            if found:
                raise XmpError(translatable("core", "it has several rdf:RDF"))
            raise XmpError(translatable("core", "it has no rdf:RDF"))
        return None

    def elements(self, name: str) -> list[etree._Element]:
        """Returns where a property is an element."""
        return [child for node in self.nodes for child in node.iterchildren(name)]

    def attributes(self, name: str) -> list[etree._Element]:
        """Returns the descriptions where a property is an attribute."""
        return [node for node in self.nodes if name in node.attrib]

    def text(self, name: str) -> str:
        """Returns what a property says, in whatever form it is."""
        found = [str(node.get(name)) for node in self.attributes(name)]
        found += [_said_by(element) for element in self.elements(name)]
        return "\n".join(filter(None, (text.strip() for text in found)))

    def defaults(self, name: str) -> list[str]:
        """Returns the texts of a property that are for everybody (x-default), as they are."""
        items = (li for found in self.elements(name) for li in found.iterfind(f"{ALT}/{LI}"))
        return [text_of(li) for li in items if is_default(li)]

    @property
    def extension(self) -> str:
        """Returns the extension of the image to which the file belongs."""
        return self.text(_EXTENSION).strip().lstrip(".")


def _said_by(element: etree._Element) -> str:
    items = [li for alt in element.iterchildren(ALT) for li in alt.iterchildren(LI)]
    if len(items) > _MOST_LANGUAGES:
        raise XmpError(translatable("core", "it has too many languages"))
    texts = [(is_default(li), text_of(li)) for li in items] or [(False, text_of(element))]
    default = dict.fromkeys(text for is_for_all, text in texts if is_for_all and text.strip())
    others = (text for _, text in texts if text.strip())
    return "\n".join(default) or next(others, "")


def text_of(element: etree._Element) -> str:
    """Returns the text inside an element, without comments."""
    return "".join(str(part) for part in element.itertext(etree.Element))


def is_default(li: etree._Element) -> bool:
    """Returns whether an item is for readers of whatever language."""
    return li.get(LANG, "").lower() == "x-default"


def children(element: etree._Element) -> list[etree._Element]:
    """Returns the elements directly inside one, without comments and instructions."""
    return list(element.iterchildren(etree.Element))
