"""What another program makes of a caption file right after an edit, or during it, is noticed."""

import threading
from contextlib import closing
from threading import Event

import pytest
from PIL import Image

from core.captions.formats import CaptionFormat
from core.captions.naming import CaptionNames
from core.captions.stamps import stamp_of
from core.message import Message
from core.workspace.data import WorkspaceOptions
from core.workspace.images import Images
from core.workspace.readers import SidecarReader
from core.workspace.workspace import Workspace

SOURCES = {
    "0.txt": WorkspaceOptions(),
    "0.xmp": WorkspaceOptions(format=CaptionFormat.XMP),
    "metadata.jsonl": WorkspaceOptions(format=CaptionFormat.JSONL, table="metadata.jsonl"),
}
ROUNDS = 2


class Other(threading.Thread):
    """Another program: once a file has a text in it, it is replaced, or removed, at once."""

    def __init__(self, path, awaited, replacement):
        super().__init__()
        self._path, self._awaited, self._replacement = path, awaited, replacement
        self._ended = Event()

    def run(self):
        while not self._ended.is_set():
            try:
                content = self._path.read_bytes()
            except OSError:
                continue
            if self._awaited not in content:
                continue
            if self._replacement is None:
                self._path.unlink()
            else:
                new = self._path.with_name("other")
                new.write_bytes(content.replace(self._awaited, self._replacement))
                new.replace(self._path)
            return

    def stop(self):
        self._ended.set()
        self.join()


@pytest.mark.parametrize("replacement", [b"a tapir by another program", None])
@pytest.mark.parametrize("name", SOURCES)
def test_file_that_another_program_writes_at_once_is_read_again(tmp_path, name, replacement):
    folder = tmp_path / "images"
    folder.mkdir()
    image = folder / "0.png"
    Image.new("RGB", (4, 4)).save(image)
    with closing(Workspace.open([folder], tmp_path / "data", SOURCES[name])) as workspace:
        workspace.scan(Event(), lambda progress: None)
        (id,) = workspace.ids()
        for turn in range(ROUNDS):
            ours = f"ours {turn}"
            other = Other(folder / name, ours.encode(), replacement)
            other.start()
            workspace.set_captions({id: ours}, Message("Edit"))
            other.join(10)
            other.stop()
            workspace.read_again([image])
            (row,) = workspace.rows([id])
            assert row.caption == (replacement or b"").decode(), turn


def test_caption_that_was_read_before_an_edit_is_not_noted_after_it(tmp_path):
    """As by a scan that goes on beside an edit of many captions."""
    (tmp_path / "0.png").touch()
    (tmp_path / "0.txt").write_text("before")
    reader = SidecarReader(CaptionNames("{stem}", (CaptionFormat.TXT,), [tmp_path], []))
    images = Images()
    id = images.add(images.folder_id(str(tmp_path)), "0.png")
    read = reader.read(images, id)
    (path := tmp_path / "0.txt").write_text("after it")
    images.targets[id] = str(path)
    images.set_caption(id, "after it", stamp_of(str(path)))
    assert read is not None
    assert read.caption == "before"
    read.note(images, id)
    assert images.captions[id] == "after it"
    assert reader.read(images, id) is None
    path.write_text("by another program")
    changed = reader.read(images, id)
    assert changed is not None
    changed.note(images, id)
    assert images.captions[id] == "by another program"
