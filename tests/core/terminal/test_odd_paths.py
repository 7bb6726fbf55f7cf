"""Paths and names that a disk refuses, or that are not text: each gets its sentence."""

import json
import os
import sys

import pytest
from PIL import Image

from core.terminal import main as terminal
from tests.support.tiers import slowly

LONG = "n" * 300
NOT_TEXT = pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="names there are text")


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("ONLOOKER_HOME", str(tmp_path / "home"))


@pytest.fixture
def folder(tmp_path):
    """“a.png”, and an image with the longest name of ASCII letters that Linux takes."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for name in ("a.png", f"{'b' * 251}.png"):
        Image.new("RGB", (40, 30), "red").save(folder / name)
    return folder


def caption(*arguments):
    return terminal.main(["caption", *map(str, arguments), "--max-new-tokens", "4"])


@pytest.mark.parametrize(
    ("arguments", "status", "sentence"),
    [
        ([LONG], 1, "cannot be read"),
        ([f"{LONG}/a.png"], 1, "cannot be read"),
        ([f"{LONG}*"], 1, "cannot be read"),
        ([LONG, "--write", "txt"], 2, "no such file or folder"),
        ([f"{LONG}/*.png", "--write", "txt"], 1, "cannot be read"),
        (["a.png", "--model", LONG], 1, "There is no model"),
        (["a.png", "--model", f"/{LONG}"], 1, "There is no model"),
        (["a.png", "--model", f"{LONG}/{LONG}"], 1, "There is no model"),
        (["a.png", "--model", "~nobody-is-called-so/llava"], 1, "There is no model"),
    ],
)
def test_path_that_there_cannot_be_gets_a_sentence(
    arguments, status, sentence, folder, monkeypatch, capsys
):
    monkeypatch.chdir(folder)
    assert caption(*arguments) == status
    assert sentence in capsys.readouterr().err


@pytest.mark.parametrize("name", [LONG, f"{LONG}/{LONG}", "~nobody-is-called-so/llava"])
def test_model_that_there_cannot_be_is_not_checked(name, capsys):
    assert terminal.main(["models", "check", name]) == 2
    assert "no model" in capsys.readouterr().err


@pytest.mark.skipif(sys.platform == "win32", reason="other limits hold there")
@pytest.mark.parametrize(
    ("kind", "existing"),
    [
        *(("txt", "skip"), ("xmp", "append"), ("caption", "replace")),
        *(slowly("txt", existing) for existing in ("append", "replace")),
        *(slowly("xmp", existing) for existing in ("skip", "replace")),
        *(slowly("caption", existing) for existing in ("skip", "append")),
    ],
)
def test_caption_whose_file_name_is_too_long_fails_with_that_reason(kind, existing, folder, capsys):
    options = ["--write", kind, "--name", "{name}", "--existing", existing]
    assert caption(folder, *options) == 1
    said = capsys.readouterr().err
    assert "1 captioned, 1 failed." in said
    assert "name is too long" in said
    assert terminal.main(["caption", str(folder), "--undo"]) == 0
    assert len(list(folder.iterdir())) == 2


@NOT_TEXT
@pytest.mark.parametrize("option", ["--evidence", "--format"])
def test_json_holds_names_that_are_not_text(option, folder, tmp_path, capsys):
    image = os.fsencode(folder) + b"/caf\xe9.png"
    os.rename(folder / "a.png", image)  # noqa: PTH104
    written = tmp_path / "written.json"
    value = "json" if option == "--format" else written
    assert caption(os.fsdecode(image), option, value) == 0
    out = capsys.readouterr().out
    text = out if option == "--format" else written.read_bytes().decode()
    assert "caf\\udce9.png" in text
    assert json.loads(text)["picture"] == os.fsdecode(image)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read all")
@pytest.mark.parametrize("options", [[], ["--write", "txt"]], ids=["print", "write"])
def test_folder_that_may_not_be_read_is_named(options, folder, capsys):
    (folder / "inside").mkdir(mode=0)
    assert caption(folder, "--recursive", *options) == 0
    assert "“inside” cannot be read" in capsys.readouterr().err
    folder.chmod(0)
    try:
        assert caption(folder, *options) == 1
        assert "“pictures” cannot be read" in capsys.readouterr().err
        assert caption(folder / "a.png", *options) in (1, 2)
        assert caption(folder / "*.png", *options) == 1
    finally:
        folder.chmod(0o755)
