"""`onlooker find`, as it is typed."""

import json

import pytest
from PIL import Image

from core.terminal.main import main


@pytest.fixture
def found(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("ONLOOKER_HOME", str(tmp_path / "home"))
    folder = tmp_path / "images"
    (folder / "inner").mkdir(parents=True)
    for name, caption in (("2.png", "a dog, a cat"), ("10.png", "a dog"), ("inner/1.png", "")):
        Image.new("RGB", (4, 6), "blue").save(folder / name)
        if caption:
            (folder / name).with_suffix(".txt").write_text(caption)

    def found(*arguments):
        status = main(["find", str(folder), *arguments])
        out, err = capsys.readouterr()
        return status, out.replace(str(folder), "").replace("\\", "/").split("\n")[:-1], err

    return found


def test_find_prints_the_paths_that_a_query_finds(found):
    assert found()[:2] == (0, ["/2.png", "/10.png", "/inner/1.png"])
    assert found('tag:"a dog"', '-tag:"a cat"')[:2] == (0, ["/10.png"])
    assert found("not has:caption", "--sort", "size")[:2] == (0, ["/inner/1.png"])
    assert found("zebra")[:2] == (1, [])
    assert found("is:duplicate", "--reverse")[1] == ["/inner/1.png", "/10.png", "/2.png"]


def test_options_stand_between_the_folder_and_the_query(found):
    assert found("--sort", "name", "cat")[:2] == (0, ["/2.png"])
    assert found("a", "--reverse", "dog", "--sort", "name")[1] == ["/10.png", "/2.png"]
    assert found("--sort", "size", "--", "-cat")[1] == ["/10.png", "/inner/1.png"]


def test_unknown_option_is_refused_also_between_others(found):
    status, out, err = found("--bad", "cat")
    assert (status, out) == (2, [])
    assert "--bad" in err


def test_find_prints_json(found):
    line = json.loads(found("cat", "--json")[1][0])
    assert (line["caption"], line["width"], line["review"]) == ("a dog, a cat", 4, "unreviewed")


def test_find_says_what_is_wrong_with_a_query_and_where(found):
    status, out, err = found("dog", "(cat")
    assert (status, out) == (2, [])
    assert err == "onlooker: Close this parenthesis.\n  dog (cat\n      ^\n"


def test_find_reads_a_table_that_is_named_or_has_the_only_captions(found, tmp_path):
    table = tmp_path / "images" / "metadata.jsonl"
    table.write_text(json.dumps({"file_name": "inner/1.png", "text": "a zebra"}) + "\n")
    assert found("zebra")[:2] == (1, [])
    assert found("zebra", "--captions", "metadata.jsonl")[:2] == (0, ["/inner/1.png"])
    for text in (tmp_path / "images").glob("*.txt"):
        text.unlink()
    assert found("zebra")[:2] == (0, ["/inner/1.png"])
    assert found("zebra", "--captions", "txt")[:2] == (1, [])
    status, _, err = found("zebra", "--captions", "metadata.txt")
    assert (status, "or the name of a table" in err) == (2, True)
