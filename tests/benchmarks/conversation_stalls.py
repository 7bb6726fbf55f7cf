"""Measures how long the window freezes over a long conversation.

    python -m tests.benchmarks.conversation_stalls [EXCHANGES] [TIMES]

In the whole window, offscreen: a stored conversation is opened, scrolled from its end to its
beginning, shown in the dark and the light theme, made wider, and closed. Prints for each the
longest gap of the event loop, and the longest time that the GUI thread itself worked without a
pause. Asserts nothing: times depend on the machine.
"""

import asyncio
import os
import sys
from collections import defaultdict
from statistics import median

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PySide6.QtWidgets import QApplication

from core.engine import Ready
from core.locations import locations
from core.transcript import Answer, Ending, Exchange, Transcript
from gui.app.program import Program
from gui.widgets.theme import Theme
from tests.benchmarks.window_stalls import Heartbeat, picture, scripted_program
from tests.gui.conftest import until

STEPS = 40
REST_SECONDS = 0.5


async def measured(program: Program, count: int, times: int) -> None:
    path = picture(locations().folder)
    living = asyncio.create_task(program.life([path]))
    await until(lambda: program.session.picture and isinstance(program.model.state, Ready))
    opened = program.session.transcript
    assert opened is not None
    window, theme = program.window, application().findChild(Theme)
    assert theme is not None
    kept = Transcript.of(opened.picture, tuple(map(_exchange, range(count))))
    found: defaultdict[str, list[tuple[float, float]]] = defaultdict(list)

    async def note(name: str) -> None:
        await asyncio.sleep(REST_SECONDS)
        found[name].append((heart.longest_ms(), heart.longest_work_ms()))

    widgets = 0
    for _ in range(times):
        heart = Heartbeat()
        window.show_transcript(kept)
        await note("opened")
        await asyncio.sleep(count / 100)
        widgets = len(application().allWidgets())
        heart = Heartbeat()
        bar = window.transcript_view.scroll_area.verticalScrollBar()
        for step in range(STEPS, -1, -1):
            bar.setValue(bar.maximum() * step // STEPS)
            await asyncio.sleep(0.02)
        await note("read")
        for mode in ("dark", "light"):
            heart = Heartbeat()
            theme.choose(mode)
            await note(mode)
        heart = Heartbeat()
        window.resize(window.width() + 60, window.height())
        await note("wider")
        window.resize(window.width() - 60, window.height())
        await asyncio.sleep(REST_SECONDS)
        heart = Heartbeat()
        window.transcript_view.clear()
        await note("put away")
    print(f"{count} exchanges, {widgets} widgets")
    for name, each in found.items():
        gaps, works = zip(*each, strict=True)
        gap = f"{median(gaps):.0f} ms, at most {max(gaps):.0f} ms"
        print(f"{name}: {gap}; own work {median(works):.0f} ms, at most {max(works):.0f} ms")
    program.quit()
    await living


def application() -> QApplication:
    app = QApplication.instance()
    assert isinstance(app, QApplication)
    return app


def _exchange(number: int) -> Exchange:
    text = "A lighthouse stands on a rock. " * (3 + number % 9)
    answer = Answer(text.strip(), Ending.COMPLETE, tokens=30, seconds=1.4)
    return Exchange(f"What is to be seen in part {number}?", answer)


def main(count: int = 200, times: int = 5) -> None:
    with scripted_program() as (program, _, loop):
        loop.run_until_complete(measured(program, count, times))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
