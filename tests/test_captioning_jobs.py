"""The five jobs of packaging/captioning_jobs.md from drop to export, by mouse and by keys alone.

The real window and the built-in model. A step of the page that is no longer possible fails here.
With ONLOOKER_SCREENSHOTS=FOLDER each step is also kept as a picture.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from PySide6.QtCore import QMimeData, QPointF, Qt, QTimer, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QApplication,
    QFileDialog,
    QLineEdit,
    QMenu,
    QWidget,
)

from core.batch import Phase
from core.engine import Ready
from core.locations import locations
from core.resources import RESOURCES, SAMPLES
from core.settings import Settings, save
from core.transcript import BUILT_IN
from core.workspace import ReviewState
from core.workspace.export import ExportFormat
from gui.app.program import Program
from gui.batch.run_controls import RunAction
from gui.widgets.notice import NoticeActionKind
from gui.workspace.export_dialog import ExportDialog
from tests.gui.conftest import focused_widget, loop, run, until  # noqa: F401 (fixtures)
from tests.support.living_program import live_through

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not any((RESOURCES / "built_in_model").glob("*.safetensors")),
        reason="needs the built-in model",
    ),
]

KEY, LEFT = Qt.Key, Qt.MouseButton.LeftButton
CTRL, SHIFT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier
ALT = Qt.KeyboardModifier.AltModifier
SHOTS = os.environ.get("ONLOOKER_SCREENSHOTS")
_SETTLED_SECONDS = 0.5


@dataclass(frozen=True)
class Job:
    """A preset by its number, what the person fills in, and a format to hand over in.

    `writes` says whether the built-in model can do it: it finds no tags and writes no alt text.
    """

    preset: int
    filled: str
    format: ExportFormat
    writes: bool = True


JOBS = {
    "dataset captions": Job(2, "ohwx, ", ExportFormat.TEXT),
    "tags from a vocabulary": Job(4, "circle, square, penguin", ExportFormat.CSV, writes=False),
    "alt texts": Job(5, "", ExportFormat.HTML, writes=False),
    "archive descriptions": Job(6, "", ExportFormat.XMP),
    "text in images": Job(7, "", ExportFormat.JSONL),
}


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "drawings"
    folder.mkdir()
    for name in ("shapes.png", "penguins.png", "fruit.png"):
        shutil.copy(SAMPLES / name, folder / name)
    return folder


@dataclass
class Hands:
    """What both ways share: looking, and typing where the cursor is."""

    program: Program
    name: str
    shots: int = 0

    async def keep(self, step: str, widget: QWidget | None = None) -> None:
        """Keeps a picture of the window, or of a dialog, if that is wanted."""
        self.shots += 1
        if SHOTS:
            await asyncio.sleep(_SETTLED_SECONDS)
            Path(SHOTS).mkdir(parents=True, exist_ok=True)
            name = f"{self.name}-{type(self).__name__.lower()}-{self.shots:02}-{step}.png"
            (widget or self.program.window).grab().save(str(Path(SHOTS) / name))

    def type(self, text: str) -> None:
        """Types where the cursor is."""
        QTest.keyClicks(focused_widget(), text)

    @property
    def panel(self):
        return self.program.window.batch_panel

    @property
    def images(self):
        return self.program.window.workspace_pane.list

    async def dialog(self) -> ExportDialog:
        """Returns the export's dialog once it is open."""
        await until(lambda: self.program.window.findChildren(ExportDialog))
        return self.program.window.findChildren(ExportDialog)[0]


class Mouse(Hands):
    """Only clicks, and letters where a text is wanted."""

    async def open(self, folder: Path) -> None:
        mime = QMimeData()
        mime.setUrls([QUrl.fromLocalFile(str(folder))])
        where, plain = QPointF(200, 200), Qt.KeyboardModifier.NoModifier
        copy, window = Qt.DropAction.CopyAction, self.program.window
        QApplication.sendEvent(window, QDragEnterEvent(where.toPoint(), copy, mime, LEFT, plain))
        QApplication.sendEvent(window, QDropEvent(where, copy, mime, LEFT, plain))

    async def choose(self, preset: int) -> None:
        bar = self.program.window.notice_bar
        await until(lambda: bar.isVisible() and bar.action_kind is NoticeActionKind.CAPTION_ALL)
        QTest.mouseClick(bar.action_button, LEFT)
        await until(lambda: self.panel.isVisible() and len(self.panel.model.items) == 3)
        button = self.panel.controls.presets_button
        await self._pick(lambda: QTest.mouseClick(button, LEFT), f"&{preset} ")

    async def start(self) -> None:
        QTest.mouseClick(self.panel.controls.buttons[RunAction.START], LEFT)

    async def pause(self) -> None:
        QTest.mouseClick(self.panel.controls.buttons[RunAction.PAUSE], LEFT)

    async def resume(self) -> None:
        QTest.mouseClick(self.panel.controls.buttons[RunAction.RESUME], LEFT)

    async def go_to(self, row: int) -> None:
        place = self.images.visualRect(self.images.rows.index(row, 0)).center()
        QTest.mouseClick(self.images.viewport(), LEFT, pos=place)

    async def close_run(self) -> None:
        if self.panel.isVisible():
            QTest.mouseClick(self.panel.head.close_button, LEFT)

    async def edit(self) -> None:
        bar = self.program.window.side_tabs.bar
        QTest.mouseClick(bar, LEFT, pos=bar.tabRect(0).center())
        editor = self.program.window.caption_panel.editor
        await until(editor.isVisible)
        QTest.mouseClick(editor.viewport(), LEFT)

    async def accept(self) -> None:
        panel = self.program.window.caption_panel
        QTest.mouseClick(panel.review_row.buttons[ReviewState.ACCEPTED], LEFT)

    async def export(self, kind: ExportFormat) -> ExportDialog:
        menus = self.program.window.menuBar()
        place = menus.actionGeometry(menus.actions()[0]).center()
        await self._pick(lambda: QTest.mouseClick(menus, LEFT, pos=place), "xport captions")
        dialog = await self.dialog()
        box = dialog.form.format_box
        QTest.mouseClick(box, LEFT)
        view = box.view()
        await until(view.isVisible)
        index = view.model().index(box.findData(kind), 0)
        view.scrollTo(index)
        # Until then Qt takes a release for the end of the click that opened the list.
        await asyncio.sleep(QApplication.doubleClickInterval() / 1000 + 0.1)
        QTest.mouseClick(view.viewport(), LEFT, pos=view.visualRect(index).center())
        await until(lambda: dialog.form.format is kind)
        await self.keep("export", dialog)
        QTest.mouseClick(dialog.export_button, LEFT)
        return dialog

    async def _pick(self, opens: Callable[[], None], text: str) -> None:
        """Opens a menu and clicks the entry that has this text."""
        # Some menus wait in an event loop of their own.
        QTimer.singleShot(0, self.program.window, opens)
        await until(lambda: isinstance(QApplication.activePopupWidget(), QMenu))
        menu = QApplication.activePopupWidget()
        assert isinstance(menu, QMenu)
        action = next(one for one in menu.actions() if text in one.text().replace("&x", "x"))
        await self.keep("menu", menu)
        QTest.mouseClick(menu, LEFT, pos=menu.actionGeometry(action).center())
        await until(lambda: QApplication.activePopupWidget() is None)


class Keys(Hands):
    """No click at all."""

    def press(self, key: Qt.Key, modifiers=Qt.KeyboardModifier.NoModifier) -> None:
        """Presses a key where the focus is."""
        QTest.keyClick(focused_widget(), key, modifiers)

    async def open(self, folder: Path) -> None:
        self.press(KEY.Key_O, CTRL | SHIFT)
        await until(lambda: self.program.window.findChildren(QFileDialog))
        dialog = self.program.window.findChildren(QFileDialog)[0]
        edit = dialog.findChild(QLineEdit)
        assert edit is not None
        await until(edit.hasFocus)
        edit.selectAll()
        self.type(str(folder))
        self.press(KEY.Key_Return)
        await until(lambda: not self.program.window.findChildren(QFileDialog))
        self.program.window.activateWindow()  # As window managers do.

    async def choose(self, preset: int) -> None:
        window = self.program.window
        self.press(KEY.Key_J, CTRL)
        await until(self.images.hasFocus)
        self.press(KEY.Key_A, CTRL)
        await until(lambda: window.state.workspace.selected == 3)
        self.press(KEY(KEY.Key_0 + preset))
        await until(lambda: self.panel.isVisible() and len(self.panel.model.items) == 3)
        number = preset - 1
        name = window.state.presets[number]
        chosen = self.program.folder_jobs.presets.presets.named(name)
        assert chosen is not None
        await until(lambda: self.panel.form.prompt_list.prompts == chosen.prompts)

    async def start(self) -> None:
        self.press(KEY.Key_Return, CTRL)

    async def pause(self) -> None:
        self.press(KEY.Key_P, CTRL)

    async def resume(self) -> None:
        self.press(KEY.Key_Return, CTRL)

    async def go_to(self, row: int) -> None:
        await until(self.images.hasFocus)
        self.press(KEY.Key_Home)
        for _ in range(row):
            self.press(KEY.Key_Right)

    async def close_run(self) -> None:
        if self.panel.isVisible():
            self.press(KEY.Key_Left, ALT)

    async def edit(self) -> None:
        self.press(KEY.Key_Return)
        await until(self.program.window.caption_panel.editor.hasFocus)

    async def accept(self) -> None:
        self.press(KEY.Key_Escape)
        await until(self.images.hasFocus)
        self.press(KEY.Key_A)

    async def export(self, kind: ExportFormat) -> ExportDialog:
        self.press(KEY.Key_X, CTRL | SHIFT)
        dialog = await self.dialog()
        box = dialog.form.format_box
        await until(box.hasFocus)
        for _ in range(box.findData(kind) - box.currentIndex()):
            self.press(KEY.Key_Down)
        assert dialog.form.format is kind
        await self.keep("export", dialog)
        self.press(KEY.Key_Return)
        return dialog


@pytest.fixture
def live(run, loop, qapp, tmp_path, monkeypatch):  # noqa: F811
    """Run a story inside the whole program with the built-in model."""
    monkeypatch.setenv("ONLOOKER_HOME", str(tmp_path / "home"))
    theme = "dark" if os.environ.get("ONLOOKER_THEME") == "dark" else "light"
    save(Settings(model=BUILT_IN, max_new_tokens=60, theme=theme), locations().folder)

    def live(story):
        program = Program(qapp, loop, locations(), time.perf_counter())

        async def whole():
            await until(lambda: isinstance(program.model.state, Ready))
            program.window.activateWindow()
            await story(program)

        live_through(program, whole, run)

    return live


@pytest.mark.parametrize("way", [Mouse, Keys])
@pytest.mark.parametrize("name", JOBS)
def test_job_can_be_done_from_drop_to_export(live, folder, way, name):
    job = JOBS[name]

    async def story(program):
        window, folder_run = program.window, program.folder_run
        hands = way(program, name.replace(" ", "-"))
        await hands.open(folder)
        await until(lambda: window.state.workspace.is_known and window.state.workspace.total == 3)
        await until(lambda: program.workspace.counts.unread == 0)
        await hands.keep("opened")
        await hands.choose(job.preset)
        if job.filled:
            # The cursor is where the preset asks for something.
            await until(lambda: isinstance(QApplication.focusWidget(), QLineEdit))
            hands.type(job.filled)
        await hands.keep("chosen")
        await hands.start()
        await until(lambda: folder_run.phase is not Phase.CHOOSING)
        if folder_run.phase is Phase.RUNNING:
            await hands.keep("running")
            await hands.pause()
            await until(lambda: folder_run.phase in (Phase.PAUSED, Phase.OVER))
        if folder_run.phase is Phase.PAUSED:
            await hands.keep("paused")
            await hands.resume()
        await until(lambda: folder_run.phase is Phase.OVER)
        await hands.keep("finished")
        captions = [path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.txt"))]
        if job.writes:
            assert len(captions) == 3
            assert all(caption.startswith(job.filled) for caption in captions)

        await hands.close_run()
        await hands.go_to(1)
        await until(lambda: window.state.picture.name == "penguins.png")
        await hands.edit()
        # Who mends a caption has seen it.
        written = (folder / "penguins.txt").read_text(encoding="utf-8").rstrip("\n")
        await until(lambda: window.caption_panel.editor.toPlainText() == written)
        hands.type("mended ")
        await hands.accept()
        await until(lambda: window.state.workspace.review is ReviewState.ACCEPTED)
        await until(lambda: "mended" in (folder / "penguins.txt").read_text(encoding="utf-8"))
        await hands.keep("mended")
        dialog = await hands.export(job.format)
        await until(dialog.reveal_button.isVisible)
        assert not dialog.failures_edit.isVisible()
        await hands.keep("exported", dialog)

    live(story)
