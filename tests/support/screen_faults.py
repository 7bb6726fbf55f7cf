"""Looks for faults on every screen of the whole program, in a process of its own.

    python -m tests.support.screen_faults FOLDER WALK KIND…

The environment configures the display. Prints, as JSON, a line for each fault of these kinds.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time
import traceback
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import qasync
from PySide6.QtCore import QEvent, QObject
from PySide6.QtGui import QAccessible
from PySide6.QtWidgets import (
    QAbstractButton,
    QApplication,
    QDialog,
    QDialogButtonBox,
    QLineEdit,
    QMenu,
    QPushButton,
    QWidget,
)

from core.locations import writable_locations
from core.settings import Settings, save
from gui.app.program import Program
from gui.session.model_thread import ModelThread
from gui.widgets.all_layouts import lay_out_all
from gui.widgets.theme import Theme
from tests.gui.conftest import until
from tests.support.accessible import misunderstandings
from tests.support.focus_rings import hidden_focus
from tests.support.layout import cut_off, described_rect
from tests.support.menu_screens import menu_screens
from tests.support.models_screens import models_screens
from tests.support.screens import FACTS, Screen, screens
from tests.support.scripted_engine import ScriptedCheckpoint
from tests.support.text_contrast import hard_to_read
from tests.support.workspace_screens import workspace_screens


def out_of_reach(window: QWidget) -> list[str]:
    """Returns what is outside of the display, or of the window without a way to scroll to it."""
    faults = []
    area, frame = window.screen().availableGeometry(), window.frameGeometry()
    if isinstance(window, QMenu):
        frame.adjust(0, 0, 0, -1)  # Qt makes those that scroll too high by a pixel.
    if not area.contains(frame):
        faults.append(f"{described_rect(frame)} is not inside {described_rect(area)}")
    if isinstance(window, QMenu):
        faults += _faults_of_menu(window)
    if isinstance(window, QDialog) and window.minimumHeight() > _LOWEST:
        faults.append(f"it cannot be lower than {window.minimumHeight()}")
    if isinstance(window, QDialog) and window.findChildren(QLineEdit):
        buttons = [one for one in window.findChildren(QPushButton) if one.isDefault()]
        faults += ["Enter in a field cancels" for one in buttons if one.text() == "Cancel"]
    for box in window.findChildren(QDialogButtonBox):
        buttons = [one for one in box.buttons() if one.isVisible()]
        last = max(buttons, key=QAbstractButton.x, default=None)
        is_cancel = last is not None and len(buttons) > 1 and last.text() == "Cancel"
        faults += ["Cancel does not come before what the dialog is for"] * is_cancel
    return faults + cut_off(window)


def _faults_of_menu(menu: QMenu) -> list[str]:
    sections = (one.text() for one in menu.actions() if one.isSeparator() and one.text())
    faults = [f"the section “{text}” is not shown with a stylesheet" for text in sections]
    keys = [key.lower() for one in menu.actions() for key in _MNEMONIC.findall(one.text())]
    faults += [f"several entries have the key {key}" for key in {*keys} if keys.count(key) > 1]
    widest = max(menu.actionGeometry(one).width() for one in menu.actions())
    return [*faults, *[f"an entry is {widest} wide"] * (widest > _WIDEST_MENU)]


LOOKS: dict[str, Callable[[QWidget], list[str]]] = {
    "reach": out_of_reach,
    "accessible": misunderstandings,
    "contrast": hard_to_read,
    "focus": hidden_focus,
}
WALKS = {
    "main": screens,
    "workspace": workspace_screens,
    "models": models_screens,
    "menus": menu_screens,
}
# Their faults depend on the theme.
_IN_BOTH_THEMES = {"contrast", "focus"}
_WIDEST_MENU = 560
# What a laptop of 1366 × 768 has at 200 %, without a title bar.
_LOWEST = 384 - 32
_PATIENCE = 10
_MNEMONIC = re.compile(r"(?<!&)&([^&])")


def faults_of(screen: Screen, kinds: Sequence[str]) -> list[str]:
    """Returns the faults of these kinds."""
    return [
        f"{screen.name}, {kind}: {fault}" for kind in kinds for fault in LOOKS[kind](screen.widget)
    ]


async def _visit(
    app: QApplication,
    walk: AsyncIterator[Screen],
    theme: Theme,
    kinds: Sequence[str],
    faults: list[str],
) -> None:
    in_both = [kind for kind in kinds if kind in _IN_BOTH_THEMES]
    layouts = _Layouts()
    app.installEventFilter(layouts)
    async for screen in walk:
        # Windows are fitted and laid out by events; on a busy machine not all have come by then.
        await asyncio.sleep(0.05)
        lay_out_all(app)
        faults += faults_of(screen, kinds)
        if "reach" in kinds:
            faults += [f"{screen.name}: {fault}" for fault in await layouts.without_end()]
        if in_both:
            await _choose(theme, "dark")
            faults += [f"dark: {fault}" for fault in faults_of(screen, in_both)]
            await _choose(theme, "light")


class _Layouts(QObject):
    """Counts how often parts ask for a layout."""

    def __init__(self) -> None:
        super().__init__()
        self._asked: Counter[str] = Counter()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.LayoutRequest:
            self._asked[f"{type(watched).__name__} {watched.objectName()}"] += 1
        return False

    async def without_end(self) -> list[str]:
        """Returns what asks for a layout again and again while nothing happens."""
        for _ in range(_PATIENCE):
            self._asked.clear()
            await asyncio.sleep(0.05)
            if not self._asked:
                return []
        return [f"{name} is laid out without end, {n} times" for name, n in self._asked.items()]


async def _choose(theme: Theme, mode: str) -> None:
    theme.choose(mode)
    await until(lambda: not theme.is_restyling)


def main(folder: Path, walk: str, kinds: Sequence[str]) -> int:
    app = QApplication(sys.argv[:1])
    QAccessible.setActive("accessible" in kinds)
    save(Settings(theme="light"), writable_locations().folder)
    loop = qasync.QEventLoop(app)
    loop.set_default_executor(ThreadPoolExecutor(2))
    checkpoint = ScriptedCheckpoint()
    checkpoint.facts = FACTS
    model = ModelThread(checkpoint)
    program = Program(app, loop, writable_locations(), time.perf_counter(), model)
    theme = app.findChildren(Theme)[-1]
    faults: list[str] = []

    async def whole() -> None:
        living = asyncio.ensure_future(program.life([]))
        try:
            await _visit(app, WALKS[walk](program, folder), theme, kinds, faults)
        except Exception:
            faults.append(traceback.format_exc())
        program.quit()
        await living

    loop.run_until_complete(whole())
    loop.close()
    sys.stdout.write(json.dumps(faults))
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2], sys.argv[3:]))
