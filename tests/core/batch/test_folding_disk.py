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
    shim, tmp_path, existing, pictures, kind, name, there, new
):
    folder = tmp_path / "pictures"
    folder.mkdir()
    for picture in pictures:
        Image.new("RGB", (8, 6)).save(folder / picture, "PNG")
    for path, content in there.items():
        (folder / path).write_bytes(content)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    places = [str(folder), str(tmp_path / "journals")]
    run = subprocess.run(
        [sys.executable, "-m", "tests.support.naming_run", *places, kind, existing, name],
        env=os.environ | {"LD_PRELOAD": str(shim), "FOLDING_DISK": str(folder)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    found = json.loads(run.stdout)
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
