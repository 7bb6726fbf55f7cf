"""What an edit of many captions would do is known before it is done."""

from threading import Event

import pytest
from PIL import Image

from core.workspace.bulk import Clear, PatternError, Prefix, Replace
from core.workspace.data import ScanStage, WorkspaceOptions
from core.workspace.workspace import Workspace


@pytest.fixture
def workspace(tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    for number, caption in enumerate(("a cat", "a dog", "a Cat", "")):
        Image.new("RGB", (8, 8)).save(folder / f"{number}.png")
        if caption:
            (folder / f"{number}.txt").write_text(caption)
    workspace = Workspace.open([folder], tmp_path, WorkspaceOptions())
    yield workspace
    workspace.close()


def test_preview_counts_what_the_edit_then_changes_and_shows_the_first(workspace):
    workspace.scan(Event(), lambda _: None)
    ids = workspace.ids()
    for operation in (Replace("cat", "lion"), Replace("^a", "the", is_regex=True), Clear()):
        preview = workspace.preview(ids, operation, 1)
        assert len(preview.first) == 1
        assert preview.first[0].name == "0.png"
        assert preview.changed + preview.unchanged == 4
        assert not preview.unread
        assert len(workspace.apply(ids, operation).changed) == preview.changed
        workspace.undo()
    again = workspace.preview(ids, Prefix("photo of"), 0)
    assert again.with_more(again).changed == 2 * again.changed
    with pytest.raises(PatternError):
        workspace.preview(ids[3:], Replace("(", "", is_regex=True), 1)


def test_captions_that_are_not_read_yet_are_counted_apart(workspace):
    workspace.scan(Event(), lambda _: None, until=ScanStage.FOLDERS)
    preview = workspace.preview(workspace.ids(), Prefix("photo of"), 9)
    assert (preview.changed, preview.unread) == (0, 4)
