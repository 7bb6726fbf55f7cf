"""Checks the built program as somebody would use it who has just installed it.

    python3 packaging/trial.py PROGRAM [--models FOLDER] [--engine FOLDER]

PROGRAM may be in `dist/` or installed. Each check starts it with an empty home folder and an
environment that leads neither to the source nor to any Python; root runs it as the user nobody.
Standard library only, so that it runs on a machine that has nothing but the package. Ends with
status 1 at the first check that fails.
"""

from __future__ import annotations

import argparse
import base64
import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fresh_install import PATIENCE_SECONDS, POLL_SECONDS, FreshInstall

WINDOW_SECONDS, ANSWER_SECONDS = 1.5, 12.0
# Where settings, conversations and the log belong by the XDG Base Directory Specification.
EXPECTED_FILES = (
    ".config/onlooker/settings.json",
    ".local/share/onlooker/transcripts.sqlite",
    ".local/state/onlooker/log/onlooker.log",
)


# What the program says, by which a check knows that it does what it should.
NO_HOME = "The home folder cannot be written"
NO_DISPLAY = "There is no display"
NO_WORDS = "The model wrote nothing of its own"
COPY_STARTED = "Another copy was started, on "
CRASHED = "Onlooker ended unexpectedly the last time"


def main(arguments: Sequence[str]) -> int:
    """Check the program that the command line names; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("program", type=Path)
    parser.add_argument(
        "--models", type=Path, help="folder of model folders; each model answers once"
    )
    parser.add_argument(
        "--engine", type=Path, help="PROGRAM comes without PyTorch and takes it from this folder"
    )
    options = parser.parse_args(arguments)
    if options.engine:
        try_engine(options.program.absolute(), options.engine.absolute())
    else:
        try_program(options.program.absolute(), options.models)
    return 0


def try_program(program: Path, models: Path | None = None) -> None:
    """Run every check; exits with a sentence at the first that fails."""
    checks: list[tuple[str, Callable[[FreshInstall], str]]] = [
        ("self-test, offscreen", offscreen),
        ("self-test, on a screen", on_a_screen),
        ("started without standard streams", without_streams),
        ("in a terminal", in_a_terminal),
        ("bench", bench),
        ("serve", serve),
        ("HEIC", heic),
        ("a caption in an old encoding", old_encoding),
    ]
    if sys.platform == "linux":
        checks += [
            ("without a screen", without_a_screen),
            ("without a home", without_a_home),
            ("two copies", two_copies),
            ("after a crash", after_a_crash),
        ]
    for title, check in checks:
        run_check(program, title, check)
    for folder in sorted(models.iterdir()) if models else ():
        run_check(program, f"a model of {folder.name}", lambda one, at=folder: answers(one, at))


def try_engine(program: Path, engine: Path) -> None:
    """Run the checks of a program whose PyTorch is an engine pack in the user's folder."""
    run_check(program, "with an engine pack", lambda one: with_a_pack(one, engine))


def run_check(program: Path, title: str, check: Callable[[FreshInstall], str]) -> None:
    """Run one check in a home folder of its own and print what it found and how long it took."""
    started = time.monotonic()
    with (
        tempfile.TemporaryDirectory(prefix="home-") as home,
        FreshInstall(program, Path(home), title) as one,
    ):
        outcome = check(one)
    print(f"   {title}: {outcome} ({time.monotonic() - started:.1f} s)", flush=True)


# ── The checks ──────────────────────────────────────────────────────────────────────────────


def offscreen(one: FreshInstall) -> str:
    """The self-test passes offscreen and writes its files where they belong."""
    done = one.run("--self-test", QT_QPA_PLATFORM="offscreen")
    if sys.platform == "linux":
        for name in EXPECTED_FILES:
            one.require((one.home / name).is_file(), f"there is no {name} in its home")
    return summary_of(done)


def on_a_screen(one: FreshInstall) -> str:
    """The self-test passes on a real display or, on Linux, in Xvfb."""
    if sys.platform != "linux":
        return summary_of(one.run("--self-test"))
    if not shutil.which("Xvfb"):
        return "not tried, there is no Xvfb here"
    with virtual_screen() as display:
        done = one.run("--self-test", DISPLAY=display)
    return summary_of(done)


def summary_of(done: subprocess.CompletedProcess[str]) -> str:
    """The line that the self-test printed, without the answer, and whether it was slow."""
    line = done.stdout.strip().partition("; '")[0]
    seconds = {name: float(number) for name, number in re.findall(r"(\w+) ([\d.]+) s", line)}
    late = seconds.get("window", 0) > WINDOW_SECONDS or seconds.get("answer", 0) > ANSWER_SECONDS
    return f"{line}; THAT IS TOO SLOW" if late else line


def without_streams(one: FreshInstall) -> str:
    """The self-test passes without standard streams."""
    process = one.start("--self-test", QT_QPA_PLATFORM="offscreen")
    status = process.wait(PATIENCE_SECONDS)
    one.require(status == 0, f"it ended with {status}")
    return "well"


def in_a_terminal(one: FreshInstall) -> str:
    """The command line captions an image and a folder, and lists models."""
    picture = one.home / "Bild, снимок.png"
    shutil.copyfile(one.samples / "shapes.png", picture)
    version = one.run("--version").stdout.strip()
    answer = json.loads(one.run("caption", picture, "--format", "json").stdout)
    one.require("red circle" in answer["caption"], f"it answered {answer['caption']!r}")
    one.run("caption", picture.parent, "--write", "txt", "--max-new-tokens", "8")
    one.require(picture.with_suffix(".txt").is_file(), "no caption next to the image")
    models = one.run("models", "list", HF_HUB_OFFLINE="1").stdout
    one.require("built-in" in models, f"it listed no models:\n{models}")
    speed = answer["tokens_per_second"]
    return f"{version}, {answer['new_tokens']} tokens at {speed:.0f} a second"


def bench(one: FreshInstall) -> str:
    """`bench` prints figures."""
    quick = ("--answers", "1", "--max-new-tokens", "8", "--slots", "1", "--json")
    report = json.loads(one.run("bench", *quick).stdout)
    one.require(bool(report), "it measured nothing")
    return "well"


def serve(one: FreshInstall) -> str:
    """`serve` answers OpenAI's chat completions, to those who have the key."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = one.start("serve", "--port", str(port), ONLOOKER_SERVE_KEY="of the trial")
    give_up = time.monotonic() + PATIENCE_SECONDS
    while ask_server(port, "GET", "/health")[0] != 200:
        one.require(process.poll() is None, f"it ended with {process.returncode}:\n{one.log()}")
        one.require(time.monotonic() < give_up, f"it did not come up:\n{one.log()}")
        time.sleep(POLL_SECONDS)
    image = base64.b64encode((one.samples / "shapes.png").read_bytes()).decode()
    parts = [
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{image}"}},
        {"type": "text", "text": "Please describe this image in detail."},
    ]
    body = {"model": "built-in", "messages": [{"role": "user", "content": parts}]}
    chat = ("POST", "/v1/chat/completions", body)
    one.require(ask_server(port, *chat)[0] == 401, "it answered without the key")
    status, answer = ask_server(port, *chat, key="of the trial")
    one.require("red circle" in answer, f"it answered {status}: {answer}")
    one.end(process, signal.SIGTERM)
    return "well"


def ask_server(
    port: int, method: str, path: str, body: dict[str, Any] | None = None, key: str = "none"
) -> tuple[int, str]:
    """The status and the text of an answer; 0 if nobody answers."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_SECONDS)
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {key}"}
    try:
        connection.request(method, path, json.dumps(body) if body else None, headers)
        response = connection.getresponse()
        return response.status, response.read().decode()
    except OSError:
        return 0, ""
    finally:
        connection.close()


# 64 × 64 pixels, red and blue, as pillow-heif wrote them.
HEIC = (
    "AAAAHGZ0eXBoZWljAAAAAG1pZjFoZWljbWlhZgAAAVZtZXRhAAAAAAAAACFoZGxyAAAAAAAAAABwaWN0AAAAAAAAAAAA"
    "AAAAAAAAACJpbG9jAAAAAERAAAEAAQAAAAABegABAAAAAAAAACgAAAAjaWluZgAAAAAAAQAAABVpbmZlAgAAAAABAABo"
    "dmMxAAAAAA5waXRtAAAAAAABAAAA1mlwcnAAAAC3aXBjbwAAAHhodmNDAQNwAAAAkAAAAAAAHvAA/P34+AAADwNgAAEA"
    "GEABDAH//wNwAAADAJAAAAMAAAMAHroCQGEAAQArQgEBA3AAAAMAkAAAAwAAAwAeoCCBBZbqSSmubgIaDAgAAAMAyAAA"
    "AwAIQGIAAQAHRAHBcrAiQAAAABNjb2xybmNseAABAA0ABoAAAAAUaXNwZQAAAAAAAABAAAAAQAAAABBwaXhpAAAAAAMI"
    "CAgAAAAXaXBtYQAAAAAAAAABAAEEgQIDBAAAADBtZGF0AAAAJCgBr1j5DpJf//K13/9R/kPk+2if/tamL9xiJ/07dRHE"
    "v/mn2A=="
)


def heic(one: FreshInstall) -> str:
    """A HEIC image is captioned."""
    picture = one.home / "phone.heic"
    picture.write_bytes(base64.b64decode(HEIC))
    done = one.run("caption", picture, "--max-new-tokens", "4")
    one.require(bool(done.stdout.strip()), "it answered nothing")
    return "well"


def old_encoding(one: FreshInstall) -> str:
    """A caption in Shift JIS gets another one behind it, as UTF-8.

    Needs charset-normalizer, whose compiled modules have names of their own.
    """
    folder = one.home / "pictures"
    folder.mkdir()
    shutil.copy(one.samples / "shapes.png", folder)
    caption, text = folder / "shapes.txt", "窓辺に座っている猫の写真です。"
    caption.write_bytes(text.encode("cp932"))
    for path in (folder, *folder.iterdir()):
        path.chmod(0o777)
    one.run("caption", folder, "--write", "txt", "--existing", "append", "--max-new-tokens", "4")
    lines = caption.read_text("utf-8").splitlines()
    one.require(lines[0] == text and len(lines) > 1, f"the caption is now {lines}")
    return "well"


def with_a_pack(one: FreshInstall, engine: Path) -> str:
    """An image is described with the pack; without it, a sentence says what is missing."""
    data, name = one.home / "data", "trial1"
    pack = data / "engines" / name
    pack.mkdir(parents=True)
    for path in engine.iterdir():
        (pack / path.name).symlink_to(path)
    description = pack_description(name, engine)
    (pack / "pack.json").write_text(json.dumps(description), "utf-8")
    ask = ("caption", one.samples / "shapes.png", "--format", "json")
    answer = json.loads(one.run(*ask, ONLOOKER_HOME=str(data)).stdout)
    one.require("red circle" in answer["caption"], f"it answered {answer['caption']!r}")
    without = one.run(*ask, statuses=(1,), ONLOOKER_ENGINE="cpu", ONLOOKER_HOME=str(data))
    one.require("Traceback" not in without.stderr, f"without PyTorch it says {without.stderr}")
    one.require("PyTorch" in without.stderr, f"without PyTorch it says {without.stderr!r}")
    return "well"


def pack_description(name: str, engine: Path) -> dict[str, Any]:
    """What core.engine_packs reads in pack.json, for PyTorch for the processor."""
    machine = "amd64" if sys.platform == "win32" else os.uname().machine
    system = {"win32": "win", "darwin": "macosx"}.get(sys.platform, sys.platform)
    library = next(engine.glob("torch/lib/*torch_cpu.*"))
    return {
        "format": 1,
        "name": name,
        "torch": (engine.parent / "torch_version").read_text("utf-8").partition("+")[0],
        "cuda": "0.0",
        "needs_driver": "0.0",
        "platform": f"{system}_{machine}",
        "python": f"cp{sys.version_info.major}{sys.version_info.minor}",
        "size": library.stat().st_size,
        "files": {library.relative_to(engine).as_posix(): library.stat().st_size},
        "trial": {"passed": "2026-01-01T00:00:00+00:00", "card": ""},
    }


def without_a_screen(one: FreshInstall) -> str:
    """As over ssh when the display's X server has gone; Qt itself would abort."""
    done = one.run(one.samples / "shapes.png", DISPLAY=":987")
    one.require(NO_DISPLAY in done.stderr, f"it did not say so:\n{done.stderr}")
    one.require("red circle" in done.stdout, f"it answered {done.stdout!r}")
    return "described the picture in the terminal"


def without_a_home(one: FreshInstall) -> str:
    """As for services. Everything goes to the temporary folder, and the window says so."""
    process = one.start(QT_QPA_PLATFORM="offscreen", HOME="/nonexistent")
    text = one.wait_for(NO_HOME)
    one.wait_for("Window shown")
    status = one.end(process)
    one.require(status == 0, f"it ended with {status}")
    return next(line for line in text.splitlines() if NO_HOME in line).partition(": ")[2]


def two_copies(one: FreshInstall) -> str:
    """The second hands its picture to the first and leaves."""
    first = one.start(QT_QPA_PLATFORM="offscreen")
    one.wait_for("Window shown")
    one.run(one.samples / "shapes.png", QT_QPA_PLATFORM="offscreen")
    one.wait_for(f"{COPY_STARTED}1 picture(s)")
    status = one.end(first)
    one.require(status == 0, f"the first ended with {status}")
    return "the second handed its picture over"


def after_a_crash(one: FreshInstall) -> str:
    """The start after a crash reports it; settings and conversations survive."""
    one.run("--self-test", QT_QPA_PLATFORM="offscreen")
    settings = next(one.home.rglob("settings.json"))
    before = settings.read_bytes()
    one.clear_log()
    crashed = one.start(QT_QPA_PLATFORM="offscreen")
    one.wait_for("Window shown")
    status = one.end(crashed, signal.SIGSEGV)
    one.require(status == -signal.SIGSEGV, f"the crash ended with {status}")
    one.require(settings.read_bytes() == before, "the crash changed the settings")
    after = one.start(QT_QPA_PLATFORM="offscreen")
    text = one.wait_for(CRASHED)
    one.require("Fatal Python error: Segmentation fault" in text, "no stacks of the crash")
    status = one.end(after)
    one.require(status == 0, f"the start after it ended with {status}")
    json.loads(settings.read_bytes())
    return "reported at the next start"


def answers(one: FreshInstall, model: Path) -> str:
    """The model in the folder `model` answers."""
    short = ("--max-new-tokens", "4", "--format", "json")
    picture = one.samples / "shapes.png"
    done = one.run("caption", picture, "--model", model, *short, statuses=(0, 1))
    answer = json.loads(done.stdout)
    one.require(answer["new_tokens"] > 0, "it answered nothing")
    # Random weights may say signs alone, which is no caption.
    is_well = not done.returncode or NO_WORDS in done.stderr
    one.require(is_well, f"it ended with {done.returncode}\n{done.stderr[-4000:]}")
    return f"{answer['new_tokens']} tokens"


@contextmanager
def virtual_screen() -> Iterator[str]:
    """Run an X server without a window manager; yields its DISPLAY."""
    reading, writing = os.pipe()
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(writing), "-screen", "0", "1280x800x24", "-nolisten", "tcp"],
        pass_fds=[writing],
        stderr=subprocess.DEVNULL,
    )
    os.close(writing)
    try:
        with os.fdopen(reading) as lines:
            yield f":{lines.readline().strip()}"
    finally:
        server.terminate()
        server.wait()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
