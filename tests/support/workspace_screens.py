"""Visits the parts and dialogs of the window that are about the captions of a folder.

They are a walk of their own beside `tests.support.screens`: nothing here needs an answer.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TypeVar

from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QWidget

from core.batch import Batch, BatchOptions, Conflict, Control
from core.captions.formats import CaptionFormat
from core.captions.sidecar import Existing
from core.engine import Ready
from core.locations import locations
from core.message import Message
from core.workspace import CaptionSource, Failure, StatisticsKind
from core.workspace.export import ExportFormat
from gui.app.program import Program
from gui.batch.conflict_dialog import ConflictDialog
from gui.models.dialog import ModelsDialog
from gui.models.server_dialog import ServerDialog
from gui.window.commands import Command
from gui.window.main_window import MainWindow
from gui.workspace.alt_text_dialog import AltTextDialog
from gui.workspace.bulk_dialog import BulkDialog
from gui.workspace.bulk_fields import BulkKind
from gui.workspace.bulk_report import FailuresDialog, TrashDialog
from gui.workspace.compare_dialog import CompareDialog
from gui.workspace.duplicates_dialog import DuplicatesDialog
from gui.workspace.export_dialog import ExportDialog
from gui.workspace.import_dialog import ImportDialog
from gui.workspace.notes_dialog import NotesDialog
from gui.workspace.presets_dialog import PresetsDialog
from tests.gui.conftest import until
from tests.support.folder_run import FolderEngine
from tests.support.screens import LONG_NAME, Screen, drop, make_pictures

KEY, LEFT = Qt.Key, Qt.MouseButton.LeftButton
CTRL = Qt.KeyboardModifier.ControlModifier
_Window = TypeVar("_Window", bound=QWidget)
# The first one is misspelt, and the last two are of the names that are longest and read from the
# right.
_CAPTIONS = {
    "00.png": "red cirle, white background, drawing",
    "01.png": "blue circle, white background, drawing",
    "02.png": "red circle, white background",
    LONG_NAME: "a very long tag of words that nobody would want to write, " * 4 + "red circle",
    "שלום עולם.png": "עיגול אדום, רקע לבן",
}


async def workspace_screens(program: Program, folder: Path) -> AsyncIterator[Screen]:
    """Yields each screen while it is shown; `folder` takes the files that are needed."""
    await until(lambda: isinstance(program.model.state, Ready))
    pictures = folder / "pictures"
    make_captions(pictures)
    await open_folder(program, pictures)
    for walk in (_caption, _statistics, _bulk, _texts, _duplicates, _comparison):
        async for screen in walk(program):
            yield screen
    async for screen in _export(program, folder):
        yield screen
    async for screen in _import(program, folder):
        yield screen
    async for screen in _conflicts(program, pictures):
        yield screen
    async for screen in _forms(program, folder):
        yield screen
    async for screen in _server(program):
        yield screen


def make_captions(folder: Path) -> None:
    """Writes images with captions, a dictionary, and two runs about them."""
    make_pictures(folder)
    for name, caption in _CAPTIONS.items():
        (folder / name).with_suffix(".txt").write_text(f"{caption}\n", encoding="utf-8")
    own = locations().data / "dictionaries"
    own.mkdir(parents=True, exist_ok=True)
    (own / "en_US.aff").write_text("SET UTF-8\nTRY esianrtolcdugmphbyfvkwz\n")
    (own / "en_US.dic").write_text("6\nred\nblue\ncircle\nwhite\nbackground\ndrawing\n")
    # Two runs that answered differently; they leave the captions as they are.
    said = (("Which colour?", "a red circle"), ("What is in it?", "one circle on white 🐧"))
    for prompt, answer in said:
        engine = FolderEngine()
        engine.says.update({path.name: answer for path in folder.glob("*.png")})
        options = BatchOptions((prompt,), existing=Existing.REPLACE, name="{stem}-answer")
        batch = Batch.begin([folder], options, locations().runs)
        batch.run(engine, Control())
        batch.close()


async def do(window: MainWindow, command: Command) -> None:
    """A command that is still disabled would do nothing."""
    await until(window.commands[command].isEnabled)
    window.commands[command].trigger()


async def open_folder(program: Program, folder: Path) -> None:
    """Drops a folder on the window, and waits until its captions are read."""
    window = program.window
    drop(program, [folder])
    count = len(list(folder.glob("*.png")))
    await until(lambda: program.workspace.roots == [folder])
    await until(lambda: program.workspace.counts.images == count)
    await until(lambda: not program.workspace.counts.unread and window.state.workspace.is_known)
    await until(lambda: window.state.picture.name == "00.png")


async def _caption(program: Program) -> AsyncIterator[Screen]:
    window, panel = program.window, program.window.caption_panel
    await do(window, Command.EDIT_CAPTION)
    await until(lambda: window.state.workspace.has_tags)
    await until(lambda: panel.isVisible() and panel.spelling.words == ["cirle"])
    yield Screen("tags of a caption", window)
    tags = panel.tag_editor
    if tags.field.isVisible():
        window.activateWindow()
        tags.field.setFocus()
        QTest.keyClicks(tags.field, "bl")
        await until(tags.suggestions.isVisible)
        yield Screen("suggested tags", window)
        QTest.keyClick(tags.field, KEY.Key_Escape)
        tags.field.clear()
    panel.mode_buttons[next(iter(panel.mode_buttons))].click()
    await until(lambda: not window.state.workspace.has_tags)
    yield Screen("caption with a misspelt word", window)
    list(panel.mode_buttons.values())[-1].click()
    await until(lambda: window.state.workspace.has_tags)


async def _statistics(program: Program) -> AsyncIterator[Screen]:
    window = program.window
    panel = window.workspace_pane.statistics
    for kind in StatisticsKind:
        window.workspace_pane.statistics.kind_chosen.emit(kind)
        await until(lambda kind=kind: window.state.workspace.statistics is kind)
        await until(lambda: panel.list.values or not window.state.workspace.has_room)
        yield Screen(f"statistics, {kind.value}", window)
    window.workspace_pane.query_line.search_for("circle -has:caption")
    await until(lambda: not window.state.workspace.listed)
    yield Screen("nothing found", window)
    window.workspace_pane.query_line.search_for("")
    await until(lambda: window.state.workspace.listed)
    # Edits are counted a while after them: no two walks would show the same.
    panel.fold_asked.emit()
    await until(lambda: window.state.workspace.folds_statistics)


async def _bulk(program: Program) -> AsyncIterator[Screen]:
    window, images = program.window, program.window.workspace_pane.list
    bulk = await opened(program, Command.BULK_EDIT, BulkDialog)
    for kind in BulkKind:
        bulk.kind_box.setCurrentIndex(bulk.kind_box.findData(kind))
        # What needs nothing more shows its outcome once it is counted.
        await until(lambda: bulk.operation is None or bulk.apply_button.isEnabled())
        yield Screen(f"edit of many captions, {kind.name.lower()}", bulk)
    bulk.open_at(BulkKind.REPLACE)
    field = bulk.focusWidget()
    assert field is not None
    QTest.keyClicks(field, "circle")
    await until(bulk.apply_button.isEnabled)
    yield Screen("edit of many captions, with its outcome", bulk)
    bulk.close()
    reason = Message("“{name}” cannot be written.", {"name": LONG_NAME})
    failures = [Failure(Path(LONG_NAME), reason)] * 3
    failed = FailuresDialog("Replace", failures, window)
    failed.open()
    yield Screen("captions that could not be written", failed)
    failed.reject()
    conflict = ConflictDialog([Conflict(1, Path(LONG_NAME), "a lion", "a cat")] * 2, window)
    conflict.open()
    yield Screen("captions changed on disk", conflict)
    conflict.reject()
    if not window.state.workspace.has_room:
        return
    window.activateWindow()
    images.setFocus()
    await until(lambda: window.state.workspace.has_focus)
    QTest.keyClick(images, KEY.Key_A, CTRL)
    await until(lambda: window.state.workspace.selected > 1)
    yield Screen("selected images", window)
    trash = await opened(program, Command.TRASH_IMAGES, TrashDialog)
    yield Screen("moving images to the trash", trash)
    trash.reject()


async def _texts(program: Program) -> AsyncIterator[Screen]:
    notes = await opened(program, Command.NOTES, NotesDialog)
    await until(lambda: notes.prompt_edit.toPlainText())
    yield Screen("prompt and notes", notes)
    notes.reject()
    alt = await opened(program, Command.ALT_TEXT, AltTextDialog)
    yield Screen("alternative text", alt)
    alt.reject()
    presets = await opened(program, Command.PRESETS, PresetsDialog)
    yield Screen("presets", presets)
    presets.reject()


async def _duplicates(program: Program) -> AsyncIterator[Screen]:
    duplicates = await opened(program, Command.FIND_DUPLICATES, DuplicatesDialog)
    await until(lambda: duplicates.cards)
    yield Screen("duplicates", duplicates)
    duplicates.kind_box.setCurrentIndex(1)
    await until(lambda: not duplicates.cards)
    yield Screen("no duplicates", duplicates)
    duplicates.reject()


async def _comparison(program: Program) -> AsyncIterator[Screen]:
    compare = await opened(program, Command.COMPARE_ANSWERS, CompareDialog)
    await until(lambda: compare.name_label.text())
    yield Screen("comparing answers", compare)
    for column in compare.columns[:2]:
        column.box.setCurrentIndex(0)
    await until(lambda: not compare.name_label.text())
    yield Screen("comparing equal answers", compare)
    compare.reject()


async def _export(program: Program, folder: Path) -> AsyncIterator[Screen]:
    export = await opened(program, Command.EXPORT_CAPTIONS, ExportDialog)
    for kind in ExportFormat:
        box = export.form.format_box
        box.setCurrentIndex(box.findData(kind))
        yield Screen(f"export, {kind.value}", export)
    box.setCurrentIndex(box.findData(ExportFormat.CSV))
    output = folder / "out.csv"
    output.write_text("not written by an export")
    export.form.output_edit.setText(str(output))
    QTest.keyClick(export, KEY.Key_Return)
    await until(export.replace_button.isVisible)
    yield Screen("export that a file is in the way of", export)
    export.replace_button.click()
    await until(export.reveal_button.isVisible)
    yield Screen("exported", export)
    export.reject()


async def _import(program: Program, folder: Path) -> AsyncIterator[Screen]:
    source = folder / "given.csv"
    source.write_text("file_name,caption\n00.png,new\n01.png,other\nnone.png,none\n")
    given = await opened(program, Command.IMPORT_CAPTIONS, ImportDialog)
    yield Screen("import", given)
    given.source_edit.setText(str(source))
    QTest.keyClick(given.source_edit, KEY.Key_Return)
    await until(given.table.isVisible)
    yield Screen("import, with its captions", given)
    given.reject()


async def _conflicts(program: Program, pictures: Path) -> AsyncIterator[Screen]:
    """Another program writes a caption that a person has just changed."""
    window, panel = program.window, program.window.caption_panel
    await do(window, Command.EDIT_CAPTION)
    next(iter(panel.mode_buttons.values())).click()
    await until(lambda: not window.state.workspace.has_tags)
    panel.focus_editor()
    QTest.keyClicks(panel.editor, " x")
    (pictures / "00.txt").write_text("a lion\n", encoding="utf-8")
    QTest.keyClick(panel.editor, KEY.Key_S, CTRL)
    await until(panel.conflict_bar.isVisible)
    yield Screen("caption that another program changed", window)
    panel.theirs_button.click()
    await until(lambda: not panel.conflict_bar.isVisible())


async def _forms(program: Program, folder: Path) -> AsyncIterator[Screen]:
    """The form of a run over folders whose captions are elsewhere than usually."""
    window, form = program.window, program.window.batch_panel.form
    tabled = folder / "tabled"
    make_pictures(tabled)
    rows = [{"file_name": path.name, "text": "circle"} for path in tabled.glob("*.png")]
    text = "\n".join(map(json.dumps, rows))
    (tabled / "metadata.jsonl").write_text(f"{text}\n", encoding="utf-8")
    await open_folder(program, tabled)
    await do(window, Command.GENERATE)
    await until(lambda: program.folder_run.roots == [tabled] and program.folder_run.items)
    await until(form.source_line.isVisible)
    yield Screen("folder form, with a table", window)
    form.source_line.table_box.setChecked(False)
    form.prompt_list.show_prompts(["Which colour?", "What is in it?", "And what else? " * 30])
    yield Screen("folder form, with several prompts", window)
    other = folder / "other files"
    pictures = make_pictures(other)
    for path in pictures:
        path.with_suffix(".caption").write_text("circle\n")
    await open_folder(program, other)
    source = CaptionSource(CaptionFormat.CAPTION)
    program.workspace.choose_source(source)
    await until(lambda: program.workspace.source == source)
    # The folder is opened anew; until its captions are read, those from before may be seen.
    await until(lambda: program.workspace.counts.with_caption == len(pictures))
    await until(lambda: window.caption_panel.editor.toPlainText() == "circle")
    await do(window, Command.GENERATE)
    await until(lambda: program.folder_run.roots == [other] and program.folder_run.items)
    list(form.write_boxes.values())[1].click()
    next(iter(form.write_boxes.values())).click()
    await until(form.source_line.take_button.isVisible)
    yield Screen("folder form, with other files", window)


async def _server(program: Program) -> AsyncIterator[Screen]:
    window = program.window
    await do(window, Command.MODELS)
    models = await shown(ModelsDialog)
    models.server_button.click()
    server = await shown(ServerDialog)
    yield Screen("server", server)
    server.reject()
    models.close()


async def opened(program: Program, command: Command, kind: type[_Window]) -> _Window:
    """Gives a command once it can be given, and returns the window that it opens."""
    await do(program.window, command)
    return await shown(kind)


async def shown(kind: type[_Window]) -> _Window:
    """Returns the window of this kind, once it is shown."""

    def found() -> list[_Window]:
        tops = QApplication.topLevelWidgets()
        return [top for top in tops if isinstance(top, kind) and top.isVisible()]

    await until(found)
    return found()[0]
