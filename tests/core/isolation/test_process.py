import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from core.errors import Cancelled
from core.isolation.process import IsolatedProcess
from core.isolation.protocol import ChildFailed, Ended, Limits, RequestFailed

ROOT = Path(__file__).parents[3]
WORK = "tests.support.isolated_work"
# Of the clock there is enough for a busy machine to use up the second of the processor.
TIGHT = Limits(cpu_seconds=1, seconds=100, memory_bytes=200_000_000)


@pytest.fixture
def child():
    child = IsolatedProcess(WORK)
    yield child
    child.close()


def children() -> set[int]:
    return {one.pid for one in psutil.Process().children()}


def test_child_answers_one_request_after_the_other(child):
    for text in ("first", "Köln\n🙂", "\ud800", "x" * 1_000_000):
        assert child.ask({"do": "echo", "text": text}, TIGHT) == {"text": text}


def test_child_has_no_torch_and_no_secrets(monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    child = IsolatedProcess(WORK)
    seen = child.ask({"do": "look"})
    child.close()
    assert "transformers" not in seen["modules"]
    assert "core.isolation.child" in seen["modules"]
    assert seen["secrets"] == []


def test_what_libraries_print_is_no_reply(child, capfd):
    assert child.ask({"do": "print"}, TIGHT) == {}
    assert child.ask({"do": "echo", "text": "still here"}) == {"text": "still here"}
    assert capfd.readouterr() == ("", "")


def test_what_the_child_cannot_do_is_said_and_it_lives_on(child):
    with pytest.raises(RequestFailed, match=r"^no way$"):
        child.ask({"do": "raise"}, TIGHT)
    assert child.ask({"do": "echo", "text": "here"}, TIGHT) == {"text": "here"}


@pytest.mark.parametrize(
    ("work", "ended"),
    [
        ("loop", Ended.SLOW),
        ("power", Ended.SLOW),
        ("fill", Ended.MEMORY),
        ("grow", Ended.MEMORY),
        ("exit", Ended.CRASHED),
        ("segfault", Ended.CRASHED),
    ],
)
def test_child_that_hangs_or_fills_memory_or_crashes_is_ended(work, ended):
    before = children()
    child = IsolatedProcess(WORK)
    begin = time.monotonic()
    with pytest.raises(ChildFailed) as failed:
        child.ask({"do": work}, TIGHT)
    assert (failed.value.ended, failed.value.stage) == (ended, "begun")
    assert time.monotonic() - begin < 100
    assert children() == before
    with pytest.raises(ChildFailed):
        child.ask({"do": "echo", "text": "again"})


def test_child_that_only_waits_is_ended_after_its_time(child):
    with pytest.raises(ChildFailed) as failed:
        child.ask({"do": "sleep"}, Limits(cpu_seconds=9, seconds=0.5, memory_bytes=10**9))
    assert failed.value.ended is Ended.BUSY


def test_request_is_cancelled_within_a_moment(child):
    stop = threading.Event()
    threading.Timer(0.5, stop.set).start()
    begin = time.monotonic()
    with pytest.raises(Cancelled):
        child.ask({"do": "sleep"}, None, stop)
    assert time.monotonic() - begin < 30  # It would sleep for a minute.


def test_module_that_cannot_be_imported_is_a_child_that_was_not_started():
    child = IsolatedProcess("tests.support.no_such_work")
    with pytest.raises(ChildFailed) as failed:
        child.ask({"do": "echo"})
    assert failed.value.ended is Ended.NOT_STARTED


def test_program_that_cannot_be_run_is_a_child_that_was_not_started(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "executable", str(tmp_path / "nothing"))
    with pytest.raises(ChildFailed) as failed:
        IsolatedProcess(WORK)
    assert failed.value.ended is Ended.NOT_STARTED


def test_child_that_nobody_closes_ends_with_its_owner():
    before = children()
    child = IsolatedProcess(WORK)
    child.ask({"do": "echo", "text": ""})
    assert children() > before
    del child
    assert children() == before


@pytest.mark.skipif(sys.platform == "win32", reason="kills as POSIX does")
def test_child_ends_when_its_parent_is_killed():
    script = (
        "import sys, threading\n"
        "from core.isolation.process import IsolatedProcess\n"
        f"child = IsolatedProcess({WORK!r})\n"
        "child.ask({'do': 'echo', 'text': ''})\n"
        "threading.Timer(1.0, lambda: (print('ready', flush=True))).start()\n"
        "child.ask({'do': 'sleep'})\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], cwd=ROOT, stdout=subprocess.PIPE
    ) as parent:
        assert parent.stdout is not None
        parent.stdout.readline()
        (child,) = psutil.Process(parent.pid).children()
        parent.kill()
    child.wait(timeout=50)


@pytest.mark.parametrize("closed", [False, True])
def test_frozen_program_starts_itself_as_the_child(tmp_path, closed):
    """As the packaged program does: its own executable, with a verb that is not for people."""
    command = [sys.executable, str(ROOT / "packaging" / "start.py"), "isolated", WORK]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    requests = b'{"limits": null, "request": {"do": "echo", "text": "frozen"}}\n'
    ran = subprocess.run(
        command,
        cwd=tmp_path,
        env=environment,
        input=b"" if closed else requests,
        capture_output=True,
        check=True,
    )
    lines = [] if closed else [b'{"stage": "begun"}', b'{"reply": {"text": "frozen"}}']
    assert ran.stdout.splitlines() == lines
    assert ran.stderr == b""
