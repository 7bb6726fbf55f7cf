import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from core.terminal import main as terminal

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pictures")
    Image.new("RGB", (40, 30), "teal").save(folder / "teal 2.png")
    Image.new("RGB", (30, 40), "red").save(folder / "red 10.png")
    (folder / "notes.txt").write_text("not a picture")
    return folder


@pytest.fixture
def caption(tiny_original_layout, capsys):
    """Run the verb in this process; gives its status and what it wrote."""

    def run(*arguments):
        loading = ["--model", str(tiny_original_layout), "--device", "cpu", "--dtype", "float32"]
        loading = [] if "--undo" in arguments else loading  # It needs no model.
        status = terminal.main(["caption", *map(str, arguments), *loading])
        return status, *capsys.readouterr()

    return run


def start(*arguments) -> Any:
    """Run the verb in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "core.terminal", "caption", *map(str, arguments)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=os.environ | {"PYTHONUTF8": "1", "OMP_NUM_THREADS": "1"},
    )


# ---- captions


def test_one_picture_is_described_on_standard_output(caption, pictures):
    status, out, err = caption(pictures / "teal 2.png", "--max-new-tokens", 12)
    assert status == 0
    assert out.strip()
    assert out.endswith("\n")
    assert err == ""


def test_several_pictures_are_told_apart_and_come_in_natural_order(caption, pictures):
    status, out, _ = caption(pictures, "--max-new-tokens", 4)
    assert status == 0
    lines = [line for line in out.splitlines() if str(pictures) in line]
    assert lines == [f"{pictures / 'red 10.png'}:", f"{pictures / 'teal 2.png'}:"]


def test_json_has_an_object_a_line_with_its_keys(caption, pictures):
    status, out, _ = caption(
        pictures, "--format", "json", "--prompt", "What is it?", "--max-new-tokens", 9
    )
    assert status == 0
    records = [json.loads(line) for line in out.splitlines()]
    assert [Path(record["picture"]).name for record in records] == ["red 10.png", "teal 2.png"]
    assert list(records[0]) == [
        "picture",
        "prompt",
        "caption",
        "ending",
        "model",
        "device",
        "dtype",
        "input_tokens",
        "new_tokens",
        "seconds_to_first_token",
        "tokens_per_second",
        "notes",
    ]
    assert records[0]["prompt"] == "What is it?"
    assert records[0]["ending"] == "length"
    assert records[0]["new_tokens"] == 9
    assert records[0]["device"] == "cpu"
    assert records[0]["dtype"] == "float32"
    assert records[0]["seconds_to_first_token"] > 0
    assert records[0]["tokens_per_second"] > 0


def test_text_and_json_say_the_same(caption, pictures):
    picture = pictures / "teal 2.png"
    text = caption(picture, "--max-new-tokens", 30)[1]
    record = json.loads(caption(picture, "--max-new-tokens", 30, "--format", "json")[1])
    assert text.removesuffix("\n") == record["caption"]


def test_same_seed_gives_the_same_caption(caption, pictures):
    sampled = [pictures / "teal 2.png", "--temperature", 1, "--top-p", 0.9, "--max-new-tokens", 20]
    first, again, other = (caption(*sampled, "--seed", seed)[1] for seed in (7, 7, 8))
    assert first == again != other


def test_trace_has_the_golden_keys(caption, pictures, tmp_path):
    trace = tmp_path / "trace.json"
    status, out, _ = caption(pictures / "teal 2.png", "--max-new-tokens", 5, "--trace", trace)
    assert status == 0
    content = json.loads(trace.read_text(encoding="utf-8"))
    assert content["text"] == out.removesuffix("\n")
    assert content["image_size"] == [40, 30]
    assert content["input_ids"].count(-200) == 1
    assert len(content["output_ids_generated"]) == 5
    assert content["stop_str"] == "</s>"
    caption(pictures, "--max-new-tokens", 5, "--trace", trace)
    assert len(json.loads(trace.read_text(encoding="utf-8"))) == 2


def test_evidence_has_what_each_word_rests_on(caption, pictures, tmp_path):
    evidence = tmp_path / "evidence.json"
    status, out, _ = caption(pictures / "teal 2.png", "--max-new-tokens", 9, "--evidence", evidence)
    assert status == 0
    content = json.loads(evidence.read_text(encoding="utf-8"))
    assert content["text"] == out.removesuffix("\n")
    assert content["picture"] == str(pictures / "teal 2.png")
    assert content["words"]
    for word in content["words"]:
        assert content["text"][word["begin"] : word["end"]] == word["text"]
        assert 0 <= word["confidence"] <= 1
        if word["doubt"] is None:
            assert word["box"] is None
        else:
            left, top, right, bottom = word["box"]
            assert 0 <= left < right <= 40
            assert 0 <= top < bottom <= 30
    caption(pictures, "--max-new-tokens", 3, "--evidence", evidence)
    assert len(json.loads(evidence.read_text(encoding="utf-8"))) == 2


# ---- errors


def test_picture_that_fails_is_named_and_the_run_goes_on(caption, pictures, tmp_path):
    (tmp_path / "empty.jpg").touch()
    status, out, err = caption(
        tmp_path / "empty.jpg",
        tmp_path / "nowhere.png",
        pictures / "notes.txt",
        pictures / "teal 2.png",
        "--max-new-tokens",
        4,
        "--format",
        "json",
    )
    assert status == 1
    assert json.loads(out)["picture"].endswith("teal 2.png")
    lines = err.splitlines()
    assert len(lines) == 3
    for line, name in zip(lines, ("empty.jpg", "nowhere.png", "notes.txt"), strict=True):
        assert name in line


def test_card_whose_driver_is_too_old_is_reported_and_the_processor_answers(
    pictures, tiny_original_layout, capsys, monkeypatch
):
    def refuse():
        raise RuntimeError("The NVIDIA driver on your system is too old (found version 11040).")

    # As a build with CUDA has it.
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "init", refuse)
    arguments = ["--model", str(tiny_original_layout), "--max-new-tokens", "3"]
    assert terminal.main(["caption", str(pictures / "teal 2.png"), *arguments]) == 0
    out, err = capsys.readouterr()
    assert out.strip()
    assert err.count("The graphics card's driver is too old for CUDA 13.0") == 1
    assert terminal.main(["caption", str(pictures), *arguments, "--device", "cuda"]) == 1
    assert "driver is too old" in capsys.readouterr().err


def test_images_that_are_not_there_are_named_without_loading_a_model(pictures, tmp_path, capsys):
    missing, no_model = [str(pictures / name) for name in ("a.png", "b.png")], str(tmp_path)
    assert terminal.main(["caption", *missing, "--model", no_model]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert [line.count("There is no such file or folder") for line in err.splitlines()] == [1, 1]
    there = str(pictures / "teal 2.png")
    assert terminal.main(["caption", *missing, there, "--model", no_model]) == 1
    assert "is not a model's folder" in capsys.readouterr().err


def test_folder_without_pictures_is_an_error(caption, tmp_path):
    status, out, err = caption(tmp_path)
    assert (status, out) == (1, "")
    assert "no images" in err


def test_model_that_cannot_be_loaded_is_an_error(pictures, tmp_path, capsys):
    status = terminal.main(["caption", str(pictures), "--model", str(tmp_path)])
    assert status == 1
    assert "is not a model's folder" in capsys.readouterr().err


def test_trace_that_cannot_be_written_is_an_error(caption, pictures, tmp_path):
    status, out, err = caption(
        pictures / "teal 2.png", "--max-new-tokens", 4, "--trace", tmp_path / "no" / "trace"
    )
    assert status == 1
    assert out
    assert "cannot be written" in err


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["caption"],
        ["paint", "a.png"],
        ["caption", "a.png", "--device", "gpu"],
        ["caption", "a.png", "--dtype", "int8"],
        ["caption", "a.png", "--max-new-tokens", "0"],
        ["caption", "a.png", "--temperature", "-1"],
        ["caption", "a.png", "--temperature", "nan"],
        ["caption", "a.png", "--top-p", "0"],
        ["caption", "a.png", "--top-p", "1.5"],
        ["caption", "a.png", "--seed", "x"],
        ["caption", "a.png", "--format", "xml"],
    ],
)
def test_wrong_use_ends_with_status_2(arguments, capsys):
    assert terminal.main(arguments) == 2
    assert "usage:" in capsys.readouterr().err


def test_help_lists_the_options(capsys):
    assert terminal.main(["caption", "--help"]) == 0
    assert "--max-new-tokens" in capsys.readouterr().out


# ---- as a process


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT to send")
def test_interrupt_keeps_what_was_said_and_ends_with_status_130(tiny_original_layout, pictures):
    with start(
        *[pictures] * 500,
        *("--model", tiny_original_layout, "--device", "cpu", "--format", "json"),
        *("--max-new-tokens", 300, "--seed", 3, "--temperature", 1),
    ) as process:
        first = process.stdout.readline()
        process.send_signal(signal.SIGINT)
        rest, err = process.communicate(timeout=300)
    records = [json.loads(line) for line in (first + rest).splitlines()]
    assert process.returncode == 130
    assert b"Traceback" not in err
    assert len(records) < 900
    assert all(record["caption"] for record in records[:-1])


@pytest.mark.slow
def test_reader_that_goes_away_is_no_error(tiny_original_layout, pictures):
    with start(
        *[pictures] * 500, "--model", tiny_original_layout, "--device", "cpu", "--max-new-tokens", 9
    ) as process:
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(300) == 141


@pytest.mark.slow
def test_terminal_needs_neither_qt_nor_what_the_window_needs(tiny_original_layout, pictures):
    """As on a server: the window's libraries are not there at all."""
    script = (
        "import sys\n"
        "for name in ('PySide6', 'qasync', 'platformdirs', 'pydantic', 'gui'):\n"
        "    sys.modules[name] = None\n"
        "from core.terminal.main import main\n"
        "sys.exit(main())\n"
    )
    options = f"--model {tiny_original_layout} --device cpu --max-new-tokens 4"
    ran = subprocess.run(
        [sys.executable, "-c", script, "caption", str(pictures / "teal 2.png"), *options.split()],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    assert ran.stderr == b""
    assert ran.returncode == 0
    assert ran.stdout.strip()


# ---- folder runs


@pytest.fixture
def copies(pictures, tmp_path, monkeypatch):
    """The pictures in a folder of their own, and our files in another."""
    monkeypatch.setenv("ONLOOKER_HOME", str(tmp_path / "home"))
    folder = tmp_path / "copies"
    shutil.copytree(pictures, folder)
    return folder


def test_folder_run_writes_captions_beside_the_pictures_and_undoes_them(caption, copies):
    before = set(copies.iterdir())
    status, out, err = caption(
        copies,
        "--write",
        "txt,jsonl",
        "--max-new-tokens",
        6,
        "--prompt",
        "What?",
        "--prompt",
        "And?",
    )
    assert (status, out) == (0, "")
    assert "2 captioned." in err
    assert (copies / "teal 2.txt").read_text().count("\n") >= 2
    lines = (copies / "captions.jsonl").read_text().splitlines()
    assert [json.loads(line)["prompt"] for line in lines] == ["What?", "And?"] * 2
    assert caption(copies, "--undo")[0] == 0
    assert set(copies.iterdir()) == before
    assert caption(copies, "--undo")[0] == 2


def test_folder_run_says_what_failed_and_tries_it_again_when_asked(caption, copies):
    (copies / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n broken")
    status, _, err = caption(copies, "--write", "txt", "--max-new-tokens", 4)
    assert status == 1
    assert "broken.png: " in err
    assert "2 captioned, 1 failed." in err
    Image.new("RGB", (4, 4)).save(copies / "broken.png")
    assert caption(copies, "--resume")[0] == 1
    assert caption(copies, "--retry-failed", "--max-new-tokens", 4)[0] == 0
    assert (copies / "broken.txt").exists()


def test_run_killed_before_its_last_caption_was_written_writes_it_when_resumed(
    caption, copies, tmp_path
):
    assert caption(copies, "--write", "txt", "--max-new-tokens", 4)[0] == 0
    (journal,) = (tmp_path / "home").rglob("runs/*.jsonl")
    whole = journal.read_bytes()
    written = (copies / "teal 2.txt").read_bytes()
    # As a kill leaves it that comes between the line in the journal and the caption file.
    journal.write_bytes(whole[: whole.rindex(b'{"kind": "written"')])
    name = json.loads(whole[whole.rindex(b'{"kind": "item"') :].splitlines()[0])["picture"]
    last = Path(name).with_suffix(".txt")
    last.unlink()
    status, _, err = caption(copies, "--resume")
    assert (status, "2 captioned." in err) == (0, True)
    assert last.exists()
    assert (copies / "teal 2.txt").read_bytes() == written
    # An undo that was cut off is finished, and is no run to go on with.
    with journal.open("ab") as file:
        file.write(b'{"kind": "undo"}\n')
    status, _, err = caption(copies, "--resume")
    assert (status, "Undone: 2" in err) == (0, True)
    assert not last.exists()
    assert caption(copies, "--resume")[0] == 2


@pytest.mark.parametrize(
    "arguments",
    [
        ["--write", "pdf"],
        ["--write", "txt", "--name", "captions"],
        ["--write", "txt", "--existing", "burn"],
        ["--prompt", "a", "--prompt", "b"],
        ["--resume"],
    ],
)
def test_folder_run_that_makes_no_sense_is_a_wrong_use(caption, copies, arguments):
    assert caption(copies, *arguments)[0] == 2


def test_captions_begin_as_asked(caption, copies):
    words = ["--write", "txt,jsonl", "--max-new-tokens", 5, "--begin", "Two small"]
    assert caption(copies, *words)[0] == 0
    rows = [json.loads(line) for line in (copies / "captions.jsonl").read_text().splitlines()]
    assert all(row["caption"].startswith("Two small") for row in rows)
    assert all(len(row["caption"]) > len("Two small") for row in rows)
    assert len(rows[0]["model_fingerprint"]) == 16


def test_banned_word_is_not_said(capsys, tmp_path):
    shutil.copy(ROOT / "resources" / "samples" / "penguins.png", tmp_path)
    arguments = ["caption", str(tmp_path / "penguins.png"), "--device", "cpu"]
    assert terminal.main(arguments) == 0
    assert "penguin" in capsys.readouterr().out
    assert terminal.main([*arguments, "--ban", "penguin", "--ban", "penguins"]) == 0
    assert "penguin" not in capsys.readouterr().out


def test_a_prompt_that_the_built_in_model_does_not_read_is_noted_beside_the_answer(
    pictures, capsys
):
    picture = pictures / "teal 2.png"
    for prompt, is_noted in (("Wo ist die Katze?", True), ("Where is the cat?", False)):
        status = terminal.main(
            [
                "caption",
                str(picture),
                "--prompt",
                prompt,
                "--device",
                "cpu",
                "--max-new-tokens",
                "4",
            ]
        )
        out, err = capsys.readouterr()
        assert status == 0
        assert ("The model does not know “Wo”, “Katze”" in err) == is_noted
        assert "does not know" not in out
