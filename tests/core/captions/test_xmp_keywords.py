"""Keywords of XMP files, in every form that other programs write them."""

import pytest

from core.captions import xmp
from core.captions.xmp_keywords import keywords_of, with_keywords
from core.errors import StoreError
from tests.support.sidecars import alt, li, rdf

OTHERS = alt(li("A <b>&amp; ü</b>".replace("<b>", "").replace("</b>", ""))) + (
    "<lr:hierarchicalSubject><rdf:Bag><rdf:li>place|Köln</rdf:li></rdf:Bag></lr:hierarchicalSubject>"
)
PRETTY = (
    "\n   <dc:subject>\n    <rdf:Bag>\n     <rdf:li>dog</rdf:li>\n"
    '     <rdf:li xml:lang="en"><!-- ours -->the sea</rdf:li>\n    </rdf:Bag>\n   </dc:subject>'
)
FORMS = {
    "pretty": (OTHERS + PRETTY, ["dog", "the sea"]),
    "tight": (
        f"<dc:subject><rdf:Bag><rdf:li>dog</rdf:li></rdf:Bag></dc:subject>{OTHERS}",
        ["dog"],
    ),
    "list in order": (
        f"<dc:subject><rdf:Seq><rdf:li>b</rdf:li><rdf:li>a</rdf:li></rdf:Seq></dc:subject>{OTHERS}",
        ["b", "a"],
    ),
    "empty list": (f"<dc:subject><rdf:Bag/></dc:subject>{OTHERS}", []),
    "empty": (f"<dc:subject/>{OTHERS}", []),
    "plain text": (f"<dc:subject>dog</dc:subject>{OTHERS}", ["dog"]),
    "none": (OTHERS, []),
}


@pytest.mark.parametrize("form", FORMS)
def test_keywords_change_and_all_else_stays(form):
    inside, keywords = FORMS[form]
    before = rdf(inside).encode()
    assert keywords_of(before) == keywords
    after = with_keywords(before, ["the sea", "new & <old>", "dog"])
    assert keywords_of(after) == ["the sea", "new & <old>", "dog"]
    assert xmp.read(after) == xmp.read(before)
    assert OTHERS.encode() in after
    assert keywords_of(with_keywords(after, [])) == []
    if form == "pretty":
        assert after == before.replace(
            PRETTY.encode(),
            (
                b"\n   <dc:subject>\n    <rdf:Bag>\n"
                b'     <rdf:li xml:lang="en"><!-- ours -->the sea</rdf:li>\n'
                b"     <rdf:li>new &amp; &lt;old&gt;</rdf:li>\n     <rdf:li>dog</rdf:li>\n"
                b"    </rdf:Bag>\n   </dc:subject>"
            ),
        )


def test_attribute_becomes_a_list():
    before = rdf(OTHERS, 'dc:subject="dog"').encode()
    assert keywords_of(before) == ["dog"]
    assert keywords_of(with_keywords(before, ["cat", "dog"])) == ["cat", "dog"]


def test_new_file_says_which_image_it_belongs_to():
    after = with_keywords(None, ["dog"], extension="jpg")
    assert keywords_of(after) == ["dog"]
    assert xmp.read(after).extension == "jpg"


@pytest.mark.parametrize(
    "inside",
    [
        "<dc:subject><rdf:Bag><rdf:li>a</rdf:li></rdf:Bag></dc:subject>" * 2,
        "<dc:subject><rdf:Bag><rdf:li><b/></rdf:li></rdf:Bag></dc:subject>",
        '<dc:subject><rdf:Bag rdf:ID="x"><rdf:li>a</rdf:li></rdf:Bag></dc:subject>',
    ],
)
def test_unusual_form_is_left_alone(inside):
    with pytest.raises(StoreError, match=r"a\.xmp"):
        with_keywords(rdf(inside).encode(), ["b"], name="a.xmp")
