"""XMP to build tests from, and caption files that are hostile or broken."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

NAMESPACES = (
    'xmlns:dc="http://purl.org/dc/elements/1.1/" '
    'xmlns:lr="http://ns.adobe.com/lightroom/1.0/" '
    'xmlns:xmpMM="http://ns.adobe.com/xap/1.0/mm/" '
    'xmlns:digiKam="http://www.digikam.org/ns/1.0/" '
    'xmlns:xmp="http://ns.adobe.com/xap/1.0/" '
    'xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/" '
    'xmlns:Iptc4xmpCore="http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/"'
)


def rdf(content, attributes=""):
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>\n'
        '<x:xmpmeta xmlns:x="adobe:ns:meta/" x:xmptk="test 1">\n'
        ' <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">\n'
        f'  <rdf:Description rdf:about="" {NAMESPACES} {attributes}>{content}</rdf:Description>\n'
        " </rdf:RDF>\n</x:xmpmeta>\n" + " " * 200 + '\n<?xpacket end="w"?>\n'
    )


def alt(*items):
    return f"<dc:description><rdf:Alt>{''.join(items)}</rdf:Alt></dc:description>"


def li(text, lang="x-default"):
    return f'<rdf:li xml:lang="{lang}">{text}</rdf:li>'


@cache
def text_forms() -> dict[str, bytes]:
    """Returns hostile text files by name."""
    return dict(_texts())


@cache
def xmp_forms() -> dict[str, bytes]:
    """Returns hostile XMP files by name."""
    return {n: form.encode() if isinstance(form, str) else form for n, form in _xmp()}


def _texts() -> Iterator[tuple[str, bytes]]:
    """Yields the name and content of text files that a careless reader hangs, fills or trips on."""
    yield "one letter a million times", b"a" * 3_900_000
    yield "the caption a hundred thousand times", b"a.png: a, b x" * 100_000
    yield "tags", b"a, " * 1_300_000
    yield "only line ends", b"\r\n" * 1_900_000
    yield "only blanks and one word", b" " * 3_900_000 + b"x"
    yield "bytes of no encoding", b"\xff" * 3_900_000
    yield "old encoding at the limit", "Женщина стоит у окна. ".encode("koi8_r") * 2_270
    yield "old encoding above the limit", "Женщина стоит у окна. ".encode("koi8_r") * 100_000
    yield "two bytes at the limit", "窓辺に座っている猫の写真です。".encode("cp932") * 1_660
    yield "every byte", bytes(range(256)) * 190
    yield "marks on one letter", ("a" + "\u0301" * 1_900_000).encode()
    yield "from right to left", ("\u202e" * 1_000_000 + "a").encode()
    yield "surrogates", b"a\xed\xa0\x80"
    yield "NULs", b"\0" * 3_900_000
    yield "only a mark of UTF-16", b"\xff\xfe"
    yield "half of UTF-16", "湖".encode("utf-16")[:-1]
    yield "only a mark of UTF-32", b"\xff\xfe\0\0"
    yield "UTF-32 beyond Unicode", b"\xff\xfe\0\0\xff\xff\xff\xff"
    yield "UTF-7", b"+AGE-"
    yield "escape sequences", b"\x1b[2J\x1b]0;a\x07"
    yield "an image", b"\x89PNG\r\n\x1a\n" + b"\0" * 1_000
    yield "above the largest", b"a" * 4_000_001


def _xmp():
    """Yields the name and content of XMP files that a careless reader hangs, fills or trips on."""
    lol = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    yield "billion laughs", f'<!DOCTYPE l [<!ENTITY l0 "lol">{lol}]>' + rdf("&l9;")
    yield "quadratic", f'<!DOCTYPE l [<!ENTITY a "{"a" * 50_000}">]>' + rdf("&a;" * 50_000)
    for address in ("file:///etc/passwd", "file:///dev/zero", "http://127.0.0.1:9/x"):
        doctype = f'<!DOCTYPE l [<!ENTITY a SYSTEM "{address}">]>'
        yield f"entity of {address}", doctype + rdf("<dc:title>&a;</dc:title>")
        yield f"parameter of {address}", f'<!DOCTYPE l [<!ENTITY % a SYSTEM "{address}"> %a;]>'
        yield f"document type of {address}", f'<!DOCTYPE l SYSTEM "{address}">' + rdf("")
        yield f"doctype behind a comment {address}", f"<!-- a -->{doctype}" + rdf("&a;")
    yield "deep", rdf("<a>" * 100_000 + "</a>" * 100_000)
    yield "deep and open", rdf("<a>" * 500_000)
    yield "many attributes", rdf("", " ".join(f'a{n}="b"' for n in range(100_000)))
    yield "many namespaces", rdf("", " ".join(f'xmlns:a{n}="b:{n}"' for n in range(50_000)))
    yield (
        "many nodes",
        rdf("").replace(" </rdf:RDF>", "<rdf:Description/>" * 100_000 + "</rdf:RDF>"),
    )
    yield "many items", rdf(alt(*[li("a", f"a-{n}") for n in range(50_000)]))
    yield "many defaults", rdf(alt(*[li(f"{n}") for n in range(20_000)]))
    yield "comments in front", "<!---->" * 400_000 + rdf("")
    yield "comments behind", rdf("") + "<!---->" * 400_000
    yield "instructions behind", rdf("") + "<??>" * 400_000
    yield "half a comment", rdf("") + "<!--" * 500_000
    yield "open brackets", "<" * 2_000_000
    yield "open quotes", rdf("").replace('rdf:about=""', 'rdf:about="' + "'" * 1_000_000)
    yield "blanks", " " * 3_000_000 + "x"
    yield "only NULs and x", "\0" * 3_000_000 + "x"
    yield "one long text", rdf(alt(li("a" * 3_000_000)))
    yield "one long name", rdf(f"<{'a' * 1_000_000}/>")
    yield "declared UTF-16", '<?xml version="1.0" encoding="UTF-16"?>' + rdf("")
    yield "declared unicode_escape", '<?xml version="1.0" encoding="unicode_escape"?>' + rdf("")
    yield "declared nonsense", '<?xml version="1.0" encoding="x"?>' + rdf("")
    yield "surrogates", rdf("").encode() + b"\xed\xa0\x80"
    yield "half of UTF-16", rdf("").encode("utf-16")[:-3]
    yield "random", bytes(range(256)) * 10_000
    yield "blanks in a tag", rdf("").replace("<rdf:RDF ", "<rdf:RDF " + " " * 3_000_000)
    yield "character references", rdf(alt(li("&#38;" * 600_000)))
    yield "reference to a surrogate", rdf(alt(li("&#xD800;")))
    yield "half a CDATA", rdf("<dc:title><![CDATA[" + "]" * 3_000_000)
    yield "dc bound to something else", rdf("<dc:description xmlns:dc='b:'>a</dc:description>")
    yield (
        "literal description",
        rdf('<dc:description rdf:parseType="Literal"><b/></dc:description>'),
    )
    yield "description elsewhere", rdf('<dc:description rdf:resource="http://127.0.0.1:9/x"/>')
    yield "description in a bag", rdf(alt(li("a")).replace("rdf:Alt", "rdf:Bag"))
    yield "two elements", rdf("") + rdf("")
    yield "two rdf:RDF", rdf("").replace("</rdf:RDF>", "</rdf:RDF><rdf:RDF xmlns:rdf='r:'/>")
    yield "include", rdf('<i:include xmlns:i="http://www.w3.org/2001/XInclude" href="/dev/zero"/>')
    yield "style sheet", '<?xml-stylesheet href="http://127.0.0.1:9/x"?>' + rdf(alt(li("a")))
    yield "twice the same attribute", rdf("", 'dc:format="a" dc:format="b"')
    yield "only a mark", b"\xef\xbb\xbf"
    yield "only NULs", b"\0" * 3_000_000
    yield "an image", b"\x89PNG\r\n\x1a\n" + b"\0" * 1_000
