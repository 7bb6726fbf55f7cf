"""Trials of models before they are used: in real children, which are started and counted."""

import json
import os
import shutil
import subprocess
import threading
import time
from pathlib import Path

import psutil
import pytest

from core.errors import Cancelled, CheckpointError
from core.isolation.protocol import Ended
from core.transcript import BUILT_IN, ModelChoice
from core.vetting.kept import KeptVerdicts, fingerprint
from core.vetting.verdict import EngineKind, Part, Trial, Verdict, verdict_of_failure
from core.vetting.vetting import begin_vetting
from tests.support.hostile_models import HOSTILE
from tests.support.tiers import mostly_slow, slowly
from tests.support.tiny_chat import FAMILIES

NEVER = threading.Event()


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch) -> Path:
    """Where the program keeps its files; nothing is kept there yet."""
    monkeypatch.setenv("ONLOOKER_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def copied(chat_folders, tiny_original_layout, tmp_path):
    """A copy of a tiny model's folder."""

    def copy(kind="gemma3", name="model"):
        source = tiny_original_layout if kind == "original" else chat_folders[kind]
        return shutil.copytree(source, tmp_path / name)

    return copy


@pytest.fixture
def started(monkeypatch):
    """The commands of the processes that were started."""
    commands = []

    class Counted(subprocess.Popen):
        def __init__(self, command, *args, **how):
            commands.append(command)
            super().__init__(command, *args, **how)

    monkeypatch.setattr("subprocess.Popen", Counted)
    return commands


def vet(folder) -> None:
    """Returns if the model may be used."""
    with begin_vetting(ModelChoice(str(folder))) as vetting:
        vetting.wait(NEVER)


# ---- normal models


@pytest.mark.parametrize("family", mostly_slow(FAMILIES, ("qwen2_5_vl",)))
def test_model_of_each_architecture_is_fine(chat_folders, family):
    vet(chat_folders[family])


def test_both_layouts_of_llava_are_fine(tiny_original_layout, tiny_transformers_layout):
    vet(tiny_original_layout)
    vet(tiny_transformers_layout)


def test_built_in_model_is_not_tried(started):
    vet(BUILT_IN)
    assert started == []


# ---- what is kept


# To try LLaVA-1.5 takes a third of a second, any other kind two.
@pytest.mark.parametrize("kind", [slowly("gemma3"), "original"])
def test_model_is_tried_once_wherever_it_is(copied, started, kind):
    first, second = copied(kind), copied(kind, "copy")
    for folder in (first, first, second):
        vet(folder)
    assert len(started) == 1


def test_refusal_is_kept_and_names_the_folder_that_is_opened(copied, started):
    name = "tokenizer: replaces by much"
    for folder in (copied(), copied(name="other")):
        HOSTILE[name][1](folder)
        with pytest.raises(
            CheckpointError,
            match=f"tokenizer of “{folder.name}” is unsafe .it replaces a few letters with 5,000",
        ):
            vet(folder)
    assert len(started) == 1


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("original", "config.json"),
        *(
            slowly("gemma3", name)
            for name in (
                *("chat_template.jinja", "tokenizer.json"),
                *("preprocessor_config.json", "config.json"),
            )
        ),
    ],
)
def test_changed_file_is_tried_again(copied, started, kind, name):
    folder = copied(kind)
    vet(folder)
    path = folder / name
    before = path.stat()
    path.write_bytes(path.read_bytes() + b" ")
    vet(folder)
    assert len(started) == 2
    assert before.st_size + 1 == path.stat().st_size


def test_other_content_of_the_same_size_and_date_is_tried_again(copied):
    folder = copied()
    trial = Trial(EngineKind.CHAT, folder)
    path = folder / "chat_template.jinja"
    before, content = path.stat(), path.read_bytes()
    first = fingerprint(trial)
    path.write_bytes(content[::-1])
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert fingerprint(trial) != first
    path.write_bytes(content)
    assert fingerprint(trial) == first


def test_verdict_of_another_version_does_not_count(copied, started, monkeypatch):
    folder = copied("original")
    vet(folder)
    monkeypatch.setattr("core.vetting.kept.program_version", lambda: "99.0")
    vet(folder)
    assert len(started) == 2


def test_damaged_verdict_is_tried_again(copied, started, home):
    folder = copied("original")
    vet(folder)
    (kept,) = (home / "verdicts").glob("*")
    for content in (b"", b"{", b"[]", b'{"problem": 3}', b"\xff", b"x" * 50_000):
        kept.write_bytes(content)
        started.clear()
        vet(folder)
        assert len(started) == 1, content
        assert json.loads(kept.read_bytes())["problem"] == "", content


def test_nothing_kept_is_no_error(copied, home):
    home.write_text("a file in the place of the folder")
    vet(copied("original"))


def test_oldest_verdicts_are_removed(tmp_path):
    kept = KeptVerdicts(tmp_path)
    for number in range(505):
        kept.write(f"{number:03}", Verdict())
    assert len(list(tmp_path.iterdir())) == 500
    assert kept.read("504") == Verdict()


def test_what_depends_on_the_computer_is_not_kept(tmp_path):
    for ended in (Ended.SLOW, Ended.BUSY):
        KeptVerdicts(tmp_path).write("key", verdict_of_failure(Part.TOKENIZER, ended))
    assert list(tmp_path.iterdir()) == []


# ---- what cannot be tried


# What neither could be refused for without a process that tries it.
BOMBS = ("template: power", "tokenizer: grows step by step", "processor: crop of 100,000")


@pytest.mark.parametrize("kind", ["gemma3", "original", *BOMBS])
def test_model_is_refused_where_no_process_can_be_started_and_loads_once_one_can(
    copied, monkeypatch, opened, kind
):
    family, change = HOSTILE[kind] if kind in BOMBS else (kind, None)
    folder = copied(family)
    if change:
        change(folder)
    begin = time.monotonic()
    with monkeypatch.context() as patch:
        patch.setattr("sys.executable", "/nowhere/python")
        with pytest.raises(CheckpointError) as refused:
            opened(folder)
    assert time.monotonic() - begin < 10
    assert str(refused.value) == (
        "“model” could not be checked in a separate process, so it was not loaded. Close other "
        "programs, then load the model again."
    )
    if not change:
        opened(folder).close()


def test_built_in_model_needs_no_process_of_its_own(monkeypatch, opened):
    monkeypatch.setattr("sys.executable", "/nowhere/python")
    opened(BUILT_IN).close()


def test_trial_ends_at_once_when_loading_is_cancelled(copied):
    folder = copied()
    (folder / "chat_template.jinja").write_text("{{ 10 ** (10 ** 9) }}")
    stop = threading.Event()
    with begin_vetting(ModelChoice(str(folder))) as vetting:
        threading.Timer(1.0, stop.set).start()
        begin = time.monotonic()
        with pytest.raises(Cancelled):
            vetting.wait(stop)
    assert time.monotonic() - begin < 10
    assert psutil.Process().children() == []


def test_trial_ends_with_the_opening_that_failed_for_another_reason(copied, opened):
    folder = copied()
    (folder / "chat_template.jinja").write_text("{{ 10 ** (10 ** 9) }}")
    (folder / "model.safetensors").unlink()
    with pytest.raises(CheckpointError, match="has no weights"):
        opened(folder)
    assert psutil.Process().children() == []


# ---- sentences


@pytest.mark.parametrize("ended", [e for e in Ended if e is not Ended.NOT_STARTED])
@pytest.mark.parametrize("part", Part)
def test_each_failure_is_a_cause_and_an_action(part, ended):
    problem = verdict_of_failure(part, ended).problem
    assert part in problem
    assert problem.count(". ") == 1
    assert problem.endswith(".")
