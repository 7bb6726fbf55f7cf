"""What was in view, in a file that two windows write."""

from pathlib import Path

from PIL import Image

from core.file_identity import FileIdentity
from core.picture import Picture
from gui.session.view_memory import FolderView, ViewMemory

A, B = Path("/images/a.png"), Path("/images/b.png")


def picture(path, content):
    return Picture(path, Image.new("RGB", (4, 3)), identity=FileIdentity(content))


OURS, THEIRS = picture(A, "1"), picture(B, "2")


def test_views_of_two_windows_are_both_kept(run, tmp_path):
    async def story():
        ours, theirs = ViewMemory(tmp_path), ViewMemory(tmp_path)
        ours.keep_zoom(OURS, (2.0, 1.0, 1.0))
        ours.keep_folder([A.parent], FolderView(current="a", selected=("1", "2")))
        theirs.keep_zoom(THEIRS, (3.0, 1.0, 1.0))
        theirs.keep_folder([B], FolderView(current="b"))
        theirs.keep_open([B])
        await ours.close()
        await theirs.close()
        again = ViewMemory(tmp_path)
        assert (again.zoom(OURS), again.zoom(THEIRS)) == ((2.0, 1.0, 1.0), (3.0, 1.0, 1.0))
        assert again.folder([A.parent]) == FolderView(current="a", selected=("1", "2"))
        assert again.folder([B]) == FolderView(current="b")
        assert again.open == (B,)
        again.keep_zoom(OURS, None)
        await again.close()
        last = ViewMemory(tmp_path)
        assert (last.zoom(OURS), last.zoom(THEIRS)) == (None, (3.0, 1.0, 1.0))
        await last.close()

    run(story())
