"""Drops files on the window with a real mouse, from another program, on an X display of its own.

    xvfb-run -a python -m tests.support.real_drops FOLDER

Prints, as JSON, what became of each drop, by its name.
"""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from PIL import Image

from gui.app.program import Program
from gui.app.start import run
from tests.gui.conftest import until

# Above the window, so that it covers nothing of it.
SOURCE = (1000, 4)
MOVES = 400


def mouse(*words: object) -> None:
    subprocess.run(["xdotool", *map(str, words)], check=True, capture_output=True)


def cases(folder: Path) -> dict[str, list[str]]:
    """What is dropped, by name. The names of the files are not ASCII."""
    folder.mkdir(parents=True)
    paths = [folder / f"{number} שלום é 🐧.png" for number in range(3)]
    for number, path in enumerate(paths):
        Image.new("RGB", (200, 120), (80 * number, 80, 90)).save(path)
    first = paths[0].as_uri().removeprefix("file://")
    return {
        "an image": [paths[0].as_uri()],
        "several images": [path.as_uri() for path in paths[1:]],
        "a folder": [folder.as_uri()],
        "an image on localhost": [f"file://localhost{first}"],
        "an image on this host": [f"file://{socket.gethostname()}{first}"],
        "a page": ["https://example.org/page"],
    }


async def drop(program: Program, uris: list[str]) -> dict[str, Any]:
    """Drags from another program on the middle of the window, and drops there."""
    window, opened = program.window, []
    window.paths_opened.connect(opened.append)
    invitations = (window.drop_zone.drag_overlay, window.batch_panel.drag_overlay)
    notices = set(window.state.notices)
    source = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.support.drag_source", *map(str, SOURCE), *uris),
        stdout=subprocess.PIPE,
    )
    assert source.stdout is not None
    await source.stdout.readline()
    x, y = SOURCE[0] + 40, SOURCE[1] + 30
    await asyncio.to_thread(mouse, "mousemove", x, y)
    await asyncio.to_thread(mouse, "mousedown", 1)
    for move in range(MOVES):
        # To the middle of the window, then around there, until it notices.
        x, y = max(500, x - 60), min(400 + move % 2, y + 40)
        await asyncio.to_thread(mouse, "mousemove", x, y)
        await asyncio.sleep(0.03)
        if y >= 400 and any(one.isVisible() for one in invitations):
            break
    was_invited = any(one.isVisible() for one in invitations)
    await asyncio.to_thread(mouse, "mouseup", 1)
    ending = (await source.stdout.readline()).decode().strip()
    await until(lambda: opened or set(window.state.notices) - notices)
    source.terminate()
    await source.wait()
    window.paths_opened.disconnect(opened.append)
    return {
        "invited": was_invited,
        "still invited": any(one.isVisible() for one in invitations),
        "ending": ending,
        "opened": [[path.name for path in paths] for paths in opened],
        "notices": [one.text for one in window.state.notices if one not in notices],
    }


def main(folder: Path) -> int:
    found: dict[str, Any] = {}

    async def visit(program: Program) -> None:
        try:
            program.window.move(0, 90)
            program.window.resize(1100, 620)
            for name, uris in cases(folder / "holiday").items():
                found[name] = await drop(program, uris)
        finally:
            # The process may end hard, while the model is being loaded.
            sys.stdout.write(json.dumps(found))
            sys.stdout.flush()
            program.quit()

    return run([], time.perf_counter(), visit)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
