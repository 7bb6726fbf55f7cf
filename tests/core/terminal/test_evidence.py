"""`onlooker caption --evidence`: words and tokens as JSON, of one image and of a folder run."""

import json
import math

import pytest
from PIL import Image

from core.terminal import main as terminal


@pytest.fixture
def pictures(tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    for name, colour in (("a", "teal"), ("b", "red")):
        Image.new("RGB", (40, 30), colour).save(folder / f"{name}.png")
    return folder


@pytest.fixture
def caption(tmp_path, monkeypatch, capfd):
    monkeypatch.setenv("ONLOOKER_HOME", str(tmp_path / "home"))

    def run(*arguments):
        status = terminal.main(["caption", *map(str, arguments), "--max-new-tokens", "6"])
        out, err = capfd.readouterr()
        return status, out, err

    return run


def lines_of(path):
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def check(record):
    """Tokens make up the text, and their probabilities multiply to those of the words."""
    assert record["tokens"]
    assert "".join(token["text"] for token in record["tokens"]) == record["text"]
    for token in record["tokens"]:
        assert token["log_probability"] <= 0
        assert token["log_probability_without_picture"] <= 0
    whole = math.exp(sum(token["log_probability"] for token in record["tokens"]))
    words = math.prod(word["confidence"] for word in record["words"])
    # Signs between words are no words.
    assert 0 < whole <= words * (1 + 1e-5)


def test_tokens_have_their_probabilities_in_full_precision(caption, pictures, tmp_path):
    evidence = tmp_path / "evidence.json"
    assert caption(pictures / "a.png", "--evidence", evidence)[0] == 0
    record = json.loads(evidence.read_text("utf-8"))
    check(record)
    values = [token["log_probability"] for token in record["tokens"]]
    assert any(abs(value - round(value, 5)) > 1e-9 for value in values)


@pytest.mark.slow
def test_folder_run_writes_evidence_for_each_caption_and_goes_on(caption, pictures, tmp_path):
    evidence = tmp_path / "evidence.jsonl"
    status, _, err = caption(pictures, "--write", "txt", "--evidence", evidence)
    assert status == 0, err
    records = lines_of(evidence)
    assert [record["picture"] for record in records] == [
        str(pictures / "a.png"),
        str(pictures / "b.png"),
    ]
    for record in records:
        check(record)
        name = record["picture"].removesuffix(".png")
        assert (pictures / f"{name}.txt").read_text("utf-8").strip() == record["text"].strip()

    whole = evidence.read_bytes()
    evidence.write_bytes(whole[:-40])  # As after a crash.
    assert caption(pictures, "--resume", "--evidence", evidence)[0] == 0
    assert evidence.read_bytes() == whole
    assert caption(pictures, "--resume", "--evidence", evidence)[0] == 0
    assert evidence.read_bytes() == whole


def test_file_with_something_else_is_no_place_for_evidence(caption, pictures, tmp_path):
    evidence = tmp_path / "notes.txt"
    evidence.write_text("my notes\n")
    status, _, err = caption(pictures, "--write", "txt", "--evidence", evidence)
    assert status == 1
    assert "Choose another name." in err
    assert evidence.read_text() == "my notes\n"
    assert (pictures / "a.txt").exists()
