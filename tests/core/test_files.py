import os
import socket
import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from core.errors import StoreError
from core.files import (
    UnreadableFile,
    open_regular,
    partial_path,
    read_bytes,
    read_regular,
    replace_file,
    write_atomically,
)

pytestmark = pytest.mark.skipif(os.name == "nt", reason="makes pipes, sockets and links")


def pipe(path: Path) -> None:
    os.mkfifo(path)


def link_to_device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def link_to_pipe(path: Path) -> None:
    os.mkfifo(path.with_name("pipe"))
    path.symlink_to("pipe")


def listening(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))


def sparse(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(1 << 40)


ODD = {
    "a pipe": pipe,
    "a device": link_to_device,
    "a folder": Path.mkdir,
    "a socket": listening,
    "larger than 1 MB": sparse,
}


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # The address of a socket is limited to 108 bytes.
    return Path("fruit.txt")


def in_time(work):
    """What `work` raises; fails when it waits."""
    raised = []

    def run():
        try:
            work()
        except Exception as error:
            raised.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(60)
    assert not thread.is_alive(), "it waits"
    return raised[0] if raised else None


@pytest.mark.parametrize("said", ODD)
def test_what_is_no_file_of_bounded_size_is_refused_at_once_by_its_kind(said, place):
    ODD[said](place)
    error = in_time(lambda: read_bytes(place, most=1_000_000))
    assert isinstance(error, StoreError)
    assert said in str(error)
    assert "“fruit.txt”" in str(error)
    assert isinstance(in_time(lambda: open_regular(place, most=1_000_000)), UnreadableFile)


def test_a_pipe_behind_a_link_is_refused_too(place):
    link_to_pipe(place)
    assert isinstance(in_time(lambda: read_regular(place)), UnreadableFile)


def test_a_file_that_says_no_size_is_bounded_while_it_is_read():
    endless = Path("/proc/self/environ")  # Its size is 0, as of all files in /proc.
    if not endless.exists():
        pytest.skip("there is no /proc")
    assert len(read_regular(endless)) > 1
    with pytest.raises(UnreadableFile):
        read_regular(endless, most=1)


def test_regular_files_and_links_to_them_are_read_and_missing_ones_are_none(place):
    place.write_bytes(b"a caption")
    Path("link").symlink_to(place)
    assert read_bytes(place, most=9) == read_bytes(Path("link"), most=9) == b"a caption"
    assert read_bytes(Path("missing")) is None
    with pytest.raises(StoreError, match="larger than"):
        read_bytes(place, most=8)


@pytest.mark.parametrize("make", [pipe, link_to_device, Path.mkdir, listening])
def test_writing_never_takes_the_place_of_what_is_no_file(make, place):
    make(place)
    before = place.lstat()
    assert isinstance(in_time(lambda: write_atomically(place, b"new")), StoreError)
    assert place.lstat().st_ino == before.st_ino
    assert not list(Path().glob(".onlooker-*"))


def test_a_new_file_is_never_more_readable_than_asked(place):
    old = os.umask(0)
    try:
        replace_file(place, b"new", mode=0o600)
    finally:
        os.umask(old)
    assert stat.S_IMODE(place.stat().st_mode) == 0o600


@pytest.mark.parametrize("mode", [0o600, 0o644, 0o755, 0o666])
def test_permissions_of_a_file_stay_when_it_is_written_again(mode, place):
    place.write_bytes(b"old")
    place.chmod(mode)
    write_atomically(place, b"new")
    assert place.read_bytes() == b"new"
    assert stat.S_IMODE(place.stat().st_mode) == mode


def test_content_of_several_writers_is_never_mixed(place):
    """Each writes the same new file, as two programs that save the settings do."""
    contents = [bytes([number]) * 300_000 for number in range(4)]
    together = threading.Barrier(len(contents))

    def write(content):
        together.wait()
        for _ in range(40):
            replace_file(place, content, is_durable=False)
            found = place.read_bytes()
            assert found in contents, "half of one and half of another"

    with ThreadPoolExecutor(len(contents)) as writers:
        for written in [writers.submit(write, content) for content in contents]:
            written.result()
    assert [entry.name for entry in Path().iterdir()] == [place.name]


def test_what_a_killed_writer_left_is_written_over(place):
    left = partial_path(place)
    left.write_bytes(b"half")
    left.chmod(0o400)
    replace_file(place, b"whole")
    assert place.read_bytes() == b"whole"
    elsewhere = place.with_name("elsewhere")
    elsewhere.write_bytes(b"mine")
    left.symlink_to(elsewhere.name)
    replace_file(place, b"again")
    assert (place.read_bytes(), elsewhere.read_bytes()) == (b"again", b"mine")
    assert not left.is_symlink()


@pytest.mark.parametrize(
    ("place", "action"),
    [
        ("gone/a.txt", "Check that its folder is still there"),
        ("file/a.txt", "Something else has its name, or that of its folder"),
        ("x" * 300, "Shorten the name"),
    ],
)
def test_file_that_cannot_be_written_names_what_helps(tmp_path, place, action):
    (tmp_path / "file").write_text("a file")
    with pytest.raises(StoreError, match=action):
        write_atomically(tmp_path / place, b"new")
