"""Visits every screen and dialog of the whole living program, as a person reaches them.

A test of something that must hold everywhere iterates over `screens` and looks at each.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw
from PySide6.QtCore import QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QDropEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QApplication,
    QDialog,
    QPlainTextEdit,
    QPushButton,
    QTabWidget,
    QToolButton,
    QWidget,
)

from core.batch import Phase
from core.engine import Ready
from core.hub import DeviceMemory, Entry
from core.picture import ImagePreprocessing
from gui.app.program import Program
from gui.app.updates import UpdatesDialog
from gui.batch.after_run import AfterRun
from gui.batch.countdown_dialog import CountdownDialog
from gui.batch.panel import BatchPanel
from gui.engines.dialog import EngineDialog
from gui.models.dialog import ModelsDialog
from gui.widgets.notice import NoticeAction, NoticeActionKind
from gui.widgets.notice_bar import NoticeBar
from gui.window.commands import Command
from gui.window.leave_dialog import UnsavedDialog
from gui.window.main_window import MainWindow
from tests.gui.batch.folder_page import shown
from tests.gui.conftest import until
from tests.support.engine_states import STATES

# What the engine of the screens is to be like: everything that can be shown is shown.
FACTS = {
    "preprocessing": ImagePreprocessing(28, 14, (0.5,) * 3, (0.5,) * 3),
    "knows_only_drawings": True,
}
LONG_NAME = "a very long name of an image that nobody would want to type again " * 2 + "42.png"
NAMES = ("red.png", LONG_NAME, "שלום עולם.png", "🐧 penguin 🐧.png")
_FURTHER = 24
# What fits depends on it, and other programs change it at any time.
_FREE_MEMORY = 6 << 30
KEY, LEFT = Qt.Key, Qt.MouseButton.LeftButton
CTRL = Qt.KeyboardModifier.ControlModifier


@dataclass(frozen=True)
class Screen:
    """A window or dialog in one of its states."""

    name: str
    widget: QWidget


def make_pictures(folder: Path) -> list[Path]:
    """Writes images whose names are long, written from right to left, or hold emoji."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / name for name in NAMES]
    # So many that lists scroll.
    paths += [folder / f"{number:02}.png" for number in range(_FURTHER)]
    for number, path in enumerate(paths):
        picture = Image.new("RGB", (320, 200 + 8 * number), "white")
        ImageDraw.Draw(picture).ellipse((90, 30, 230, 170), fill=("red", "blue")[number % 2])
        picture.save(path)
    return paths


def drop(program: Program, paths: Sequence[Path]) -> None:
    """Drops files on the window."""
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    where, copy, plain = QPointF(20, 20), Qt.DropAction.CopyAction, Qt.KeyboardModifier.NoModifier
    program.window.dropEvent(QDropEvent(where, copy, mime, LEFT, plain))


async def screens(
    program: Program, folder: Path, prompts: Sequence[str] = ("say 12 words", "say 3 words")
) -> AsyncIterator[Screen]:
    """Yields each screen while it is shown; `folder` takes the files that are needed."""
    await until(lambda: isinstance(program.model.state, Ready))
    samples = program.window.drop_zone.empty_page.samples.findChildren(QToolButton)
    await until(lambda: all(not sample.icon().isNull() for sample in samples))
    yield Screen("empty", program.window)
    async for screen in _conversation(program, folder, prompts):
        yield screen
    async for screen in _dialogs(program):
        yield screen
    async for screen in _folder_run(program, folder):
        yield screen


async def _conversation(
    program: Program, folder: Path, prompts: Sequence[str]
) -> AsyncIterator[Screen]:
    window = program.window
    pictures = make_pictures(folder / "pictures")
    async for screen in _workspace(program, pictures):
        yield screen
    drop(program, [pictures[1]])
    await until(lambda: program.session.picture and program.session.picture.name == LONG_NAME)
    await until(lambda: window.drop_zone.picture_view.has_picture)
    yield Screen("image", window)
    for number, prompt in enumerate(prompts, 1):
        edit = window.prompt_box.prompt_edit
        QTest.keyClicks(edit, prompt)
        QTest.keyClick(edit, KEY.Key_Return)
        await answered(program, number)
    yield Screen("answer", window)
    async for screen in _notices(window, "the conversation"):
        yield screen
    last = window.transcript_view.exchange_views[-1]
    QTest.keyClick(window.prompt_box.prompt_edit, KEY.Key_F2)
    await until(window.evidence_view.popup.isVisible)
    yield Screen("word", window)
    QTest.keyClick(last.answer_text, KEY.Key_Escape)
    await until(lambda: not window.evidence_view.popup.isVisible())
    last.body.edit_button.click()
    yield Screen("editing a question", window)
    QTest.keyClick(_visible(last, QPlainTextEdit), KEY.Key_Escape)
    if window.commands[Command.MODEL_VIEW].isEnabled():
        window.commands[Command.MODEL_VIEW].trigger()
        yield Screen("what the model sees", window)
        window.commands[Command.MODEL_VIEW].trigger()
    if window.commands[Command.INSPECT].isEnabled():
        window.commands[Command.INSPECT].trigger()
        await until(lambda: window.inspector.trace)
        yield Screen("inspector", window.inspector)
        window.inspector.close()
    broken = folder / "broken.png"
    broken.write_bytes(b"\x89PNG\r\n\x1a\n and no image")
    drop(program, [broken])
    await until(lambda: window.drop_zone.error_page.isVisible())
    yield Screen("error", window)


async def _notices(window: MainWindow, over: str) -> AsyncIterator[Screen]:
    """A short notice without a button, and the newest of two, with a long name and a button."""
    window.show_notice("There is no other image of this kind.")
    await until(lambda: _seen_bars(window))
    bar = _seen_bars(window)[0]
    yield Screen(f"notice over {over}", window)
    text = f"“{LONG_NAME}” cannot be written (disk full). Free some space, then try again."
    window.show_notice(text, NoticeAction(NoticeActionKind.SHOW_UNSAVED, "Show its caption"))
    await until(bar.action_button.isVisible)
    yield Screen(f"notices over {over}", window)
    for _ in range(2):
        bar.dismiss()
    await until(lambda: not bar.isVisible())


def _seen_bars(window: MainWindow) -> list[NoticeBar]:
    bars = window.notice_bar, window.batch_panel.notice_bar
    return [bar for bar in bars if not bar.visibleRegion().isEmpty()]


async def _in_the_list(window: MainWindow, is_so: Callable[[], object]) -> None:
    """Wait for what is shown beside the image; a narrow window has no room for it."""
    await until(lambda: is_so() or not window.state.workspace.has_room)


async def _workspace(program: Program, pictures: Sequence[Path]) -> AsyncIterator[Screen]:
    window = program.window
    # The first one shown is the first in the list, which then need not scroll to it.
    drop(program, [*pictures[len(NAMES) :], *pictures[: len(NAMES)]])
    await until(lambda: window.drop_zone.has_picture)
    window.show_conversation()
    await until(lambda: window.state.workspace.is_known)
    await until(lambda: program.workspace.counts.images == len(pictures))
    yield Screen("images as a grid", window)
    window.commands[Command.IMAGE_GRID].trigger()
    yield Screen("images as a list", window)
    window.commands[Command.IMAGE_LIST].trigger()
    yield Screen("images folded away", window)
    window.commands[Command.EDIT_CAPTION].trigger()
    yield Screen("caption of an image", window)
    window.workspace_pane.query_line.edit.setText(") cat")
    window.commands[Command.IMAGE_LIST].trigger()
    await _in_the_list(window, window.workspace_pane.query_line.error_label.isVisible)
    yield Screen("query with a fault", window)
    window.workspace_pane.query_line.edit.clear()
    QTest.mouseClick(window.side_tabs.bar, LEFT, pos=window.side_tabs.bar.tabRect(1).center())
    window.commands[Command.IMAGE_GRID].trigger()


async def _dialogs(program: Program) -> AsyncIterator[Screen]:
    window = program.window
    window.commands[Command.SETTINGS].trigger()
    settings = await dialog_named("settings_dialog")
    tabs = _visible(settings, QTabWidget)
    for number in range(tabs.count()):
        tabs.setCurrentIndex(number)
        yield Screen(f"settings {tabs.tabText(number)}", settings)
    settings.reject()
    for command, name in ((Command.KEYS, "keys_dialog"), (Command.ABOUT, "about_dialog")):
        window.commands[command].trigger()
        dialog = await dialog_named(name)
        yield Screen(name.replace("_", " "), dialog)
        dialog.reject()
    updates = UpdatesDialog("# 9.9.9\n\nNews, [in full](https://example.org/news).", window)
    updates.open()
    yield Screen("updates", updates)
    updates.reject()
    countdown = CountdownDialog(AfterRun.SHUT_DOWN, 3600, window)
    countdown.open()
    yield Screen("countdown", countdown)
    countdown.reject()
    reason = "“1.txt” cannot be written (disk full). Free some space, then try again."
    unsaved = UnsavedDialog(["1.png", "2.png"], reason, are_kept=True, parent=window)
    unsaved.open()
    yield Screen("captions not saved", unsaved)
    unsaved.reject()
    program.faults.report(ZeroDivisionError("nobody foresaw this"))
    fault = await dialog_named("fault_dialog")
    yield Screen("fault", fault)
    fault.reject()
    window.commands[Command.MODELS].trigger()
    models = await dialog_named("models_dialog")
    assert isinstance(models, ModelsDialog)
    await until(lambda: models.model.count)
    models.show_entries(_entries(models), DeviceMemory("cpu", "this computer", _FREE_MEMORY))
    await until(lambda: program.engine_packs.state.overview and _is_laid_out(models))
    yield Screen("models", models)
    models.options_menu.token_action.trigger()
    token = await dialog_named("token_dialog")
    yield Screen("token", token)
    token.reject()
    models.close()
    window.commands[Command.ENGINES].trigger()
    engines = await dialog_named("engines_dialog")
    assert isinstance(engines, EngineDialog)
    await until(lambda: program.engine_packs.state.overview)
    for name in ("from source", "offered, with a damaged pack", "getting", "lost", "in use"):
        engines.panel.show_state(STATES[name])
        await until(lambda: _is_laid_out(engines))
        # What has the focus depends on which buttons there were before.
        if focused := engines.focusWidget():
            focused.clearFocus()
        yield Screen(f"graphics card, {name}", engines)
    engines.reject()


async def _folder_run(program: Program, folder: Path) -> AsyncIterator[Screen]:
    window = program.window
    panel: BatchPanel = window.batch_panel
    window.dialogs.run_chosen.emit([folder / "pictures"])
    await until(lambda: panel.isVisible() and panel.model.items)
    yield Screen("folder form", window)
    panel.head.rows_button.click()
    yield Screen("folder form, with its images", window)
    panel.controls.more_button.click()
    panel.form.more.show_after_run(AfterRun)
    yield Screen("folder form, more options", window)
    panel.controls.more_button.click()
    _button(panel, "try_first_button").click()
    await until(panel.trial_page.isVisible)
    yield Screen("trial", window)
    panel.trial_page.back_button.click()
    panel.form.prompt_edit.setPlainText("hold")
    panel.form.more.slots_box.setValue(1)  # In order, whichever is opened first.
    _button(panel, "batch_start_button").click()
    await until(lambda: panel.is_running)
    await until(lambda: any("Half an" in row[-1] for row in shown(panel)))
    yield Screen("running", window)
    window.close()
    leave = await dialog_named("leave_run_dialog")
    yield Screen("leaving a run", leave)
    leave.reject()
    _button(panel, "stop_run_button").click()
    await until(lambda: not panel.is_running)
    yield Screen("paused", window)
    _button(panel, "new_run_button").click()
    await until(lambda: _button(panel, "batch_start_button").isEnabled())
    panel.form.prompt_edit.setPlainText("say 12 words")
    _button(panel, "batch_start_button").click()
    await until(lambda: program.folder_run.phase is Phase.OVER and panel.summary_box.isVisible())
    await _in_the_list(window, window.workspace_pane.statistics.list.model().rowCount)
    yield Screen("finished", window)
    async for screen in _finished_run(program):
        yield screen


async def _finished_run(program: Program) -> AsyncIterator[Screen]:
    window = program.window
    panel: BatchPanel = window.batch_panel
    panel.filter_bar.replace_button.click()
    await until(panel.replace_bar.isVisible)
    yield Screen("replacing", window)
    panel.replace_bar.close_bar()
    panel.head.rows_button.click()
    yield Screen("finished, without its images", window)
    async for screen in _notices(window, "a folder run"):
        yield screen
    await until(window.commands[Command.CAPTION_AGAIN].isEnabled)
    window.commands[Command.CAPTION_AGAIN].trigger()
    again = await dialog_named("again_dialog")
    yield Screen("caption again", again)
    again.reject()
    _button(panel, "undo_button").click()
    undo = await dialog_named("undo_dialog")
    yield Screen("undoing a run", undo)
    undo.reject()


async def answered(program: Program, count: int) -> None:
    """Waits until so many questions are answered."""
    session, view = program.session, program.window.transcript_view
    await until(
        lambda: (
            session.transcript is not None
            and len(session.transcript.exchanges) == count
            and not session.is_answering
        )
    )
    await until(lambda: len(view.exchange_views) == count and not view.is_answering)
    await until(lambda: view.exchange_views[-1].evidence)


async def dialog_named(name: str) -> QDialog:
    """Returns a dialog by its object name, once it is shown."""

    def found() -> list[QDialog]:
        return [
            widget
            for widget in QApplication.topLevelWidgets()
            if isinstance(widget, QDialog) and widget.isVisible() and widget.objectName() == name
        ]

    await until(found)
    return found()[0]


def _is_laid_out(widget: QWidget) -> bool:
    parts = widget.findChildren(QWidget)
    return not any(part.isVisible() and part.size().isEmpty() for part in parts)


def _entries(dialog: ModelsDialog) -> list[Entry]:
    rows = (dialog.model.row(dialog.model.index(n)) for n in range(dialog.model.rowCount()))
    return [row.entry for row in rows if row.entry is not None]


def _visible(widget: QWidget, kind: type):
    return next(part for part in widget.findChildren(kind) if part.isVisible())


def _button(panel: QWidget, name: str) -> QPushButton:
    button = panel.findChild(QPushButton, name)
    assert button is not None, name
    return button
