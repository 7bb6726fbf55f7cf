"""Folders are opened with their subfolders, and followed while other programs change them."""

import shutil

import pytest
from PIL import Image
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QFileDialog, QLineEdit

from gui.window.commands import Command
from tests.gui.conftest import until


def make(path, colour="teal"):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (30, 20), colour).save(path)
    return path


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "trip"
    for name in ("day 1/2.png", "day 1/10.png", "day 2/evening/1.png"):
        make(folder / name)
    return folder


def names(program):
    return [str(path.relative_to(path.parents[1])) for path in program.pictures.paths]


async def opened(program, folder, count=3):
    program.window.paths_opened.emit([folder])
    await until(lambda: program.window.drop_zone.has_picture)
    await until(lambda: len(program.pictures.paths) == count)
    await until(lambda: program.workspace.counts.images == count)


def test_subfolders_are_opened_too_and_the_strip_has_what_the_list_has(live, folder):
    async def story(program):
        await opened(program, folder)
        assert names(program) == ["day 1/2.png", "day 1/10.png", "evening/1.png"]
        window = program.window
        assert window.state.picture.name == "2.png"
        window.commands[Command.IMAGE_LIST].trigger()
        strip = window.drop_zone.picture_strip
        assert strip.isVisible()
        assert (strip.count, strip.current) == (3, 0)
        strip.setFocus()
        QTest.keyClick(strip, Qt.Key.Key_End)
        await until(lambda: window.state.picture.name == "1.png")

    live(story)


def test_nested_and_new_folders_are_followed(live, folder):
    async def story(program):
        await opened(program, folder)
        # Watches are set once everything is read.
        await until(lambda: len(program.workspace.reading.watched) == 4)
        make(folder / "day 2" / "evening" / "2.png")
        await until(lambda: "evening/2.png" in names(program))
        make(tmp := folder.parent / "new" / "3.png")
        shutil.move(tmp.parent, folder / "day 3")
        await until(lambda: "day 3/3.png" in names(program))
        (folder / "day 1" / "10.png").unlink()
        await until(lambda: "day 1/10.png" not in names(program))

    live(story)


def test_folder_without_images_leaves_open_what_was_open(live, folder, tmp_path):
    async def story(program):
        await opened(program, folder)
        (tmp_path / "none" / "inside").mkdir(parents=True)
        (tmp_path / "other").mkdir()
        window = program.window
        for paths, said in (
            ([tmp_path / "none"], "There are no images in “none”"),
            ([tmp_path / "none", tmp_path / "other"], "None of these is an image"),
        ):
            window.paths_opened.emit(paths)
            await until(lambda said=said: said in window.notice_bar.text_label.text())
            await until(lambda: len(program.pictures.paths) == 3)
            # The list on the left is of what is in the middle.
            assert window.drop_zone.has_picture
            assert window.state.picture.name == "2.png"
            assert program.pictures.roots == [folder]
            window.notice_bar.dismiss()

    live(story)


def test_of_files_of_one_folder_the_others_stay_out(live, folder):
    async def story(program):
        inside = folder / "day 1"
        program.window.paths_opened.emit([inside / "10.png", inside / "2.png"])
        await until(lambda: program.window.state.picture.name == "10.png")
        await until(lambda: program.workspace.reading.watched == [inside])
        make(inside / "7.png")
        (inside / "2.txt").write_text("A caption.", encoding="utf-8")
        await until(lambda: program.workspace.counts.with_caption == 1)
        assert names(program) == ["day 1/2.png", "day 1/10.png"]

    live(story)


def test_esc_while_nothing_is_found_yet_returns_to_what_was_open(live, folder, tmp_path):
    make(tmp_path / "other" / "7.png")

    async def story(program):
        window = program.window
        await opened(program, folder)
        pressed = []

        def on_changed(state):
            if state.workspace.reading and not pressed:
                pressed.append(True)
                QTest.keyClick(window, Qt.Key.Key_Escape)

        window.states.changed.connect(on_changed)
        window.paths_opened.emit([tmp_path / "other"])
        await until(lambda: pressed and len(program.pictures.paths) == 3)
        assert program.pictures.roots == [folder]
        assert window.state.picture.name == "2.png"
        assert window.drop_zone.has_picture

    live(story)


def test_reading_that_was_stopped_goes_on_when_asked(live, folder):
    async def story(program):
        workspace, window = program.workspace, program.window
        workspace.changed.connect(workspace.reading.stop)
        workspace.open([folder])
        line = window.workspace_pane.reading_line
        await until(line.isVisible)
        assert line.label.text() == "Reading stopped"
        workspace.changed.disconnect(workspace.reading.stop)
        QTest.mouseClick(line.button, Qt.MouseButton.LeftButton)
        await until(lambda: len(workspace.paths) == 3)
        await until(lambda: not line.isVisible())
        assert not workspace.reading.is_cut

    live(story)


def dialog_of(window, command):
    window.commands[command].trigger()
    return next(one for one in window.findChildren(QFileDialog) if one.isVisible())


def test_dialogs_begin_with_what_is_open(live, folder):
    """An image deep in it is in view. Enter alone chooses the folder."""

    async def story(program):
        window = program.window
        await opened(program, folder)
        program.tasks.begin(program.pictures.open_path(folder / "day 2" / "evening" / "1.png"))
        await until(lambda: window.state.picture.name == "1.png")
        for command in (Command.OPEN, Command.SAVE_PICTURE):
            dialog = dialog_of(window, command)
            assert dialog.directory().path() == (folder / "day 2" / "evening").as_posix()
            dialog.close()
        dialog = dialog_of(window, Command.OPEN_FOLDER)
        assert dialog.selectedFiles() == [folder.as_posix()]
        dialog.close()
        dialog = dialog_of(window, Command.CAPTION_FOLDER)
        QTest.keyClick(dialog.findChild(QLineEdit), Qt.Key.Key_Return)
        await until(lambda: window.state.run.roots == (folder,))
        assert window.batch_panel.isVisible()

    live(story)
