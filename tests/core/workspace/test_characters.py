"""A text is found, replaced and counted as a tag whatever the case and encoding of its letters."""

from contextlib import closing
from threading import Event
from unicodedata import normalize

import pytest
from PIL import Image

from core.captions.wording import Replacement, without_duplicates
from core.workspace.bulk import Replace
from core.workspace.completion import tag_completions
from core.workspace.data import CaptionMode, WorkspaceOptions
from core.workspace.export.reading import ReadCaption, matched
from core.workspace.query import parse_query, query_term
from core.workspace.tags import TagList, counted, tag_key
from core.workspace.vocabulary_file import read_vocabulary
from core.workspace.workspace import Workspace

SAME = [
    *(("Straße", "STRASSE"), ("Straße", "strasse"), ("İstanbul", "istanbul")),
    *(("Müller", "MÜLLER"), ("Müller", normalize("NFD", "Müller")), ("ﬁne", "FINE")),
    *(("Ångström", "\u212bngström"), ("Σίσυφος", "ΣΊΣΥΦΟΣ"), ("각도", normalize("NFD", "각도"))),
    *(("ガラス", normalize("NFD", "ガラス")), ("Việt", normalize("NFD", "VIỆT"))),
]
"""Texts that are the same for regular expressions, too."""
ALIKE = [
    *(
        ("❤\ufe0f cat", "❤ cat"),
        ("ＡＢＣ１", "abc1"),
        ("ｶﾞﾗｽ", "ガラス"),
        ("soft\u00adhyphen", "softhyphen"),
    ),
]
"""Texts that only a regular expression tells apart."""
OTHERS = ["Strase", "Muller", "Mu\u0308ll", "cat", "카도", "カラス"]


def opened(folder, captions):
    """A workspace with an image for each caption, which has the number of the caption."""
    (folder / "images").mkdir()
    for number, caption in enumerate(captions):
        Image.new("RGB", (4, 4)).save(folder / "images" / f"{number}.png")
        (folder / "images" / f"{number}.txt").write_text(f"a, {caption}, b", encoding="utf-8")
    workspace = Workspace.open([folder / "images"], folder / "data", WorkspaceOptions())
    workspace.scan(Event(), lambda progress: None)
    return workspace


def found(workspace, line):
    rows = workspace.rows(workspace.ids(parse_query(line)))
    return {int(row.path.stem) for row in rows}


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    captions = [text for pair in (*SAME, *ALIKE) for text in pair] + OTHERS
    with closing(opened(tmp_path_factory.mktemp("characters"), captions)) as workspace:
        yield workspace


@pytest.mark.parametrize("place", range(len(SAME) + len(ALIKE)))
def test_texts_that_are_the_same_are_found_by_each_other(workspace, place):
    pair = (*SAME, *ALIKE)[place]
    expected = {
        2 * at + one
        for at, others in enumerate((*SAME, *ALIKE))
        for one in (0, 1)
        if tag_key(others[one]) == tag_key(pair[0])
    }
    assert {2 * place, 2 * place + 1} <= expected
    for text in pair:
        for line in (
            *(query_term("", text), query_term("caption", text), query_term("tag", text)),
            f"tag:{normalize('NFC', text)[:2].rstrip()}*",
        ):
            numbers = found(workspace, line)
            assert numbers >= expected, line
            if not line.endswith("*"):
                assert numbers == expected, line
        if place < len(SAME):
            for line in (f"/{text}/", f"caption:/^a, {text}, b$/", f"tag:/^{text}$/"):
                assert {2 * place, 2 * place + 1} <= found(workspace, line) <= expected, line


def test_each_i_of_turkish_is_found_by_the_other_but_their_tags_are_two(workspace, tmp_path):
    with closing(opened(tmp_path, ["ılık", "ILIK", "ilik"])) as turkish:
        assert found(turkish, "ılık") == found(turkish, "ilik") == {0, 1, 2}
        assert found(turkish, "tag:ılık") == {0}
        assert found(turkish, "tag:ilik") == found(turkish, "tag:il*") == {1, 2}
    assert TagList.of("ılık, ilik, İlik").without_duplicates().tags == ("ılık", "ilik")


def test_expressions_see_the_characters_themselves(workspace):
    width = found(workspace, "/[Ａ-Ｚ]/")
    assert width == {2 * (len(SAME) + 1)}
    assert found(workspace, "/^a, .{6}, b$/") >= {0}  # ß is one character.
    assert found(workspace, "/\ufe0f/") == {2 * len(SAME)}


@pytest.mark.parametrize(("one", "other"), [*SAME, *ALIKE])
def test_tags_that_are_the_same_are_one(tmp_path, one, other):
    for first, second in ((one, other), (other, one)):
        assert TagList.of(f"{first}, x, {second}").without_duplicates().tags == (first, "x")
        assert TagList.of(f"{first}, x").without([second]).tags == ("x",)
        assert TagList.of(f"{first}, x").renamed({second: "y"}).tags == ("y", "x")
        assert TagList.of(first).with_added([second]).tags == (first,)
        assert counted([first, first, second]) == {first: 3}
        assert without_duplicates(f"{first}, x, {second}") == f"{first}, x"
        (tmp_path / "tags.txt").write_text(f"{first}\n{second}\nx\n", encoding="utf-8")
        assert read_vocabulary(tmp_path / "tags.txt") == (first, "x")
        for tags, vocabulary in (({first: 2}, ()), ({}, (first,))):
            suggested = tag_completions(normalize("NFC", second)[:-1], tags, vocabulary)
            assert [completion.text for completion in suggested] == [first]


@pytest.mark.parametrize(("one", "other"), [*SAME, ALIKE[0]])
@pytest.mark.parametrize("is_regex", [False, True])
def test_what_is_replaced_is_what_is_found(one, other, is_regex):
    if is_regex and (one, other) == ALIKE[0]:
        pytest.skip("the sign is a character of the expression")
    for text, find in ((one, other), (other, one)):
        for operation in (
            Replace(find, "X", is_regex=is_regex),
            Replace(find, "X", is_regex=is_regex, is_whole_words=find[0].isalnum()),
        ):
            assert operation.apply(f"a {text}, b", CaptionMode.TEXT) == "a X, b"
            change = operation.change(f"a {text}, b")
            assert change is not None
            begin, end = change.spans_before[0]
            assert (change.before[:begin], change.before[end:]) == ("a ", ", b")
            assert change.after == "a X, b"


def test_replacing_leaves_letters_with_their_marks_and_other_text_as_it_is():
    decomposed = normalize("NFD", "Mü ga 각")
    for find in ("Mu", "ᄀ", "가"):
        assert Replacement(find, "X").of(decomposed) is None
        assert Replace(find, "X", is_regex=True).apply(decomposed, CaptionMode.TEXT) == decomposed
    change = Replacement("ga", "X").of(decomposed)
    assert change is not None
    assert change.after == decomposed.replace("ga", "X")
    # An ideograph that has another code as well is not changed by what is done elsewhere.
    text = "\ufa19 " + normalize("NFD", "ü")
    assert Replace("ü", "u", is_regex=True).apply(text, CaptionMode.TEXT) == "\ufa19 u"
    assert Replace("ﬁ", "fi", is_case_sensitive=True).apply("fiﬁ", CaptionMode.TEXT) == "fifi"


def test_captions_are_read_for_images_whose_names_a_mac_has_written(tmp_path):
    picture = tmp_path / normalize("NFD", "Übung") / normalize("NFD", "für.png")
    for name in ("Übung/für.png", "für.png", "für"):
        matches = matched([ReadCaption(name, "x")], [picture], tmp_path)
        assert matches.captions == {picture: "x"}
