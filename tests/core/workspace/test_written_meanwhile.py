"""What another program makes of a caption file right after an edit, or during it, is noticed."""

import threading
from contextlib import closing
from threading import Event

import pytest
from PIL import Image

from core.captions.formats import CaptionFormat
from core.message import Message
from core.workspace.data import WorkspaceOptions
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
