"""`onlooker export` and `onlooker import`."""

import json
from contextlib import closing
from threading import Event

import pytest
from PIL import Image

from core.terminal import main as terminal
from core.workspace.data import ReviewState, WorkspaceOptions
from core.workspace.export.formats import ExportFormat
from core.workspace.workspace import Workspace


@pytest.fixture(autouse=True)
def _home(tmp_path, monkeypatch):
    monkeypatch.setenv("ONLOOKER_HOME", str(tmp_path / "home"))


@pytest.fixture
def folder(tmp_path):
    """Three images, two with a caption."""
    folder = tmp_path / "images"
    (folder / "sub").mkdir(parents=True)
    for name in ("a.png", "b.png", "sub/c.png"):
        Image.new("RGB", (8, 6)).save(folder / name)
    (folder / "a.txt").write_text("A cat.\n")
    (folder / "sub" / "c.txt").write_text("A dog.\n")
    return folder


def test_export_writes_captions_and_says_what_is_left_out(folder, tmp_path, capsys):
    output = tmp_path / "out.jsonl"
    arguments = ["export", str(folder), "--to", "jsonl", "--output", str(output), "--recursive"]
    assert terminal.main(arguments) == 0
    records = [json.loads(line) for line in output.read_text().splitlines()]
    assert [(one["file_name"], one["caption"]) for one in records] == [
        ("a.png", "A cat."),
        ("sub/c.png", "A dog."),
    ]
    said = capsys.readouterr()
    assert said.out == f"Exported 2 captions to {output}.\n"
    assert "1 image without a caption was left out." in said.err
    assert terminal.main(arguments) == 0  # Its own file is written again.
    output.write_text("somebody's")
    assert terminal.main(arguments) == 1
    assert output.read_text() == "somebody's"
    assert "not from an export" in capsys.readouterr().err


@pytest.mark.parametrize("to", [one for one in ExportFormat if one is not ExportFormat.PARQUET])
def test_every_format_can_be_chosen(folder, tmp_path, to):
    output = tmp_path / f"out{to.suffix}"
    assert terminal.main(["export", str(folder), "--to", to, "--output", str(output)]) == 0
    assert output.is_dir() == to.is_folder


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--to", "docx", "--output", "x"], "invalid"),
        (["--to", "csv"], "--output"),
        (["--to", "csv", "--output", "x", "--captions", "csv"], "or the name of a table"),
        (["--to", "csv", "--output", "x", "--name", "a/b"], "is not a valid name"),
    ],
)
def test_wrong_use_is_said(folder, capsys, arguments, reason):
    assert terminal.main(["export", str(folder), *arguments]) == 2
    assert reason in capsys.readouterr().err


def test_reviews_are_exported_and_choose_captions(folder, tmp_path):
    options = WorkspaceOptions(is_recursive=True)
    workspace = Workspace.open([folder], tmp_path / "home", options)
    workspace.scan(Event(), lambda progress: None)
    ids = {row.path.name: row.id for row in workspace.rows(workspace.ids())}
    workspace.set_review([ids["a.png"]], ReviewState.NEEDS_WORK)
    workspace.close()
    output = tmp_path / "out.jsonl"
    arguments = ["export", str(folder), "--to", "jsonl", "--output", str(output), "--recursive"]
    for chosen, expected in (
        (["--reviews"], [("a.png", ReviewState.NEEDS_WORK), ("sub/c.png", "unreviewed")]),
        (["--only", "needs-work"], [("a.png", None)]),
        (["--only", "unreviewed,accepted"], [("sub/c.png", None)]),
    ):
        assert terminal.main([*arguments, *chosen]) == 0
        records = [json.loads(line) for line in output.read_text().splitlines()]
        assert [(one["file_name"], one.get("review")) for one in records] == expected
    assert terminal.main([*arguments, "--only", "fine"]) == 2


def test_missing_folder_and_folder_without_images_are_said(tmp_path, capsys):
    for name, status, reason in (("none", 2, "no such file"), ("", 1, "There are no images")):
        arguments = ["export", str(tmp_path / name), "--to", "csv", "--output", str(tmp_path / "x")]
        assert terminal.main(arguments) == status
        assert reason in capsys.readouterr().err


def test_import_writes_captions_beside_images_and_keeps_others(folder, tmp_path, capsys):
    table = tmp_path / "captions.csv"
    table.write_text("file_name,caption\na.png,A lion.\nb.png,A bear.\nsub/c,A dog.\nd.png,x\n")
    arguments = ["import", str(folder), "--from", str(table), "--recursive"]
    assert terminal.main(arguments) == 1
    assert (folder / "b.txt").read_text() == "A bear.\n"
    assert (folder / "a.txt").read_text() == "A cat.\n"
    said = capsys.readouterr()
    assert said.out == "Imported 1 caption; 1 was there already.\n"
    assert "a.png: has another caption. Use --replace to overwrite it." in said.err
    assert "d.png: there is no such image." in said.err
    assert terminal.main([*arguments, "--replace"]) == 1
    assert (folder / "a.txt").read_text() == "A lion.\n"


def test_exported_captions_are_imported_again(folder, tmp_path):
    output = str(tmp_path / "out")
    assert terminal.main(["export", str(folder), "--to", "text", "--output", output]) == 0
    (folder / "a.txt").unlink()
    assert terminal.main(["import", str(folder), "--from", output]) == 0
    assert (folder / "a.txt").read_text() == "A cat.\n"


def test_imported_captions_are_the_same_the_next_time(folder, tmp_path, capsys):
    """Also those with blanks around them, with other line ends, or with half an emoji."""
    (folder / "a.txt").unlink()
    texts = {"a.png": " A cat.\r\nA mat. \n", "b.png": "A bear \ud83d"}
    (tmp_path / "x.json").write_text(json.dumps(texts))
    arguments = ["import", str(folder), "--from", str(tmp_path / "x.json")]
    assert terminal.main(arguments) == 0
    assert (folder / "a.txt").read_text() == "A cat.\nA mat.\n"
    assert terminal.main(arguments) == 0
    assert "Imported 0 captions; 2 were there already." in capsys.readouterr().out


def test_import_of_what_cannot_be_read_changes_nothing(folder, tmp_path, capsys):
    (tmp_path / "x.json").write_text("{")
    for name, status in (("x.json", 1), ("none.csv", 2)):
        assert terminal.main(["import", str(folder), "--from", str(tmp_path / name)]) == status
    assert "is damaged" in capsys.readouterr().err
    assert not (folder / "b.txt").exists()


@pytest.mark.parametrize(
    ("to", "name"),
    [
        *(("csv", "out.csv"), ("jsonl", "out.jsonl"), ("text", "out"), ("xmp", "out/reviews.csv")),
        ("imagefolder", "out/metadata.jsonl"),
        pytest.param("parquet", "out.parquet", id="parquet"),
    ],
)
def test_reviews_come_back_to_images_with_other_names(tmp_path, monkeypatch, capsys, to, name):
    if to == "parquet":
        pytest.importorskip("pyarrow", reason="Parquet is an extra")
    folder = tmp_path / "images"
    folder.mkdir()
    reviews = {
        "a": "accepted",
        "b": "rejected",
        "c": "needs-work",
        "d": "accepted",
        "e": "accepted",
    }
    for number, image in enumerate((*reviews, "f")):
        # Files of one size, as swapped ones may have.
        Image.new("RGB", (8, 6), (number, 0, 0)).save(folder / f"{image}.bmp")
        (folder / f"{image}.txt").write_text(f"Image {image}.\n")
    (folder / "e.txt").unlink()
    review(folder, tmp_path / "home", reviews)
    out = tmp_path / f"out{ExportFormat(to).suffix}"
    command = ["export", str(folder), "--to", to, "--output", str(out), "--reviews"]
    assert terminal.main(command) == 0
    kept = 4 if to == "imagefolder" else 5  # Training sets have no images without a caption.
    assert f"Exported 5 captions and {kept} reviews" in capsys.readouterr().out

    (folder / "a.bmp").rename(folder / "b2.bmp")  # Swapped.
    (folder / "b.bmp").rename(folder / "a.bmp")
    (folder / "b2.bmp").rename(folder / "b.bmp")
    (folder / "c.bmp").rename(folder / "renamed.bmp")
    Image.new("RGB", (8, 6), "white").save(folder / "d.bmp")  # Edited.
    monkeypatch.setenv("ONLOOKER_HOME", str(tmp_path / "other home"))
    review(folder, tmp_path / "other home", {"d": "rejected"})
    source = tmp_path / name
    assert terminal.main(["import", str(folder), "--from", str(source)]) == 1
    assert "d.bmp: has another review. Use --replace" in capsys.readouterr().err
    expected = {"a": "rejected", "b": "accepted", "renamed": "needs-work", "d": "rejected"}
    expected |= {"f": "unreviewed", "e": "unreviewed" if to == "imagefolder" else "accepted"}
    assert reviews_of(folder, tmp_path / "other home") == expected
    assert not (folder / "e.txt").exists()
    terminal.main(["import", str(folder), "--from", str(source), "--replace"])
    assert reviews_of(folder, tmp_path / "other home") == {**expected, "d": "accepted"}


def opened(folder, home):
    workspace = Workspace.open([folder], home, WorkspaceOptions())
    workspace.scan(Event(), lambda progress: None)
    return workspace


def review(folder, home, reviews):
    with closing(opened(folder, home)) as workspace:
        for row in workspace.rows(workspace.ids()):
            if row.path.stem in reviews:
                workspace.set_review([row.id], ReviewState(reviews[row.path.stem]))


def reviews_of(folder, home):
    with closing(opened(folder, home)) as workspace:
        return {row.path.stem: str(row.review) for row in workspace.rows(workspace.ids())}


def test_captions_in_a_table_are_exported_and_imported(folder, tmp_path, capsys):
    table, output = folder / "metadata.jsonl", tmp_path / "out.csv"
    rows = {"a.png": "A horse.", "sub/c.png": 5}
    lines = [json.dumps({"file_name": name, "text": text}) for name, text in rows.items()]
    table.write_text("\n".join(lines))
    arguments = ["export", str(folder), "--to", "csv", "--output", str(output), "--recursive"]
    assert terminal.main([*arguments, "--captions", "metadata.jsonl"]) == 1
    assert "is not text" in capsys.readouterr().err
    assert "A horse." in output.read_text()
    assert "A cat." not in output.read_text()
    source = tmp_path / "source.csv"
    source.write_text("file,caption\na.png,A pony.\nb.png,A bee.\n")
    arguments = ["import", str(folder), "--from", str(source), "--write", "metadata.jsonl"]
    assert terminal.main([*arguments, "--replace"]) == 0
    captions = [json.loads(line)["text"] for line in table.read_text().splitlines()]
    assert captions == ["A pony.", 5, "A bee."]
    assert not (folder / "b.txt").exists()
