"""Words of captions, and the dictionaries that know how they are written."""

import os

import pytest

from core.errors import StoreError
from core.spelling import (
    Spelling,
    best_language,
    dictionary_folders,
    find_dictionaries,
    own_folder,
    spans_of_words,
)


@pytest.fixture(scope="module")
def english(tmp_path_factory):
    """Spelling by the dictionary that comes with spylls."""
    found = find_dictionaries(dictionary_folders(tmp_path_factory.mktemp("none")))
    return Spelling(found["en_US"], tmp_path_factory.mktemp("own") / "words.txt")


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A dictionary of three words and a plural, in an encoding of its own."""
    folder = tmp_path_factory.mktemp("dictionaries")
    (folder / "de_AT.aff").write_text(
        "SET ISO8859-1\nTRY abc\nSFX N Y 1\nSFX N 0 n e\n", encoding="latin-1"
    )
    (folder / "de_AT.dic").write_text("3\nKatze/N\ngrün\nund\n", encoding="latin-1")
    (folder / "no_rules.dic").write_text("1\nword\n")
    (folder / "README.aff").write_text("")
    return folder


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("A cat's toy, and it’s red.", ["cat's", "toy", "and", "it’s", "red"]),
        ("1girl, long_hair, (blue eyes:1.2)", ["long", "hair", "blue", "eyes"]),
        ("see https://a.example/path or IMG_1.jpg <lora:foo_v2:0.8>", ["see", "or"]),
        ("naïve ☃ 猫 grün", ["naïve", "grün"]),
        ("", []),
    ],
)
def test_words_are_those_that_have_a_spelling(text, words):
    assert [text[begin:end] for begin, end in spans_of_words(text)] == words


def test_dictionaries_are_found_by_their_languages(small, tmp_path):
    assert find_dictionaries([tmp_path / "gone", small]) == {"de_AT": small / "de_AT"}
    found = {"de_AT": small, "en_GB": small, "en_US": small}
    assert best_language("de_DE", found) == "de_AT"
    assert best_language("en_AU", found) == "en_US"
    assert best_language("fr_FR", found) == ""


def test_wrong_words_are_found_and_suggested_for(english):
    text = "A yelow cat sits in paris, it's a Xyzzian cat"
    wrong = [text[begin:end] for begin, end in english.wrong_spans(text)]
    assert wrong == ["yelow", "Xyzzian"]
    assert "yellow" in english.suggestions("yelow")


def test_text_in_another_language_has_no_wrong_words(english):
    assert english.wrong_spans("Eine graue Katze sitzt ruhig neben einem roten Haus") == []


def test_own_words_are_kept(small, tmp_path):
    own = own_folder(tmp_path) / "words.txt"
    spelling = Spelling(small / "de_AT", own)
    assert not spelling.is_right("Xyzzian")
    for word in ("Xyzzian", "ähm"):
        spelling.add(word)
    assert spelling.is_right("xyzzian")
    assert Spelling(small / "de_AT", own).is_right("Xyzzian")
    assert own.read_text(encoding="utf-8") == "Xyzzian\nähm\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "latin-1"])
def test_own_words_of_any_editor_stay(small, tmp_path, encoding):
    own = tmp_path / "words.txt"
    own.write_bytes("Ähre\r\nzebra\n\nAdam".encode(encoding))
    spelling = Spelling(small / "de_AT", own)
    assert all(map(spelling.is_right, ("ähre", "Zebra", "adam")))
    spelling.add("Xyzzian")
    spelling.add("zebra")
    assert own.read_bytes().decode() == "Ähre\r\nzebra\n\nAdam\nXyzzian\n"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names")
@pytest.mark.parametrize("how", ["pipe", "folder", "huge"])
def test_own_words_that_cannot_be_read_are_left(small, tmp_path, how):
    own = tmp_path / "words.txt"
    if how == "pipe":
        os.mkfifo(own)
    elif how == "folder":
        own.mkdir()
    else:
        own.write_bytes(b"word\n")
        os.truncate(own, 60_000_000)
    before = own.lstat()
    spelling = Spelling(small / "de_AT", own)
    with pytest.raises(StoreError, match=r"words\.txt"):
        spelling.add("Xyzzian")
    assert spelling.is_right("Xyzzian")
    assert (own.lstat().st_mode, own.lstat().st_size) == (before.st_mode, before.st_size)


def test_dictionary_is_read_in_its_own_encoding(small, tmp_path):
    spelling = Spelling(small / "de_AT", tmp_path / "words.txt")
    assert all(map(spelling.is_right, ("Katzen", "grün", "Grün", "UND")))
    assert not spelling.is_right("grun")


def test_file_that_is_no_dictionary_is_named(tmp_path):
    (tmp_path / "xx.aff").write_bytes(b"SET nothing\n")
    (tmp_path / "xx.dic").write_bytes(b"\xff\xfe\0")
    with pytest.raises(StoreError, match="xx"):
        Spelling(tmp_path / "xx", tmp_path / "words.txt")


def test_words_that_another_program_adds_stay_and_are_known(small, tmp_path):
    own = tmp_path / "words.txt"
    dictionary = find_dictionaries([small])["de_AT"]
    ours, theirs = Spelling(dictionary, own), Spelling(dictionary, own)
    ours.add("Xyzzian")
    theirs.add("plugh")
    assert own.read_text().splitlines() == ["Xyzzian", "plugh"]
    assert theirs.is_right("xyzzian")
