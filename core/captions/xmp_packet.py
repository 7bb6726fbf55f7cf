"""The bytes of an XMP file: its encoding, the wrapper around its element, and that element as text.

An XMP packet is UTF-8, UTF-16 or what its XML declaration says, may stand between `<?xpacket?>`
instructions, and may be padded with white space or with NUL, so that it can grow in its place. All
that is detached before the element is parsed, and put back unchanged.
"""

# lxml comes without types.
# pyright: basic

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from lxml import etree

from core.message import translatable

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_DECLARED = re.compile(rb"""\s*<\?xml[^>]{0,200}?\sencoding\s*=\s*["']([A-Za-z][\w.-]{0,40})["']""")
# Others, such as UTF-7 and "unicode_escape", are no encodings of files, or are not ASCII's.
_SINGLE_BYTE = re.compile(
    r"utf-8|ascii|iso8859-\d+|cp125\d|koi8-[ru]|gb18030|gbk|gb2312|big5|shift_jis|euc_\w+"
)
_BEFORE = re.compile(r"[ \t\r\n\0]*(?:<\?.*?\?>|<!--.*?-->)?", re.DOTALL)
_COMMENT = re.compile(r"<!--(.*?)-->", re.DOTALL)
_BLANK = " \t\r\n\0"
# Instructions and comments around the element; real files have two or three.
_MOST_AROUND = 50
# The canonical form takes the square of these; Adobe's programs write some hundreds.
_MOST_NAMES = 5_000
_LONGEST_REASON = 200
_TAG = re.compile(
    r"<!--.*?-->|<!\[CDATA\[.*?\]\]>|<\?.*?\?>"
    r"""|<(?P<closes>/)?(?P<name>[^\s/>!?]++)(?:[^"'>]++|"[^"]*+"|'[^']*+')*+>""",
    re.DOTALL,
)


class XmpError(Exception):
    """What is wrong with an XMP file; the text goes into a sentence for the user."""


@dataclass(frozen=True)
class Packet:
    """An XMP file taken apart: `body` is the text of its only element, `head` and `tail` are what
    stands around it."""

    encoding: str
    bom: bytes
    head: str
    body: str
    tail: str
    padding: bytes

    @classmethod
    def split(cls, data: bytes) -> Packet:
        """Takes a file apart. Raises XmpError for what is no XMP."""
        bom, encoding = _encoding_of(data)
        width = 4 if "32" in encoding else 2 if "16" in encoding else 1
        length = len(data.rstrip(b"\0"))
        length += -(length - len(bom)) % width
        try:
            text = data[len(bom) : length].decode(encoding)
        except UnicodeDecodeError as error:
            raise XmpError(
                translatable("core", "it is not in {encoding}").format(encoding=encoding.upper())
            ) from error
        start, end = _start_of_body(text), _end_of_body(text)
        if start >= end or text[start] != "<" or text.startswith("<!", start):
            raise XmpError(translatable("core", "it contains no XMP, or a document type"))
        head, body, tail = text[:start], text[start:end], text[end:]
        if any("--" in f"{comment}-" for comment in _COMMENT.findall(f"{head}{tail}")):
            raise XmpError(translatable("core", "a comment in it is not well-formed"))
        packet = cls(encoding, bom, head, body, tail, data[length:])
        if packet.joined(body) != data:
            raise XmpError(
                translatable("core", "it is not in {encoding}").format(encoding=encoding.upper())
            )
        return packet

    def joined(self, body: str) -> bytes:
        """Returns the file with another element. Characters that its encoding does not have become
        character references."""
        text = f"{self.head}{body}{self.tail}"
        return self.bom + text.encode(self.encoding, "xmlcharrefreplace") + self.padding


def parsed(body: str) -> etree._Element:
    """Parses an element without entities, network or limits lifted. Raises XmpError."""
    if body.count("xmlns") > _MOST_NAMES:
        raise XmpError(translatable("core", "it declares too many namespaces"))
    # Each parse has its own parser: they may run in several threads.
    parser = etree.XMLParser(
        encoding="utf-8",
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
        strip_cdata=False,
    )
    try:
        root = etree.fromstring(body.encode(), parser)
    except (etree.XMLSyntaxError, UnicodeEncodeError) as error:
        if isinstance(error, UnicodeEncodeError):
            raise XmpError(translatable("core", "it is not Unicode")) from error
        raise XmpError(" ".join(str(error.msg).split())[:_LONGEST_REASON]) from error
    if any(len(element.attrib) > _MOST_NAMES for element in root.iter(etree.Element)):
        raise XmpError(translatable("core", "an element in it has too many attributes"))
    docinfo: Any = root.getroottree().docinfo  # The stubs know no `doctype`.
    if docinfo.doctype or next(root.iter(etree.Entity), None) is not None:
        raise XmpError(translatable("core", "it has a document type or entities"))
    return root


def canonical(root: etree._Element) -> bytes:
    """Returns the canonical form (C14N) of a tree, with comments. Raises XmpError."""
    try:
        return etree.tostring(root, method="c14n", with_comments=True)
    except etree.C14NError as error:
        raise XmpError(translatable("core", "a namespace in it has no absolute address")) from error


@dataclass(frozen=True)
class Place:
    """Where an element stands in the text: its start tag, and its end tag if it has one.

    `name` is as written, with the prefix.
    """

    name: str
    start: int
    content_start: int
    content_end: int
    end: int
    is_self_closing: bool


def place_of(body: str, element: etree._Element) -> Place:
    """Returns where an element of `parsed(body)` stands in `body`."""
    root = element.getroottree().getroot()
    number = next(n for n, one in enumerate(root.iter(etree.Element)) if one is element)
    tags = _tags(body)
    opening = next(tag for n, tag in enumerate(_opening(tags)) if n == number)
    name = opening["name"]
    if _closes_itself(opening):
        return Place(name, opening.start(), opening.end(), opening.end(), opening.end(), True)
    depth = 1
    for tag in tags:
        if tag["closes"]:
            depth -= 1
        elif not _closes_itself(tag):
            depth += 1
        if not depth:
            return Place(name, opening.start(), opening.end(), tag.start(), tag.end(), False)
    raise XmpError(translatable("core", "an element does not end"))


def _tags(body: str) -> Iterator[re.Match[str]]:
    """Yields the tags of a text that is known to be well-formed and has no document type."""
    return (found for found in _TAG.finditer(body) if found["name"])


def _opening(tags: Iterator[re.Match[str]]) -> Iterator[re.Match[str]]:
    return (tag for tag in tags if not tag["closes"])


def _closes_itself(tag: re.Match[str]) -> bool:
    return tag.string[tag.end() - 2] == "/"


def _encoding_of(data: bytes) -> tuple[bytes, str]:
    for bom, encoding in _BOMS:
        if data.startswith(bom):
            return bom, encoding
    if data[:2] == b"<\0":
        return b"", "utf-16-le"
    if data[:2] == b"\0<":
        return b"", "utf-16-be"
    declared = _DECLARED.match(data[:400])
    if not declared:
        return b"", "utf-8"
    try:
        name = codecs.lookup(declared[1].decode()).name
    except LookupError:
        name = ""
    if not _SINGLE_BYTE.fullmatch(name):
        text = translatable("core", "its encoding {encoding} is not supported")
        raise XmpError(text.format(encoding=declared[1].decode()))
    return b"", name


def _start_of_body(text: str) -> int:
    start = 0
    for _ in range(_MOST_AROUND):
        found = _BEFORE.match(text, start)
        if found is None or found.end() == start:
            return start
        start = found.end()
    raise XmpError(translatable("core", "it has too many comments"))


def _end_of_body(text: str) -> int:
    end = len(text)
    for _ in range(_MOST_AROUND):
        while end and text[end - 1] in _BLANK:
            end -= 1
        if text.endswith("?>", 0, end):
            end = max(0, text.rfind("<?", 0, end))
        elif text.endswith("-->", 0, end):
            end = max(0, text.rfind("<!--", 0, end))
        else:
            return end
    raise XmpError(translatable("core", "it has too many comments"))
