"""The conversation about an image follows it wherever it is moved, and stays with no other one."""

import shutil
from contextlib import closing
from threading import Event

import pytest
from PIL import Image, PngImagePlugin

from core.store import Store
from core.workspace import Workspace, WorkspaceOptions
from core.write_lock import one_at_a_time
from gui.session.picture_list import PictureList
from gui.session.session import Session
from tests.support.disks import Disk


def draw(path, colour, size=(40, 30), **texts):
    """An image, with texts among its metadata."""
    path.parent.mkdir(parents=True, exist_ok=True)
    metadata = PngImagePlugin.PngInfo()
    for name, text in texts.items():
        metadata.add_text(name, text)
    Image.new("RGB", size, colour).save(path, pnginfo=metadata)
    return path


@pytest.fixture
def folder(tmp_path):
    draw(tmp_path / "images" / "blue.png", "blue")
    draw(tmp_path / "images" / "red.png", "red")
    return tmp_path / "images"


@pytest.fixture
def blue(folder):
    return folder / "blue.png"


@pytest.fixture
def sessions(run, ready, loaded, settings_file, tmp_path, workspace):
    """Opens images in a session, which may be of a later start; returns the prompts shown."""

    class Sessions:
        session: Session
        store: Store

        def __init__(self):
            self.begin()

        def begin(self):
            self.store = Store(tmp_path / "transcripts.sqlite")
            self.pictures = PictureList(workspace)
            self.session = Session(ready, loaded, self.pictures, self.store, settings_file)

        def restart(self):
            run(self.session.close())
            self.begin()

        @property
        def prompts(self):
            transcript = self.session.transcript
            assert transcript is not None
            return [one.prompt for one in transcript.exchanges]

        def shown(self, path):
            run(self.pictures.open_paths([path]))
            assert self.session.picture is not None
            assert self.session.picture.path == path
            return self.prompts

        def ask(self, path, prompt="say 1 words"):
            self.shown(path)
            run(self.session.ask(prompt))

        def reopen(self):
            """The image of the newest conversation, which is chosen from a list."""
            run(self.session.reopen(self.session.recent_conversations()[0].id))
            return self.session.picture

    sessions = Sessions()
    yield sessions
    run(sessions.session.close())


@pytest.fixture(params=["at once", "after another image", "after a restart"])
def later(request, sessions, tmp_path):
    """Until an image is opened again, which was moved in between."""
    between = draw(tmp_path / "between.png", "gray")

    def later():
        if request.param == "after another image":
            assert sessions.shown(between) == []
        elif request.param == "after a restart":
            sessions.restart()

    return later


MOVES = {
    "renamed": ("images", "images/blue.png", "images/other.png"),
    "in a subfolder": ("images", "images/blue.png", "images/inner/blue.png"),
    "in a renamed folder": ("new", "images", "new"),
}


@pytest.mark.parametrize("move", MOVES)
def test_conversation_follows_an_image_that_another_program_moved(
    sessions, tmp_path, folder, blue, move
):
    folder_then, old, new = MOVES[move]
    (folder / "inner").mkdir()
    sessions.ask(blue)
    (tmp_path / old).rename(tmp_path / new)
    (path,) = (tmp_path / folder_then).rglob("[!r]*.png")
    for _ in range(2):
        assert sessions.shown(path) == ["say 1 words"]
        sessions.restart()
    (only,) = sessions.store.recent(search=path.name)
    assert only.picture_path == path
    sessions.ask(path, "say 2 words")
    assert len(sessions.store.recent()) == 1


def test_it_follows_whatever_was_shown_meanwhile(sessions, blue, later):
    sessions.ask(blue)
    new = blue.rename(blue.with_name("new.png"))
    later()
    assert sessions.shown(new) == ["say 1 words"]
    back = new.rename(blue)
    later()
    assert sessions.shown(back) == ["say 1 words"]


def test_our_own_move_takes_it_along_and_undo_brings_it_back(sessions, tmp_path, blue, later):
    sessions.ask(blue)
    with closing(Workspace.open([blue.parent], tmp_path / "data", WorkspaceOptions())) as workspace:
        workspace.scan(Event(), lambda progress: None)
        row = workspace.row_of(blue)
        assert row is not None
        # The name is taken there.
        draw(tmp_path / "elsewhere" / "blue.png", "green")
        workspace.move_to([row.id], tmp_path / "elsewhere")
        later()
        assert sessions.shown(tmp_path / "elsewhere" / "blue.png") == []
        assert sessions.shown(tmp_path / "elsewhere" / "blue (2).png") == ["say 1 words"]
        workspace.undo()
        later()
        assert sessions.shown(blue) == ["say 1 words"]


def test_original_keeps_it_beside_a_copy(sessions, blue, later):
    sessions.ask(blue)
    copy = blue.with_name("copy.png")
    shutil.copy(blue, copy)
    later()
    assert sessions.shown(copy) == []
    sessions.ask(copy, "say 2 words")
    later()
    assert sessions.shown(blue) == ["say 1 words"]
    assert sessions.shown(copy) == ["say 2 words"]


@pytest.mark.parametrize("leaves_mount_point", [True, False])
def test_original_keeps_it_while_its_disk_is_not_connected(
    sessions, tmp_path, monkeypatch, later, folder, leaves_mount_point
):
    disk = Disk(tmp_path / "disk", monkeypatch)
    original = draw(disk.folder / "1.png", "green")
    copy = folder / "1.png"
    sessions.ask(original)
    shutil.copy(original, copy)
    disk.disconnect(leaves_mount_point=leaves_mount_point)
    later()
    assert sessions.shown(copy) == []
    disk.connect()
    assert sessions.shown(original) == ["say 1 words"]


def test_another_image_of_the_same_name_and_size_has_none(sessions, folder, blue, later):
    sessions.ask(blue)
    draw(blue, "navy")
    later()
    assert sessions.shown(blue) == []
    picture = sessions.reopen()
    assert picture.path is None
    assert any("another image has the file name" in note for note in picture.notes)
    # The image itself turns up elsewhere.
    assert sessions.shown(draw(folder / "found.png", "blue")) == ["say 1 words"]


def test_images_that_swap_their_names_swap_their_conversations(sessions, folder, blue, later):
    red = folder / "red.png"
    sessions.ask(blue, "say 1 words")
    sessions.ask(red, "say 2 words")
    blue.rename(folder / "between.png")
    red.rename(blue)
    (folder / "between.png").rename(red)
    later()
    assert sessions.shown(red) == ["say 1 words"]
    assert sessions.shown(blue) == ["say 2 words"]


def test_image_whose_metadata_another_program_changes_keeps_it(sessions, blue, later):
    sessions.ask(blue)
    draw(blue, "blue", Keywords="sea")
    copy = shutil.copy(blue, blue.with_name("copy.png"))
    later()
    assert sessions.shown(copy) == []
    assert sessions.shown(blue) == ["say 1 words"]
    sessions.ask(blue, "say 2 words")
    new = blue.rename(blue.with_name("new.png"))
    later()
    assert sessions.shown(new) == ["say 1 words", "say 2 words"]


def test_copy_without_new_metadata_leaves_it_with_the_original(sessions, blue, later):
    sessions.ask(blue)
    copy = shutil.copy(blue, blue.with_name("copy.png"))
    draw(blue, "blue", Keywords="sea")
    later()
    assert sessions.shown(copy) == []
    assert sessions.shown(blue) == ["say 1 words"]


def test_of_equal_images_in_a_renamed_folder_each_keeps_its_own(sessions, folder, later):
    for name in ("first.png", "second.png", "third.png"):
        draw(folder / name, "blue")
    sessions.ask(folder / "second.png", "say 2 words")
    sessions.ask(folder / "third.png", "say 3 words")
    new = folder.rename(folder.with_name("new"))
    draw(folder / "red.png", "red")
    later()
    assert sessions.shown(new / "first.png") == []
    assert sessions.shown(new / "third.png") == ["say 3 words"]
    assert sessions.shown(new / "second.png") == ["say 2 words"]


def test_all_conversations_about_an_image_follow_it(sessions, blue):
    sessions.ask(blue, "say 1 words")
    sessions.session.new_conversation()
    sessions.ask(blue, "say 2 words")
    new = blue.rename(blue.with_name("new.png"))
    sessions.restart()
    sessions.shown(new)
    assert {one.picture_path for one in sessions.store.recent()} == {new}


def test_what_is_asked_of_an_image_that_is_moved_while_it_is_shown_stays_with_it(
    run, sessions, blue
):
    sessions.ask(blue)
    new = blue.rename(blue.with_name("new.png"))
    run(sessions.session.ask("say 2 words"))
    assert sessions.shown(new) == ["say 1 words", "say 2 words"]
    run(sessions.session.ask("say 3 words"))
    sessions.restart()
    assert sessions.shown(new) == ["say 1 words", "say 2 words", "say 3 words"]
    assert len(sessions.store.recent()) == 1


def test_image_that_is_shown_before_the_file_of_conversations_is_open_has_its_conversation_then(
    run, ready, loaded, settings_file, tmp_path, workspace, sessions, blue
):
    red = blue.with_name("red.png")
    sessions.ask(blue, "say 1 words")
    sessions.ask(red, "say 2 words")
    run(sessions.session.close())
    blue = blue.rename(blue.with_name("new.png"))
    with one_at_a_time(tmp_path / "transcripts.lock"):  # As while another program opens it.
        store = Store(tmp_path / "transcripts.sqlite", waits=False)
        pictures = PictureList(workspace)
        sessions.session = Session(ready, loaded, pictures, store, settings_file)
        run(pictures.open_paths([red]))
        run(pictures.open_paths([blue]))
        assert sessions.prompts == []
    returned = []
    sessions.session.conversation_returned.connect(returned.append)
    run(sessions.session.opened_notes())
    assert sessions.prompts == ["say 1 words"]
    assert returned == [sessions.session.transcript]
    run(pictures.open_paths([red]))
    assert sessions.prompts == ["say 2 words"]
