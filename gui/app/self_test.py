"""`onlooker --self-test`: the program tries itself, from the window to the files it leaves.

It opens its window on a copy of a sample, asks the built-in model, writes the caption next to the
picture and the transcript to a file, and ends, all as a person would. A program with CUDA then
compiles its kernels, which needs no card. One line says what came out and how long it took from the
start of the process; the exit status is 0 if everything is as it must be.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from core.captions.encoding import decoded
from core.captions.sidecar import encoded, text_path
from core.engine import Failed
from core.errors import AppError
from core.files import read_bytes, write_atomically
from core.locations import locations, writable_locations
from core.resources import SAMPLES
from core.transcript import Answer
from gui.app.program import Program
from gui.app.start import run

PATIENCE_SECONDS = 120
PROMPT = "Please describe this image in detail."
SAMPLE = SAMPLES / "shapes.png"
# Some of the five shapes on a yellow ground: enough to know that the model sees.
SEEN = ("red circle", "blue square", "yellow")


@dataclass
class _Findings:
    """What the visit found out; seconds are from the start of the process."""

    window: float = 0.0
    ready: float = 0.0
    first_word: float = 0.0
    answered: float = 0.0
    kernels: float | None = None
    text: str = ""
    fault: str = "The window closed before the answer."


def main(started: float) -> int:
    """Run the test and return the exit status. `started` is as for `gui.app.start.run`."""
    with _own_home() as folder:
        picture = _sample(folder)
        findings = _Findings()

        async def visit(program: Program) -> None:
            await _visit(program, picture, findings)

        status = run([], started, visit)
        fault = (
            findings.fault or _fault_of_files(picture, findings.text) or _fault_of_kernels(findings)
        )
    _say(findings, fault, status)
    return 1 if fault or status else 0


@contextmanager
def _own_home() -> Iterator[Path]:
    """A folder for the picture, and for our files too unless this user has none of ours yet."""
    with tempfile.TemporaryDirectory(prefix="onlooker-self-test-") as name:
        if not _is_home_empty():
            os.environ["ONLOOKER_HOME"] = str(Path(name) / "home")
        yield Path(name)


def _is_home_empty() -> bool:
    try:
        return not locations().folder.exists() and not writable_locations().note
    except RuntimeError:
        # A user whom the system does not know has no home.
        return False


def _sample(folder: Path) -> Path:
    """Return a copy: nothing may be writable in the folder of the original."""
    target = folder / f"Prüfung {SAMPLE.name}"
    shutil.copyfile(SAMPLE, target)
    return target


async def _visit(program: Program, picture: Path, findings: _Findings) -> None:
    """What a person does, up to closing the window."""
    findings.window = _age()
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            answer = await _ask(program, picture, findings)
        findings.answered = _age()
        findings.text = answer.text
        write_atomically(text_path(picture), encoded(answer.text))
        transcript = _transcript_path(picture)
        program.window.dialogs.transcript_path_chosen.emit(transcript)
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not transcript.exists():
                await asyncio.sleep(0.01)
        findings.fault = _fault_of_text(answer.text)
    except TimeoutError:
        findings.fault = f"No answer within {PATIENCE_SECONDS} s."
    except AppError as error:
        findings.fault = str(error)
    except Exception as error:
        # Whatever it is, it belongs into the one line; the log has its stack.
        findings.fault = f"{type(error).__name__}: {error}"
    finally:
        program.window.close()


async def _ask(program: Program, picture: Path, findings: _Findings) -> Answer:
    answered: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()

    def on_failed(error: Exception, *_: object) -> None:
        if not answered.done():
            answered.set_exception(error)

    def on_state_changed(state: object) -> None:
        findings.ready = _age()
        if isinstance(state, Failed):
            on_failed(state.error)

    def on_piece_received(piece: str) -> None:
        findings.first_word = findings.first_word or _age()

    session = program.session
    program.model.state_changed.connect(on_state_changed)
    program.pictures.failed.connect(on_failed)
    session.answer_failed.connect(on_failed)
    session.piece_received.connect(on_piece_received)
    session.answer_finished.connect(answered.set_result)
    program.window.paths_opened.emit([picture])
    program.window.prompt_box.asked.emit(PROMPT)
    return await answered


def _fault_of_text(text: str) -> str:
    missing = [words for words in SEEN if words not in text]
    return f"The answer does not name: {', '.join(missing)}." if missing else ""


def _fault_of_files(picture: Path, text: str) -> str:
    if decoded(read_bytes(text_path(picture))) != text:
        return "The caption file does not hold the answer."
    if text not in _transcript_path(picture).read_text(encoding="utf-8"):
        return "The saved conversation does not hold the answer."
    settings = locations().settings
    if not settings.is_file() or not json.loads(settings.read_text(encoding="utf-8")):
        return f"The settings were not saved in {settings}."
    if not locations().transcripts.is_file():
        return f"The conversation was not saved in {locations().transcripts}."
    return ""


def _fault_of_kernels(findings: _Findings) -> str:
    """Whether CUDA's compiler is in this package, whole and where it is looked for."""
    # Only now, as it brings torch, which the window did not wait for.
    from core.llava.kernels.build import try_compiler

    try:
        findings.kernels = try_compiler()
    except (OSError, RuntimeError) as error:
        return f"The kernels for graphics cards cannot be compiled: {error}."
    return ""


def _transcript_path(picture: Path) -> Path:
    return picture.with_name("conversation.txt")


def _age() -> float:
    """Seconds since the process began, which is before Python's first line."""
    if sys.platform == "linux":
        # psutil adds the time of the computer's start, which Linux reports in whole seconds.
        facts = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
        began = int(facts[19]) / os.sysconf("SC_CLK_TCK")
        return time.clock_gettime(time.CLOCK_BOOTTIME) - began
    return time.time() - psutil.Process().create_time()


def _say(findings: _Findings, fault: str, status: int) -> None:
    stream = sys.stderr if fault or status else sys.stdout
    if not stream:
        return
    times = (
        f"window {findings.window:.2f} s, model {findings.ready:.2f} s, "
        f"first word {findings.first_word:.2f} s, answer {findings.answered:.2f} s"
    )
    if findings.kernels is not None:
        times += f", kernels {findings.kernels:.2f} s"
    word = f"FAILED: {fault or f'exit status {status}'}" if fault or status else "well"
    stream.write(f"self-test {word}; {times}; {findings.text!r}\n")
    stream.flush()
