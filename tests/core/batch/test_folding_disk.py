"""Caption files on a disk that takes a.txt and A.TXT for one file, as on Windows and macOS."""

import json
import os
import subprocess
import sys

import pytest
from PIL import Image

from core.captions import xmp
from tests.support.preloaded import compiled
from tests.support.tiers import slowly

MINE = xmp.described(None, description="mine", alt_text="")
RAW = xmp.described(None, description="raw", alt_text="", extension="CR2")


@pytest.fixture(scope="module")
def shim(tmp_path_factory):
    """The library that folds names, compiled."""
    if not sys.platform.startswith("linux"):
        pytest.skip("preloads a library, as on Linux")
    return compiled("folding_disk.c", tmp_path_factory.mktemp("folding"))


@pytest.fixture(scope="module")
def captioned(shim, tmp_path_factory):
    """Captions one folder after the other, all in one process on such a disk."""
    disk = tmp_path_factory.mktemp("disk")
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.support.naming_run", str(disk / "journals")],
        env=os.environ | {"LD_PRELOAD": str(shim), "FOLDING_DISK": str(disk / "pictures")},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )

    def captioned(folder, *how):
        assert process.stdin
        assert process.stdout
        process.stdin.write(json.dumps([str(folder), *how]) + "\n")
        process.stdin.flush()
        return json.loads(process.stdout.readline())

    captioned.disk = disk / "pictures"
    yield captioned
    process.communicate(timeout=60)


@pytest.mark.parametrize("existing", [slowly("skip"), "append"])
@pytest.mark.parametrize(
    ("pictures", "kind", "name", "there", "new"),
    [
        (("B.JPG",), "txt", "{stem}", {"b.txt": b"mine"}, ()),
        (("a.jpg",), "txt", "{stem}", {"a.TXT": b"mine"}, ()),
        slowly(("1.jpg",), "txt", "{stem}", {"1.TXT": b"mine"}, ()),
        (("ä.jpg",), "txt", "{stem}", {"ä.TXT": b"mine"}, ()),
        (("B.JPG",), "xmp", "{stem}", {"b.jpg.XMP": MINE}, ()),
        (("a.jpg",), "xmp", "{stem}", {"A.XMP": MINE}, ()),
        (("a.jpg",), "xmp", "{stem}", {"A.xmp": RAW}, ("a.jpg.xmp",)),
        (("a.jpg", "A.png"), "txt", "{stem}", {}, ("a.txt",)),
        (("a.jpg", "A.png"), "xmp", "{stem}", {}, ("A.png.xmp", "a.jpg.xmp")),
        (("a.jpg", "A.png"), "txt", "{name}", {}, ("A.png.txt", "a.jpg.txt")),
        (("a.jpg", "A.JPG.png"), "xmp", "{stem}", {}, ("A.JPG.png.xmp", "a.xmp")),
    ],
)
def test_captions_are_found_and_no_file_gets_two(
    captioned, tmp_path, existing, pictures, kind, name, there, new
):
    folder = captioned.disk / tmp_path.name
    folder.mkdir(parents=True)
    for picture in pictures:
        Image.new("RGB", (8, 6)).save(folder / picture, "PNG")
    for path, content in there.items():
        (folder / path).write_bytes(content)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    found = captioned(folder, kind, existing, name)
    assert "error" not in found, found["error"]
    states, captions = found["states"], found["captions"]
    is_added = existing == "append" and not new
    assert sum(state == "done" for state in states.values()) == len(new) + is_added
    assert sorted(captions) == sorted({*there, *new})
    for path in new:
        assert captions[path] in {f"{picture}: x" for picture in pictures}
    assert len({captions[path] for path in new}) == len(new)
    if not new:
        (said,) = captions.values()
        assert said == ("mine" if existing == "skip" else f"mine\n{pictures[0]}: x")
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
