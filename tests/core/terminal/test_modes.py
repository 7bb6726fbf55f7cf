"""Options of the terminal that do not apply are refused; patterns find their files."""

import argparse
import functools
import json

import pytest
from PIL import Image

from core.batch import BatchOptions
from core.batch.find import expanded
from core.captions.sidecar import Existing
from core.terminal import main as terminal
from core.terminal.modes import MODES, Mode, refusal
from core.terminal.parser import build_parser

VALUES = {"existing": "replace", "slots": "2", "format": "json", "top_p": "0.5", "write": "txt",
          "temperature": "1", "seed": "1", "max_new_tokens": "4", "dtype": "float32",
          "device": "cpu", "cards": "0", "server": "localhost:8000", "parallel": "3",
          "image_side": "512", "image_format": "png", "table_paths": "relative",
          "csv_separator": "tab", "most_characters": "125", "kv_cache": "8-bit", "top_k": "9",
          "repetition_penalty": "1.2", "beams": "2"}  # fmt: skip
ASKED = {
    Mode.PRINT: [],
    Mode.RUN: ["--write", "txt"],
    Mode.CONTINUE: ["--resume"],
    Mode.UNDO: ["--undo"],
}
# What an option needs beside it.
WITH = {
    "parallel": ["--server", "localhost:8000"],
    "image_side": ["--server", "localhost:8000"],
    "image_format": ["--server", "localhost:8000"],
    "top_p": ["--temperature", "1"],
    "top_k": ["--temperature", "1"],
    "seed": ["--temperature", "1"],
    "replace_edited": ["--existing", "replace"],
    "then_model": ["--existing", "stale"],
    "separator": ["--existing", "append"],
    "table_paths": ["--write", "csv"],
    "csv_separator": ["--write", "csv"],
}


# Each takes 20 ms to build.
built = functools.cache(build_parser)


def actions():
    """The arguments of `onlooker caption`, as the parser has them."""
    verbs = next(a for a in built()._actions if isinstance(a, argparse._SubParsersAction))
    return [a for a in verbs.choices["caption"]._actions if a.dest != "help"]


def given(action):
    return [
        action.option_strings[0],
        *([] if action.nargs == 0 else [VALUES.get(action.dest, "x")]),
    ]


def test_every_option_has_its_modes():
    assert {action.dest for action in actions()} == set(MODES)


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize("action", [a for a in actions() if a.option_strings], ids=lambda a: a.dest)
def test_option_is_taken_or_refused_with_its_name(action, mode, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("ONLOOKER_HOME", str(tmp_path))
    if action.dest in ("write", "resume", "retry_failed", "undo"):
        return  # They choose the mode.
    needs = WITH.get(action.dest, []) if mode in MODES[action.dest] else []
    arguments = ["caption", str(tmp_path / "none.png"), *ASKED[mode], *given(action), *needs]
    if mode in MODES[action.dest]:
        assert refusal(built().parse_args(arguments)) is None
    else:
        assert terminal.main(arguments) == 2
        assert f"error: {action.option_strings[0]} " in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        ["--parallel", "3", "--write", "txt"],
        ["--image-side", "512"],
        ["--server", "localhost:8000", "--device", "cpu"],
        ["--server", "localhost:8000", "--write", "txt", "--slots", "2"],
        ["--server", "localhost:8000", "--ban", "cat"],
        ["--existing", "skip"],  # The default, but asked for.
        ["--write", "txt", "--format", "text"],
        ["--write", "txt", "--undo"],
        ["--resume", "--undo"],
        ["--write", "csv", "--name", "{name}"],
        ["--write", "txt", "--separator", "comma"],
        ["--write", "txt", "--then-model", "x"],
        ["--write", "txt", "--existing", "stale", "--then-model", "x", "--evidence", "e.json"],
        ["--write", "txt", "--replace-edited", "a.png"],
        ["--top-p", "0.5"],
        ["--seed", "5"],
        ["--write", "txt", "--seed", "5"],
        ["--write", "csv", "--existing", "append"],
        ["--write", "csv,jsonl", "--existing", "prepend"],
        ["--write", "jsonl", "--existing", "stale"],
        ["--trace", "t.json", "--evidence", "./t.json"],
        ["--undo", "--model", "built-in"],
    ],
)
def test_option_that_would_do_nothing_is_a_wrong_use(arguments, tmp_path, capsys):
    assert terminal.main(["caption", str(tmp_path), *arguments]) == 2
    assert capsys.readouterr().err.count("error: --") == 1


def parsers(parser, *words):
    """Every verb and act with its parser."""
    yield words, parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for word, inner in action.choices.items():
                yield from parsers(inner, *words, word)


# An empty text means something here: nothing is put around a caption, no words are asked. The
# others are refused later, since no model, image or caption file has such a name.
MAY_BE_EMPTY = {"prompt", "note", "begin", "prefix", "suffix", "separator", "name", "model"}
MAY_BE_EMPTY |= {"replace_edited"}
EMPTY = [
    (words, action)
    for words, parser in parsers(built())
    for action in parser._actions
    if action.option_strings and action.nargs != 0 and action.dest not in MAY_BE_EMPTY
]


@pytest.mark.parametrize(("words", "action"), EMPTY, ids=lambda one: getattr(one, "dest", None))
def test_empty_value_is_a_wrong_use_in_every_verb(words, action, capsys):
    needed = ["x"] if words == ("caption",) else []
    assert terminal.main([*words, *needed, action.option_strings[0], ""]) == 2
    error = capsys.readouterr().err
    assert f"argument {action.option_strings[0]}: " in error


@pytest.mark.parametrize(
    "arguments",
    [
        ["bench", "--random-weights", "built-in", "--model", "built-in"],
        ["models", "list", "--device", "gpu"],
        ["models", "--json"],
        ["caption", "x", "--ban", " "],
    ],
)
def test_option_of_another_verb_that_would_do_nothing_is_a_wrong_use(arguments, capsys):
    assert terminal.main(arguments) == 2
    assert "error: " in capsys.readouterr().err


def test_image_to_replace_that_the_run_does_not_have_is_a_wrong_use(folder, capsys, tmp_path):
    replacing = ["--write", "txt", "--existing", "replace", "--replace-edited"]
    for name in ("none.png", "", "sub/desk.png", str(folder / "sub" / "desk.png")):
        assert caption(folder, *replacing, name) == 2
        assert f"no image “{name}”" in capsys.readouterr().err
    assert not list((tmp_path / "home").rglob("*.jsonl"))
    for name in ("fruit.png", str(folder / "fruit.png")):
        assert caption(folder, *replacing, name) == 0


@pytest.mark.parametrize("option", ["--trace", "--evidence"])
def test_option_that_would_replace_an_image_is_a_wrong_use(option, folder, capsys):
    image = folder / "fruit.png"
    before = image.read_bytes()
    assert terminal.main(["caption", option, str(image), str(folder)]) == 2
    assert f"{option} would overwrite the image" in capsys.readouterr().err
    assert image.read_bytes() == before


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """“st [1]” with one image, and one in a folder inside."""
    monkeypatch.setenv("ONLOOKER_HOME", str(tmp_path / "home"))
    folder = tmp_path / "st [1]"
    (folder / "sub").mkdir(parents=True)
    for name in ("fruit.png", "sub/desk.png"):
        Image.new("RGB", (40, 30), "red").save(folder / name)
    return folder


def caption(*arguments):
    return terminal.main(["caption", *map(str, arguments), "--device", "cpu"])


def test_pattern_in_a_folder_with_brackets_finds_its_files(folder, capsys):
    assert caption(folder / "*.png", "--write", "txt") == 0
    assert "1 captioned." in capsys.readouterr().err
    assert caption(folder / "*.png", "--format", "json") == 0
    record = json.loads(capsys.readouterr().out)
    assert record["picture"] == str(folder / "fruit.png")


def test_brackets_are_letters_to_choose_from_too(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = ["a1.png", "a2.png", "a[1].png", "b [x]/c [1].png", "b [x]/c 1.png"]
    (tmp_path / "b [x]").mkdir()
    for name in names:
        (tmp_path / name).touch()

    def found(pattern):
        return {str(path.relative_to(tmp_path)) for path in expanded([tmp_path / pattern])}

    assert found("a[1].png") == {"a[1].png"}
    assert found("a[12].png") == {"a1.png", "a2.png"}
    assert found("b [x]/c [1]*") == {"b [x]/c [1].png", "b [x]/c 1.png"}
    assert found("*/c [1]*") == {"b [x]/c [1].png", "b [x]/c 1.png"}
    assert found("none*") == {"none*"}


def test_folders_inside_and_a_beginning_work_on_standard_output(folder, capsys):
    assert caption(folder, "--recursive", "--begin", "ohwx man,") == 0
    out = capsys.readouterr().out
    assert [line for line in out.splitlines() if line.endswith(".png:")] == [
        f"{folder / 'fruit.png'}:",
        f"{folder / 'sub' / 'desk.png'}:",
    ]
    assert out.count("ohwx man, ") == 2


def test_run_that_is_gone_on_with_keeps_its_options(folder, capsys):
    assert caption(folder, "--write", "txt", "--prefix", "ohwx.") == 0
    assert caption(folder, "--resume", "--prefix", "ohwx.") == 0
    assert caption(folder, "--resume", "--prefix", "other") == 2
    assert "--prefix" in capsys.readouterr().err


def test_words_around_captions_reach_the_run(folder):
    words = ["--prefix", "ohwx.", "--suffix", ", best", "--one-line", "--drop-duplicates"]
    assert caption(folder, "--write", "txt", *words) == 0
    first = (folder / "fruit.txt").read_text()
    assert first.startswith("ohwx. ")
    assert first.endswith(", best\n")
    words = ["--existing", "append", "--separator", "comma", "--prefix", "more"]
    assert caption(folder, "--write", "txt", *words) == 0
    assert (folder / "fruit.txt").read_text().startswith(f"{first.strip()}, more ")
    assert BatchOptions(("a",), existing=Existing.APPEND).adds_to_captions
