"""Edits that go on in a folder that was left: seen, stopped, and reported, also at the next
start."""

from contextlib import asynccontextmanager, contextmanager

import pytest
from PIL import Image
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from core.locations import locations
from core.workspace import AddTags, CaptionMode
from core.workspace.opening import write_lock
from gui.widgets.notice import NoticeActionKind
from tests.gui.conftest import until

COUNT, LEFT = 5, Qt.MouseButton.LeftButton
OPEN_IMAGES = NoticeActionKind.OPEN_IMAGES


@pytest.fixture
def folders(tmp_path):
    """Two folders of images with captions."""
    found = []
    for name in ("holiday", "work"):
        folder = tmp_path / name
        folder.mkdir()
        for number in range(COUNT):
            Image.new("RGB", (40, 30), (40 * number, 80, 90)).save(folder / f"{number}.png")
            (folder / f"{number}.txt").write_text("a cat, a dog\n", encoding="utf-8")
        found.append(folder)
    return found


@contextmanager
def waiting_edits():
    """No edit is made within the block, as while another program writes captions."""
    with write_lock(locations().data):
        yield


async def opened(program, folder):
    program.window.paths_opened.emit([folder])
    workspace = program.workspace
    await until(lambda: workspace.roots == [folder] and len(workspace.ids) == COUNT)
    await until(lambda: workspace.mode is CaptionMode.TAGS and workspace.reading.is_done)


@asynccontextmanager
async def left_while_edited(program, folder, other):
    """A tag is added to the images of a folder, and meanwhile another one is opened; within the
    block nothing is written yet."""
    await opened(program, folder)
    line = program.window.status_line
    with waiting_edits():
        program.bulk_editing.apply(program.workspace.ids, AddTags(("sea",)))
        await opened(program, other)
        await until(line.left_edit_button.isVisible)
        assert line.left_edit_button.text() == "Waiting to change images in “holiday”"
        yield
    await until(lambda: not line.left_edit_button.isVisible())


def changed(folder):
    return [
        path.stem for path in folder.glob("*.txt") if path.is_file() and "sea" in path.read_text()
    ]


async def outcome(program):
    """The notice about the edit, and the folder that it leads to."""

    def found():
        notices = program.window.state.notices
        return [one for one in notices if one.action and one.action.kind is OPEN_IMAGES]

    await until(found)
    (notice,) = found()
    return notice


def test_end_of_an_edit_is_said_and_leads_back(live, folders):
    folder, other = folders

    async def story(program):
        async with left_while_edited(program, folder, other):
            assert not changed(folder)
        notice = await outcome(program)
        assert len(changed(folder)) == COUNT
        assert notice.text == "“Add tag “sea”” in “holiday”: Done. Images changed: 5."
        program.window.notice_action_chosen.emit(notice.action)
        await until(lambda: program.workspace.roots == [folder])
        await until(lambda: len(program.workspace.ids) == COUNT)

    live(story)


def test_what_could_not_be_changed_is_said_with_all_reasons(live, folders):
    folder, other = folders

    async def story(program):
        async with left_while_edited(program, folder, other):
            for name in ("1.txt", "2.txt"):
                (folder / name).unlink()
                (folder / name).mkdir()
            (folder / "3.txt").write_text("theirs")
        notice = await outcome(program)
        assert "2 images could not be changed. The first: " in notice.text
        assert "1 caption was changed by another program" in notice.text
        assert sorted(changed(folder)) == ["0", "4"]
        kinds = [one.action.kind for one in program.window.state.notices if one.action]
        assert NoticeActionKind.SHOW_EDIT_REPORT in kinds
        # Other edits are about the folder that is open, and say so.
        program.bulk_editing.apply(program.workspace.ids, AddTags(("sky",)))
        await until(lambda: all("sky" in path.read_text() for path in other.glob("*.txt")))

    live(story)


def test_it_is_stopped_from_the_other_folder(live, folders):
    folder, other = folders

    async def story(program):
        async with left_while_edited(program, folder, other):
            QTest.mouseClick(program.window.status_line.stop_edit_button, LEFT)
        notice = await outcome(program)
        assert "Stopped. Images changed: 0. Left as they were: 5." in notice.text
        assert not changed(folder)

    live(story)


def test_status_line_leads_to_the_folder_whose_edit_goes_on(live, folders):
    folder, other = folders

    async def story(program):
        async with left_while_edited(program, folder, other):
            QTest.mouseClick(program.window.status_line.left_edit_button, LEFT)
            await until(lambda: program.workspace.roots == [folder])
        await until(lambda: len(program.workspace.ids) == COUNT)
        await outcome(program)
        rows = await program.workspace.read(lambda workspace: workspace.rows(workspace.ids()))
        assert all("sea" in row.caption for row in rows)

    live(story)


@pytest.mark.parametrize("is_left", [True, False])
def test_failure_after_the_window_was_closed_is_said_at_the_next_start(live, folders, is_left):
    folder, other = folders

    async def story(program):
        await opened(program, folder)
        for name in ("1.txt", "2.txt"):
            (folder / name).unlink()
            (folder / name).mkdir()
        program.bulk_editing.apply(program.workspace.ids, AddTags(("sea",)))
        if is_left:
            program.window.paths_opened.emit([other])
        program.window.close()

    async def again(program):
        await until(lambda: any(part in one.text for one in program.window.state.notices))
        (said,) = [one.text for one in program.window.state.notices if part in one.text]
        assert "“Add tag “sea”” in “holiday”" in said

    async def once_more(program):
        await opened(program, other)
        assert not any(part in one.text for one in program.window.state.notices)

    part = "2 images could not be changed"
    live(story)
    assert sorted(changed(folder)) == ["0", "3", "4"]
    live(again)
    live(once_more)
