"""`onlooker verify`: the report about a model, and what it compares."""

import json
import os
import shutil
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from huggingface_hub import constants

from core.engine import EngineFacts
from core.errors import HubError
from core.hub import FileState, Hub, compare_with_hub, downloaded_as, fetch
from core.llava.prompt import conversation, input_ids
from core.llava.tokenizer import Tokenizer
from core.terminal.main import main
from core.terminal.verify import QUESTIONS, REFERENCE
from core.terminal.verify_report import FilesChecked, PromptChecked, Question, Report, as_text
from core.transcript import Answer, Ending, Precision, Turn
from tests.support import driver_library
from tests.support.hub_server import REVISION, HubServer

ID = "someone/tiny-llava"
ROOT = Path(__file__).parents[3]
GOLDEN = ROOT.parent / "shared" / "golden"
FACTS = EngineFacts("m", "cpu", "a processor", Precision.BFLOAT16, 10**9, 2048)
golden_only = pytest.mark.skipif(not GOLDEN.is_dir(), reason="../shared/golden is not here")


@pytest.fixture
def server(tiny_transformers_layout):
    server = HubServer()
    server.add(ID, tiny_transformers_layout)
    with server.running():
        yield server


@pytest.fixture
def hub(server, tmp_path) -> Hub:
    return Hub(server.endpoint, tmp_path / "home" / "hub", waits=())


def quiet(progress):
    pass


def compare(hub: Hub, folder: Path):
    return compare_with_hub(hub, ID, folder, quiet, threading.Event())


def test_files_are_compared_with_the_hubs(hub, tmp_path):
    folder = fetch(hub, ID, quiet, threading.Event(), tmp_path / "models")
    found = compare(hub, folder)
    assert (found.hub_id, found.revision) == (ID, REVISION)
    assert set(found.files.values()) == {FileState.SAME}
    assert downloaded_as(folder) == ID

    weights = min(folder.glob("*.safetensors"))
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    (folder / "config.json").write_bytes(b"{}")
    (folder / "tokenizer_config.json").unlink()
    found = compare(hub, folder)
    assert found.named(FileState.DIFFERENT) == sorted(["config.json", weights.name])
    assert found.named(FileState.MISSING) == ["tokenizer_config.json"]


def test_hub_that_lists_nothing_is_an_error(hub, tmp_path):
    with pytest.raises(HubError, match="nobody/nothing"):
        compare_with_hub(hub, "nobody/nothing", tmp_path, quiet, threading.Event())
    with pytest.raises(HubError):
        compare(replace(hub, is_offline=True), tmp_path)


def verify(home: Path, *arguments: str | Path, **environment: str):
    """Run the verb in a process of its own, in its home."""
    home.mkdir(exist_ok=True)
    done = subprocess.run(
        [sys.executable, "-m", "core.terminal", "verify", *map(str, arguments)],
        cwd=home,
        env=os.environ
        | {"PYTHONPATH": str(ROOT), "HF_HOME": str(home), "ONLOOKER_HOME": str(home / "ours")}
        | {"OMP_NUM_THREADS": "2", "PYTHONUTF8": "1"}
        | environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    reports = list(home.glob("onlooker-verify-*.txt"))
    return done, reports[0].read_text(encoding="utf-8") if reports else ""


def test_report_about_a_downloaded_model_names_what_differs(
    server, hub, tmp_path, monkeypatch, verify_here
):
    folder = fetch(hub, ID, quiet, threading.Event(), tmp_path / "models")
    with (folder / "chat_template.jinja").open("a") as file:
        file.write(" ")
    server.repositories[ID]["chat_template.jinja"] = b"something else"
    monkeypatch.setattr(constants, "ENDPOINT", server.endpoint)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    status, out, err, report = verify_here(tmp_path / "home", folder)
    assert status == 1, err
    assert "differ from the hub's: chat_template.jinja" in out
    assert f"({ID}, revision {REVISION}); different: chat_template.jinja" in report


@pytest.mark.slow
def test_vision_tower_in_a_folder_of_its_own_is_compared_too(
    server, tiny_original_layout, tmp_path
):
    models = tmp_path / "models"
    shutil.copytree(tiny_original_layout, models / "llava")
    config = json.loads((models / "llava" / "config.json").read_text())
    tower = models / "llava" / config["mm_vision_tower"]
    assert tower.is_dir()
    tower.rename(models / "tower")
    # A cache of the hub's names the tower so, and has it beside the model.
    config["mm_vision_tower"] = "someone/tower"
    (models / "llava" / "config.json").write_text(json.dumps(config))
    server.add("someone/tower", models / "tower")
    server.repositories["someone/tower"]["config.json"] = b"{}"
    drivers = driver_library.build(tmp_path)
    done, report = verify(
        tmp_path / "home",
        models / "llava",
        HF_ENDPOINT=server.endpoint,
        LD_LIBRARY_PATH=str(drivers),
        CUDA="13010",
        DRIVER="580.65.06",
    )
    assert done.returncode == 1, done.stderr
    assert "These files of the vision tower differ from the hub's: config.json." in done.stdout
    assert "files: not compared, the folder does not say" in report
    assert "files of the vision tower: " in report
    assert "NVIDIA's driver: 580.65.06, for CUDA 13.1" in report


@pytest.fixture
def verify_here(tmp_path, monkeypatch, capsys):
    """Run the verb in this process, in a home."""
    monkeypatch.setenv("ONLOOKER_HOME", str(tmp_path / "ours"))

    def verify_here(home: Path, *arguments: str | Path):
        home.mkdir(exist_ok=True)
        monkeypatch.chdir(home)
        status = main(["verify", *map(str, arguments)])
        reports = list(home.glob("onlooker-verify-*.txt"))
        report = reports[0].read_text(encoding="utf-8") if reports else ""
        return status, *capsys.readouterr(), report

    return verify_here


@pytest.mark.slow
def test_report_about_the_built_in_model_has_everything_and_no_folder(verify_here, tmp_path):
    status, out, err, report = verify_here(tmp_path / "home", "built-in", "--offline")
    assert status == 0, err
    assert "onlooker-verify-built-in.txt" in out
    for words in (
        "PyTorch: ",
        "device: cpu",
        "precision: ",
        "weights: ",
        "penguin",
        "output ids: ",
    ):
        assert words in report
    assert report.count("tokens, ") == 4
    assert str(tmp_path) not in report
    assert str(Path.home()) not in report
    assert "result: nothing unexpected" in report


def test_model_that_is_not_here_and_file_that_cannot_be_written_are_said(verify_here, tmp_path):
    status, _, err, report = verify_here(tmp_path / "home", "nobody/nothing", "--offline")
    assert (status, report) == (1, "")
    assert err.startswith("onlooker: The model “nobody/nothing” is not on this computer")
    arguments = ("built-in", "--offline", "--output", tmp_path / "none" / "x.txt")
    status, _, err, _ = verify_here(tmp_path, *arguments)
    assert status == 1
    assert "x.txt" in err
    assert "Traceback" not in err


@golden_only
def test_kept_prompts_are_those_of_the_reference(tmp_path):
    kept = json.loads(REFERENCE.read_text())["prompts"]
    trace = json.loads((GOLDEN / "llava_v1_5_trace.json").read_text())
    assert kept[trace["question"]] == trace["input_ids"]
    shutil.copy(GOLDEN / "llama_tokenizer.model", tmp_path / "tokenizer.model")
    tokenizer = Tokenizer.load(tmp_path)
    for question in QUESTIONS:
        assert kept[question] == input_ids(conversation([Turn(question)]), tokenizer)


@pytest.mark.parametrize(
    ("ids", "kept", "at"),
    [
        ((1, 2, -200), (1, 2, -200), None),
        ((1, 2, -200), (), None),
        ((1, 9, -200), (1, 2, -200), 1),
        ((1, 2), (1, 2, -200), 2),
        ((1, 2, -200, 4), (1, 2, -200), 3),
        ((), (1, 2), 0),
    ],
)
def test_first_difference_of_a_prompt(ids, kept, at):
    assert PromptChecked(ids, kept).first_difference == at


def test_problems_name_files_prompts_and_empty_answers():
    answer = Answer("", Ending.COMPLETE, tokens=0, seconds=1.0)
    question = Question("a.png", "What?", answer, PromptChecked((1, 3), (1, 2)))
    report = Report(
        "m",
        "2026-11-29",
        {},
        FACTS,
        (
            FilesChecked("a/b", "5" * 40, 3, ("x.bin",), ("y.json",)),
            FilesChecked("c/d", "6" * 40, 2, ("z.bin",), ("y.json",), part="vision tower"),
        ),
        1.0,
        10**9,
        (question, question),
    )
    assert report.problems == [
        "These files differ from the hub's: x.bin.",
        "These files are missing: y.json.",
        "These files of the vision tower differ from the hub's: z.bin.",
        "These files of the vision tower are missing: y.json.",
        "The prompt “What?” differs from token 1 on.",
        "It answered nothing about a.png.",
    ]
    assert "1 of 3 are the hub's" in as_text(report)
    assert "different from LLaVA-1.5's at 1: 1 3" in as_text(report)
