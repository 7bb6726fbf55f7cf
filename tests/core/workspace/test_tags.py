"""Tags in captions, whose form stays, and edits of many captions."""

import random
from collections import Counter

import pytest

from core.workspace.bulk import (
    AddTags,
    Clear,
    DropDuplicates,
    PatternError,
    Prefix,
    RemoveTags,
    RenameTags,
    Replace,
    SetCaption,
    SortTags,
    Suffix,
    change_of,
    changed_captions,
)
from core.workspace.data import CaptionMode
from core.workspace.tags import TagList, counted, tag_key, tags_of

TEXT, TAGS = CaptionMode.TEXT, CaptionMode.TAGS
MESSY = " cat,dog ,  red car,\nsea、sky；night; ;), ^_^; , x,, "


@pytest.mark.parametrize(
    ("caption", "tags"),
    [
        ("cat, dog", ["cat", "dog"]),
        ("cat,dog ,\n red  car ", ["cat", "dog", "red  car"]),
        ("cat\ndog\n", ["cat", "dog"]),
        ("cat; dog", ["cat", "dog"]),
        ("cat,; dog,;  ,car", ["cat", "dog", "car"]),
        ("smile, ;), ;d, ^_^;", ["smile", ";)", ";d", "^_^;"]),
        ("猫、犬，海", ["猫", "犬", "海"]),
        (", ,cat,, dog,", ["cat", "dog"]),
        ("foo \\(bar\\), (red:1.2)", ["foo \\(bar\\)", "(red:1.2)"]),
        ("", []),
        (" ,\n", []),
    ],
)
def test_tags_stand_between_commas_and_line_breaks(caption, tags):
    assert tags_of(caption) == tags


def test_caption_is_put_together_as_it_was():
    rng = random.Random(7)
    pieces = ["a", "bc", " ", ",", ", ", "\n", ";", "; ", "、", ")", "\r\n", "\t", "é"]
    texts = ["".join(rng.choices(pieces, k=rng.randrange(12))) for _ in range(3000)]
    for text in [*texts, MESSY]:
        assert TagList.of(text).text == text
        assert all(tag and tag == tag.strip() for tag in tags_of(text)), text


@pytest.mark.parametrize(
    ("operation", "before", "after"),
    [
        (AddTags(("c", "A", "d")), "a,b", "a,b,c,d"),
        (AddTags(("c",)), "a, b,\n", "a, b, c,\n"),
        (AddTags(("c", "c ")), "", "c"),
        (AddTags(("c", "d"), at_start=True), "a\nb", "c\nd\na\nb"),
        (AddTags(("c",)), "a", "a, c"),
        (AddTags((" ",)), "a ,b", "a ,b"),
        (RemoveTags(("A",)), "a ,b,  c", "b,  c"),
        (RemoveTags(("b",)), "a ,b;  c", "a;  c"),
        (RemoveTags(("c",)), "a ,b,  c,", "a ,b,"),
        (RemoveTags(("a", "red  CAR")), "a, red car\n", ""),
        (RemoveTags(("nothing",)), MESSY, MESSY),
        (RenameTags(("b",), "x"), "a ,b, c", "a ,x, c"),
        (RenameTags(("b", "c"), "x"), "a ,b, c,d", "a ,x,d"),
        (RenameTags(("c",), "a"), "a, b, c", "a, b"),
        (RenameTags(("a",), "A"), "a, b", "A, b"),
        (RenameTags(("b",), ""), "a, b, c", "a, c"),
        (RenameTags(("b",), "x"), "d, d, b", "d, d, x"),
        (RenameTags(("nothing",), "x"), MESSY, MESSY),
        (SortTags(), "b10 ,b2, A,c", "A ,b2, b10,c"),
        (SortTags(fixed=1), "z,b,a", "z,a,b"),
        (SortTags(counts={"b": 5, "C": 9}), "a, b, c", "c, b, a"),
        (DropDuplicates(), "a, b , A,c,b", "a, b,c"),
        (DropDuplicates(), MESSY, MESSY),
        (Prefix("ohwx"), "a,b", "ohwx,a,b"),
        (Prefix("ohwx, a"), "a,b", "ohwx,a,b"),
        (Suffix("c, d,"), "a, b", "a, b, c, d"),
    ],
)
def test_operation_on_tags_leaves_the_form_of_the_others(operation, before, after):
    assert operation.apply(before, TAGS) == after
    assert operation.apply(after, TAGS) == after


@pytest.mark.parametrize(
    "operation",
    [
        AddTags(("c",)),
        RemoveTags(("A cat",)),
        RenameTags(("a dog",), "x"),
        SortTags(),
        DropDuplicates(),
    ],
)
def test_sentences_have_no_tags(operation):
    text = "A cat, a dog, and a cat, a cat."
    assert operation.apply(text, TEXT) == text
    assert change_of(operation, text, TEXT) is None


@pytest.mark.parametrize(
    ("operation", "before", "after"),
    [
        (Prefix("ohwx,"), "A cat.", "ohwx, A cat."),
        (Prefix("ohwx\n"), "A cat.", "ohwx\nA cat."),
        (Suffix("End."), "A cat.", "A cat. End."),
        (Suffix(", photo"), "A cat", "A cat, photo"),
        (Suffix("End."), "", "End."),
        (Clear(), "A cat.", ""),
        (SetCaption("A dog."), "A cat.", "A dog."),
        (Replace("CAT", "dog"), "A cat, a cat.", "A dog, a dog."),
        (Replace("CAT", "dog", is_case_sensitive=True), "A cat.", "A cat."),
        (Replace("cat", "dog", is_whole_words=True), "A cat, a catfish.", "A dog, a catfish."),
        (Replace(".", "!"), "A cat.", "A cat!"),
        (Replace(r"\1", r"\2"), r"a \1", r"a \2"),
        (Replace(r"(\w+) cat", r"cat \1", is_regex=True), "A red cat.", "A cat red."),
        (Replace(r"c.", "x", is_regex=True, is_whole_words=True), "ca cat", "x cat"),
        (Replace("^", "> ", is_regex=True), "a\nb", "> a\nb"),
        (Replace("(?<n>a)|b", r"[\g<n>]", is_regex=True), "abc", "[a][]c"),
        (Replace("", "x"), "abc", "abc"),
        (Replace("", "x", is_regex=True), "abc", "abc"),
    ],
)
def test_operation_on_text(operation, before, after):
    assert operation.apply(before, TEXT) == after
    change = change_of(operation, before, TEXT)
    if before == after:
        assert change is None
    else:
        assert change is not None
        assert (change.before, change.after) == (before, after)


@pytest.mark.parametrize("is_regex", [False, True])
def test_preview_marks_what_is_replaced_and_what_takes_its_place(is_regex):
    change = change_of(Replace("cat", "zebra", is_regex=is_regex), "A cat, a cat.", TEXT)
    assert change is not None
    assert [change.before[begin:end] for begin, end in change.spans_before] == ["cat", "cat"]
    assert [change.after[begin:end] for begin, end in change.spans_after] == ["zebra", "zebra"]
    change = change_of(AddTags(("sea",)), "cat, sky", TAGS)
    assert change is not None
    assert [change.after[begin:end] for begin, end in change.spans_after] == [", sea"]


@pytest.mark.parametrize(
    ("find", "replacement", "position"),
    [
        ("ab(c", "", 4),
        ("*", "", 0),
        ("(a)", r"\2", None),
        ("a", r"\g<x>", None),
        ("a", "\\", None),
    ],
)
def test_wrong_expression_is_refused_before_any_caption_changes(find, replacement, position):
    operation = Replace(find, replacement, is_regex=True)
    for captions in ({}, {1: "nothing"}, {1: "a"}):
        with pytest.raises(PatternError, match="The regular expression is wrong") as refused:
            changed_captions(operation, captions, TEXT)
        if position is not None:
            assert refused.value.position == position


def test_endless_expression_is_ended():
    operation = Replace(r"(\w+\s?)+(\w+\s?)+(\w+\s?)+\d$", "", is_regex=True)
    with pytest.raises(PatternError, match="takes too long"):
        operation.apply("word " * 300, TEXT)


def test_edit_of_many_returns_only_what_changes():
    captions = {1: "a cat", 2: "a dog", 3: "cat"}
    operation = Replace("cat", "cow")
    assert changed_captions(operation, captions, TEXT) == {1: "a cow", 3: "cow"}
    assert changed_captions(operation, changed_captions(operation, captions, TEXT), TEXT) == {}


def test_edits_have_names_for_undo():
    names = [
        one.name
        for one in (
            Replace("cat", "dog"),
            AddTags(("a",)),
            AddTags(("a", "b")),
            RenameTags(("a", "b"), "c"),
            Prefix("x" * 100),
        )
    ]
    assert names[:4] == [
        "Replace “cat” with “dog”",
        "Add tag “a”",
        "Add 2 tags",
        "Merge 2 tags into “c”",
    ]
    assert len(names[4]) < 70
    assert all(name.template for name in names)


def test_tags_are_counted_once_an_image_and_in_their_most_frequent_form():
    captions = ["Cat, dog, cat", "cat", "cat, red  car", "red car", "red car"]
    assert counted(captions) == Counter({"cat": 3, "red car": 3, "dog": 1})
    assert tag_key(" Red \n CAR") == "red car"


@pytest.mark.parametrize(
    "tags",
    [
        ("A dog", "Cat"),
        ("a  dog", "cat"),
        ("Straße", "STRASSE"),
        ("a\tdog", "cat"),
        ("a, b", "c"),
        (" a", "b "),
        ("", "b"),
        ("b", ""),
        ("",),
        (" ",),
        (),
        ("İ", "ı"),
    ],
)
def test_keys_of_a_list_are_those_of_its_tags(tags):
    assert TagList(tags).keys == [tag_key(tag) for tag in tags]


@pytest.mark.parametrize(
    ("separators", "usual"), [((), ", "), ((",",), ","), ((", ", ",", ","), ","), (("; ",), "; ")]
)
def test_separator_is_what_stands_between_most_tags(separators, usual):
    tags = tuple("abcd"[: len(separators) + 1])
    assert TagList(tags, separators).separator == usual
