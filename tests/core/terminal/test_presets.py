"""`onlooker caption --preset`, and `onlooker presets`; the built-in model answers."""

import json

import pytest

from core.batch import find_runs
from core.captions.alt_text import AltText
from core.resources import SAMPLES
from core.terminal import main as terminal
from core.terminal.options import CaptionOptions, parse
from core.workspace.presets import Preset, Presets, write_presets


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Two drawings."""
    monkeypatch.setenv("ONLOOKER_HOME", str(tmp_path / "home"))
    folder = tmp_path / "images"
    folder.mkdir()
    for sample in sorted(SAMPLES.glob("*.png"))[:2]:
        (folder / sample.name).write_bytes(sample.read_bytes())
    return folder


def test_presets_are_listed_exported_and_imported(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("ONLOOKER_HOME", str(tmp_path / "home"))
    assert terminal.main(["presets"]) == 0
    assert capsys.readouterr().out.splitlines()[4] == "5  Alt text"
    write_presets([Preset("Mine", ("x",))], tmp_path / "in.json")
    for said in ("Imported 1 preset.", "All presets were there already."):
        assert terminal.main(["presets", "import", str(tmp_path / "in.json")]) == 0
        assert capsys.readouterr().out.splitlines()[0] == said
    assert terminal.main(["presets", "list", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[-1] == {"name": "Mine", "prompts": ["x"]}
    out = tmp_path / "out.json"
    assert terminal.main(["presets", "export", "--output", str(out)]) == 0
    assert out.read_bytes() == (tmp_path / "in.json").read_bytes()
    assert terminal.main(["presets", "export", "none", "--output", str(out)]) == 2
    assert terminal.main(["presets", "import", str(tmp_path / "none.json")]) == 2


def test_preset_is_what_is_asked_with_and_without_a_run(folder, tmp_path):
    (tmp_path / "tags.csv").write_text("tag,count\ncat,3\ndog,2\n")
    arguments = [
        "caption",
        str(folder),
        "--preset",
        "4",
        "--vocabulary",
        str(tmp_path / "tags.csv"),
    ]
    printed = parse([*arguments, "--temperature", "0.5"])
    written = parse([*arguments, "--temperature", "0.5", "--write", "txt"])
    assert isinstance(printed, CaptionOptions)
    assert isinstance(written, CaptionOptions)
    assert printed.folder_run is None
    assert written.folder_run is not None
    for asked in (printed.job, written.folder_run.asked):
        assert asked is not None
        assert asked.prompts == Presets.built_in().all[3].prompts
        assert asked.vocabulary == ("cat", "dog")
        assert (asked.is_one_line, asked.drops_duplicates) == (True, True)
        assert asked.sampling.temperature == 0.5
    own = parse([*arguments, "--prompt", "Mine?", "--write", "txt"])
    assert isinstance(own, CaptionOptions)
    assert own.folder_run is not None
    assert own.folder_run.asked.prompts == ("Mine?",)
    assert own.folder_run.asked.vocabulary == ("cat", "dog")


@pytest.mark.slow
def test_preset_sets_what_is_not_on_the_command_line(folder, tmp_path, capsys):
    arguments = ["caption", str(folder), "--device", "cpu", "--max-new-tokens", "12"]
    preset = ["--preset", "dataset caption", "--prefix", "ohwx,", "--write", "txt"]
    assert terminal.main([*arguments, *preset]) == 0
    (kept,) = find_runs(tmp_path / "home" / "runs")
    expected = Presets.built_in().all[1]
    assert kept.options.prompts == expected.prompts
    assert (kept.options.prefix, kept.options.is_one_line) == ("ohwx,", True)
    assert kept.options.sampling.max_new_tokens == 12
    texts = [path.read_text() for path in folder.glob("*.txt")]
    assert len(texts) == 2
    assert all(text.startswith("ohwx, ") and text.count("\n") == 1 for text in texts)


@pytest.mark.slow
def test_alt_text_is_printed_and_written_with_its_long_description(folder, capsys):
    picture = next(folder.glob("*.png"))
    arguments = ["caption", str(picture), "--preset", "5", "--device", "cpu"]
    arguments += ["--max-new-tokens", "40"]
    assert terminal.main(arguments) == 0
    printed = capsys.readouterr().out.strip()
    assert terminal.main([*arguments, "--write", "txt"]) == 0
    written = picture.with_suffix(".txt").read_text().strip()
    assert printed == written
    alt = AltText.of(written)
    assert alt.is_decorative or (len(alt.text) > 0 and alt.long_description)
    assert terminal.main([*arguments, "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["caption"] == written


@pytest.mark.slow
def test_only_tags_of_the_vocabulary_are_printed(folder, tmp_path, capsys):
    (tmp_path / "tags.txt").write_text("nothing of this\nat all\n")
    arguments = ["caption", str(next(folder.glob("*.png"))), "--device", "cpu"]
    arguments += ["--max-new-tokens", "8", "--preset", "tags from a vocabulary"]
    assert terminal.main([*arguments, "--vocabulary", str(tmp_path / "tags.txt")]) == 1
    assert "The model wrote nothing of its own." in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--preset", "none"], "there is no “none”. Choose from “Describe”"),
        (["--preset", "4"], "needs --vocabulary"),
        (["--vocabulary", "none.txt"], "no such file"),
        (["--preset", "5", "--together"], "--together does not work with --preset"),
        (["--preset", "5", "--resume"], "--preset does not work with --resume"),
    ],
)
def test_wrong_use_is_said(folder, capsys, arguments, reason):
    assert terminal.main(["caption", str(folder), *arguments]) == 2
    assert reason in capsys.readouterr().err
