"""Variables in the prompts of `onlooker caption`, with and without a folder run."""

import json

import pytest
from PIL import ExifTags, Image

from core.batch.journal import read_lines
from core.terminal import main as terminal

PROMPT = (
    "What is in {stem}[, {folder_note}][, taken with {camera}][ in {place}] on {date}? {caption}"
)
ASKED = "What is in a, a trip, taken with Cam 3 on 9 March 2011? old"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An image with EXIF data and a caption."""
    monkeypatch.setenv("ONLOOKER_HOME", str(tmp_path / "home"))
    (tmp_path / "images").mkdir()
    exif = Image.Exif()
    exif[ExifTags.Base.Model] = "Cam 3"
    exif[ExifTags.Base.DateTime] = "2011:03:09 10:11:12"
    Image.new("RGB", (80, 60), "red").save(tmp_path / "images" / "a.jpg", exif=exif)
    (tmp_path / "images" / "a.txt").write_text("old\n")
    return tmp_path / "images"


def test_variables_are_filled_in_with_and_without_a_run(folder, tmp_path, capsys):
    arguments = ["caption", str(folder), "--prompt", PROMPT, "--note", "a trip"]
    arguments += ["--max-new-tokens", "4", "--device", "cpu"]
    assert terminal.main([*arguments, "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["prompt"] == ASKED
    assert terminal.main([*arguments, "--write", "txt", "--existing", "replace"]) == 0
    (journal,) = (tmp_path / "home").rglob("*.jsonl")
    (line,) = [one for one in read_lines(journal) if one["kind"] == "item"]
    assert [answer["prompt"] for answer in line["answers"]] == [ASKED]
    assert terminal.main([*arguments[:-6], "--resume"]) == 0  # The note is that of the run.
    assert terminal.main([*arguments[:4], "--note", "another", "--resume"]) == 2
    assert "The last run over these folders has another --note." in capsys.readouterr().err


@pytest.mark.parametrize("run", [[], ["--write", "txt", "--existing", "replace"]])
def test_server_is_told_nothing_of_people_without_consent(folder, capsys, run):
    server = ["--server", "https://models.example", "--model", "x"]
    arguments = ["caption", str(folder), *server, *run, "--prompt"]
    assert terminal.main([*arguments, "Who[, {people}] in {exif:GPSLatitude}, {date}?"]) == 1
    said = capsys.readouterr().err
    assert "The prompt would send {people}, {exif:GPSLatitude} of your images to a server." in said
