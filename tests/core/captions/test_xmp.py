"""XMP in every form that other programs write, read back by them."""

import json
import re
import shutil
import subprocess
import time
from contextlib import suppress

import pytest

from core.captions import xmp
from core.errors import StoreError
from tests.support.sidecars import NAMESPACES, alt, li, rdf, xmp_forms

OTHERS = (
    "<dc:subject><rdf:Bag><rdf:li>harbour</rdf:li><rdf:li>Köln</rdf:li></rdf:Bag></dc:subject>"
    "<lr:hierarchicalSubject><rdf:Bag><rdf:li>place|Köln</rdf:li></rdf:Bag></lr:hierarchicalSubject>"
    "<digiKam:TagsList><rdf:Seq><rdf:li>place/Köln</rdf:li></rdf:Seq></digiKam:TagsList>"
)
PANTRY = (
    "<xmpMM:Pantry><rdf:Bag><rdf:li><rdf:Description><dc:description><rdf:Alt>"
    '<rdf:li xml:lang="x-default">Source layer text</rdf:li>'
    "</rdf:Alt></dc:description></rdf:Description></rdf:li></rdf:Bag></xmpMM:Pantry>"
)
INGREDIENT = (
    '<xmpMM:Ingredients><rdf:Bag><rdf:li rdf:parseType="Resource">'
    "<dc:description>Layer</dc:description></rdf:li></rdf:Bag></xmpMM:Ingredients>"
)
ALT = "Iptc4xmpCore:AltTextAccessibility"
CAPTION = "A red boat & <two> “birds”\non 湖"


FILLED = {
    # What stands there, and what it says.
    "nothing": (rdf(OTHERS), ""),
    "empty li": (rdf(OTHERS + alt(li(""))), ""),
    "self-closed li": (rdf(OTHERS + alt('<rdf:li xml:lang="x-default"/>')), ""),
    "blank li": (rdf(OTHERS + alt(li("\n   "))), ""),
    "pretty li": (
        rdf(
            f"\n   {OTHERS}\n   <dc:description>\n    <rdf:Alt>\n     "
            '<rdf:li xml:lang="x-default"/>\n    </rdf:Alt>\n   </dc:description>\n  '
        ),
        "",
    ),
    "tight alternative text": (
        rdf(f'{OTHERS}<{ALT}><rdf:Alt><rdf:li xml:lang="x-default"/></rdf:Alt></{ALT}>'),
        "",
    ),
    "self-closed Alt": (rdf(OTHERS + "<dc:description><rdf:Alt/></dc:description>"), ""),
    "empty Alt": (rdf(OTHERS + alt("\n")), ""),
    "self-closed description": (rdf(OTHERS + "<dc:description/>"), ""),
    "empty pair": (rdf(OTHERS + "<dc:description></dc:description>"), ""),
    "plain text": (rdf(OTHERS + "<dc:description>By the lake</dc:description>"), "By the lake"),
    "attribute": (rdf(OTHERS, 'dc:description="By &quot;a&quot; lake"'), 'By "a" lake'),
    "attribute in single quotes": (rdf(OTHERS, "dc:description='a > b'"), "a > b"),
    "CDATA": (rdf(OTHERS + alt(li("<![CDATA[a <b> ]] & c]]>"))), "a <b> ]] & c"),
    "CDATA of a tag": (rdf(OTHERS + alt(li("<![CDATA[</rdf:li>]]>"))), "</rdf:li>"),
    "comment inside": (rdf(OTHERS + alt(li("a<!-- </rdf:li> -->b"))), "ab"),
    "character references": (rdf(OTHERS + alt(li("K&#246;ln &#x6E56;"))), "Köln 湖"),
    "two x-default": (rdf(OTHERS + alt(li("one"), li("zwei", "de"), li("two"))), "one\ntwo"),
    "two equal x-default": (rdf(OTHERS + alt(li("one"), li("one"))), "one"),
    "X-Default": (rdf(OTHERS + alt(li("one", "X-Default"))), "one"),
    "without a language": (rdf(OTHERS + alt("<rdf:li>one</rdf:li>")), "one"),
    "other language": (rdf(OTHERS + alt(li("eins", "de"))), "eins"),
    "default behind": (rdf(OTHERS + alt(li("eins", "de"), li("one"))), "one"),
    "in a pantry only": (rdf(OTHERS + PANTRY), ""),
    "in a pantry before": (rdf(PANTRY + OTHERS + alt(li("own"))), "own"),
    "in a pantry behind": (rdf(OTHERS + alt(li("own")) + PANTRY), "own"),
    "in an ingredient": (rdf(INGREDIENT + alt(li("own"))), "own"),
    "in a comment": (rdf(OTHERS + "<!--" + alt(li("no")) + "-->"), ""),
    "self-closed node": (
        rdf("").replace("></rdf:Description>", "/>"),
        "",
    ),
    "NULs behind": (rdf(OTHERS + alt(li("one"))) + "\0" * 4096, "one"),
    "carriage returns": (rdf(OTHERS + "\n" + alt(li("one"))).replace("\n", "\r\n"), "one"),
    "several nodes": (
        rdf(OTHERS).replace(
            " </rdf:RDF>",
            f'  <rdf:Description rdf:about="" {NAMESPACES}>{alt(li("one"))}</rdf:Description>'
            f'\n  <rdf:Description rdf:about="" {NAMESPACES} xmp:Rating="4"/>\n </rdf:RDF>',
        ),
        "one",
    ),
    "self-closed RDF": (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/">'
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"/></x:xmpmeta>',
        "",
    ),
    "RDF alone": (
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"></rdf:RDF>',
        "",
    ),
    "empty wrapper": ('<x:xmpmeta xmlns:x="adobe:ns:meta/"/>', ""),
    "other prefixes": (
        rdf(OTHERS + alt(li("one"))).replace("rdf:", "R:").replace("xmlns:rdf", "xmlns:R"),
        "one",
    ),
    "about": (rdf(OTHERS).replace('rdf:about=""', 'rdf:about="uuid:a&amp;b"'), ""),
    "declaration": ('<?xml version="1.0" encoding="UTF-8"?>\n' + rdf(OTHERS), ""),
    "comments around": ("<!-- one -->\n" + rdf(OTHERS) + "<!-- two -->\n\n", ""),
}
# exiv2 knows a file as XMP by how it begins, and finds nothing under other prefixes.
NOT_FOR_EXIV2 = {"RDF alone", "other prefixes", "comments around"}
REFUSED = {
    "comment before that is not well-formed": "<!-- one -- two -->\n" + rdf(OTHERS),
    "comment behind that is not well-formed": rdf(OTHERS) + "<!----- one -->",
    "a list that is no Alt": rdf(alt(li("one")).replace("rdf:Alt", "rdf:Bag")),
    "qualified value": rdf(
        alt(
            '<rdf:li rdf:parseType="Resource"><rdf:value>one</rdf:value>'
            "<xmp:Rating>4</xmp:Rating></rdf:li>"
        )
    ),
    "qualified item": rdf(alt('<rdf:li xml:lang="x-default" xmp:Rating="4">one</rdf:li>')),
    "text with a language": rdf('<dc:description xml:lang="de">eins</dc:description>'),
    "resource": rdf('<dc:description rdf:resource="http://localhost/one"/>'),
    "text beside the list": rdf(alt(li("one")).replace("<rdf:Alt>", "one<rdf:Alt>")),
    "two descriptions": rdf(alt(li("one")) + alt(li("two"))),
    "attribute and element": rdf(alt(li("one")), 'dc:description="two"'),
    "two files": rdf("").replace(
        " </rdf:RDF>",
        '<rdf:Description rdf:about="a"/><rdf:Description rdf:about="b"/></rdf:RDF>',
    ),
    "typed node": rdf("").replace(" </rdf:RDF>", f"<dc:Image {NAMESPACES}/></rdf:RDF>"),
    "no RDF": '<x:xmpmeta xmlns:x="adobe:ns:meta/"><a/></x:xmpmeta>',
    "document type": '<!DOCTYPE a [<!ENTITY b "c">]>' + rdf(""),
    "entity": rdf("<dc:title>&b;</dc:title>"),
    "not closed": rdf("").replace("</rdf:RDF>", ""),
    "NUL inside": rdf("<dc:title>a\0b</dc:title>"),
    "relative namespace": rdf('<a:b xmlns:a="relative">c</a:b>'),
    "UTF-7": '<?xml version="1.0" encoding="utf-7"?>' + rdf(""),
    "not Unicode": rdf("").encode() + b"\xff",
}


def with_caption(before, text=CAPTION):
    return xmp.described(before, description=text, alt_text="Alt")


def others(text):
    """What stands in the file beside what we write."""
    return [text.count(one) for one in (OTHERS, PANTRY, INGREDIENT, "xmptk", "eins", "zwei")]


def counted(text, name, element="li"):
    text = text.replace(PANTRY, "").replace(INGREDIENT, "")
    found = re.search(rf"<{name}\b.*?</{name}>", text, re.DOTALL)
    assert found, text
    return len(re.findall(rf':{element} [^>]*xml:lang="x-default"', found[0], re.IGNORECASE))


@pytest.mark.parametrize("form", FILLED)
def test_description_is_read_and_filled_in_whatever_form_it_is(form):
    text, said = FILLED[form]
    before = text.encode()
    assert xmp.description_of(before) == said
    after = with_caption(before)
    assert xmp.description_of(after) == CAPTION
    assert xmp.alt_text_of(after) == "Alt"
    written = after.decode()
    assert others(written) == others(text)
    assert counted(written, "dc:description") == counted(written, ALT) == 1
    assert written[: text.index("<")] == text[: text.index("<")]
    assert written.endswith(text[text.rindex("</") :] if "</" in text else "")
    assert with_caption(after) == after


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Each form with a caption, as a file."""
    folder = tmp_path_factory.mktemp("written")
    paths = {form: folder / f"{number}.xmp" for number, form in enumerate(FILLED)}
    for form, path in paths.items():
        path.write_bytes(with_caption(FILLED[form][0].encode()))
    return paths


@pytest.fixture(scope="module")
def by_exiftool(written):
    """What exiftool, which takes long to start, reads in all of them."""
    command = ["exiftool", "-json", "-G1", "-struct", *map(str, written.values())]
    found = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    return {tags["SourceFile"]: tags for tags in found}


@pytest.mark.parametrize("form", FILLED)
@pytest.mark.skipif(not shutil.which("exiv2"), reason="exiv2 is not installed")
@pytest.mark.skipif(not shutil.which("exiftool"), reason="exiftool is not installed")
def test_exiv2_and_exiftool_read_each_result_and_what_was_there(form, written, by_exiftool):
    text, _ = FILLED[form]
    path = written[form]
    if form not in NOT_FOR_EXIV2:
        command = ["exiv2", "-PXkv", "pr", str(path)]
        run = subprocess.run(command, capture_output=True, text=True, check=True)
        assert not run.stderr
        one_line = " ".join(run.stdout.split())
        assert f'Xmp.dc.description lang="x-default" {" ".join(CAPTION.split())}' in one_line
    tags = by_exiftool[str(path)]
    assert tags["XMP-dc:Description"] == CAPTION
    assert tags["XMP-iptcCore:AltTextAccessibility"] == "Alt"
    if OTHERS in text:
        assert tags["XMP-dc:Subject"] == ["harbour", "Köln"]
        assert tags["XMP-digiKam:TagsList"] == ["place/Köln"]


@pytest.mark.parametrize("form", REFUSED)
def test_what_cannot_be_changed_safely_is_refused_with_a_sentence(form):
    before = REFUSED[form]
    before = before.encode() if isinstance(before, str) else before
    with pytest.raises(StoreError, match=r"XMP file “a.xmp” cannot be changed \(.*Move it away"):
        xmp.described(before, description="a", alt_text="b", name="a.xmp")


@pytest.mark.parametrize(
    "encoding",
    ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"],
)
@pytest.mark.parametrize("padding", [b"", b"\0" * 100, b"\0\0" * 100])
def test_encoding_byte_order_mark_and_padding_stay(encoding, padding):
    text = rdf(OTHERS + alt(li("Köln 湖"))).replace("\ufeff", "")
    after = with_caption(text.encode(encoding) + padding)
    assert xmp.description_of(after) == CAPTION
    assert after.endswith(padding)
    written = after.removesuffix(padding).decode(encoding)
    assert others(written) == others(text)
    assert text.encode(encoding)[:4] == after[:4]


def test_characters_that_the_encoding_lacks_become_references():
    text = '<?xml version="1.0" encoding="ISO-8859-1"?>\n' + rdf(OTHERS).replace("\ufeff", "")
    after = with_caption(text.encode("latin-1"))
    assert "Köln" in after.decode("latin-1")
    assert xmp.description_of(after) == CAPTION


def test_everything_outside_our_texts_stays_byte_for_byte():
    text = rdf(f"\n   <!-- kept -->\n   {OTHERS}\n   {alt(li('one'), li('eins', 'de'))}\n")
    after = with_caption(text.encode()).decode()
    start = text.index("one")
    assert after[:start] == text[:start]
    assert text[start + 3 : text.index("</rdf:Description>")] in after
    assert after.endswith(text[text.index(" </rdf:RDF>") :])


def test_long_description_is_a_third_text_and_short_ones_leave_it_alone():
    before = with_caption(rdf(OTHERS).encode())
    assert b"ExtDescr" not in before
    after = xmp.described(before, description="a", alt_text="b", extended="c" * 300)
    texts = xmp.read(after)
    assert (texts.description, texts.alt_text, texts.extended) == ("a", "b", "c" * 300)
    assert xmp.read(with_caption(after)).extended == "c" * 300


def test_empty_text_leaves_other_languages():
    after = with_caption(rdf(alt(li("eins", "de"), li("one"))).encode(), "")
    assert xmp.description_of(after) == "eins"
    assert b"one" not in after


HOSTILE = xmp_forms()


@pytest.mark.parametrize("form", HOSTILE)
def test_hostile_file_ends_soon_with_a_sentence_or_a_caption(form):
    before = HOSTILE[form]
    begun = time.process_time()
    for work in (xmp.read, with_caption):
        with suppress(StoreError):
            work(before)
    assert time.process_time() - begun < 4
