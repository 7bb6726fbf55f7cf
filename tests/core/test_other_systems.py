"""What is different on Windows and macOS, as far as Linux can show it."""

import os
import sqlite3
from contextlib import closing

import pytest

from core.errors import StoreError
from core.files import write_atomically
from core.store.opening import without_host
from core.syncing import sync_file
from core.terminal.written_command import quoted
from core.workspace.move import FileMove, perform


class WindowsError(PermissionError):
    """As Windows raises it."""

    winerror: int | None = None


class InUse:
    """`os.replace` of Windows while another program has one of the files open for a while."""

    def __init__(self, patch, times, winerror: int | None = 32):
        self.left, self._winerror, self._replace = times, winerror, os.replace
        patch.setattr(os, "replace", self)

    def __call__(self, source, target, **options):
        if self.left:
            self.left -= 1
            error = WindowsError(13, "It is being used by another process")
            error.winerror = self._winerror
            raise error
        self._replace(source, target, **options)


@pytest.mark.parametrize("winerror", [5, 32, 33])
def test_file_that_is_read_for_a_moment_is_replaced_and_moved(tmp_path, monkeypatch, winerror):
    path, moved = tmp_path / "a.txt", tmp_path / "inner" / "a.txt"
    path.write_bytes(b"old")
    in_use = InUse(monkeypatch, 3, winerror)
    write_atomically(path, b"new")
    assert path.read_bytes() == b"new"
    in_use.left = 3
    perform(FileMove(path, moved))
    assert moved.read_bytes() == b"new"
    assert not path.exists()


def test_file_that_stays_open_is_an_error_and_keeps_its_content(tmp_path, monkeypatch):
    path = tmp_path / "a.txt"
    path.write_bytes(b"old")
    InUse(monkeypatch, 1000)
    with pytest.raises(StoreError, match=r"cannot be written .*used by another"):
        write_atomically(path, b"new")
    assert {one.name: one.read_bytes() for one in tmp_path.iterdir()} == {"a.txt": b"old"}


def test_what_is_refused_otherwise_is_not_tried_again(tmp_path, monkeypatch):
    path = tmp_path / "a.txt"
    in_use = InUse(monkeypatch, 2, winerror=None)
    with pytest.raises(StoreError):
        write_atomically(path, b"new")
    assert in_use.left == 1


@pytest.mark.parametrize("mode", [0o600, 0o400])
def test_write_protected_file_is_synced_too(tmp_path, mode):
    path = tmp_path / "a.png"
    path.write_bytes(b"x")
    path.chmod(mode)
    sync_file(str(path))
    with pytest.raises(FileNotFoundError):
        sync_file(str(tmp_path / "none"))


def test_typographic_quotes_end_no_string_of_powershell():
    words = ["--prompt=What’s ‘this’ and ‚that‛, “so”?"]
    assert quoted(words, "win32") == "'--prompt=What’’s ‘‘this’’ and ‚‚that‛‛, “so”?'"


def test_sqlite_is_given_no_host():
    """It refuses `file://server/share/…`, which is a file on a network share."""
    address = without_host("file://server/share/Onlooker/transcripts.sqlite")
    assert address == "file:////server/share/Onlooker/transcripts.sqlite"
    drive = "file:///C:/Users/J%20%C3%B6/transcripts.sqlite"
    assert without_host(drive) == drive
    # It is understood as a path.
    with pytest.raises(sqlite3.OperationalError, match="unable to open"):
        sqlite3.connect(address, uri=True)


def test_sqlite_opens_any_name(tmp_path):
    path = tmp_path / "a b?#%ü.sqlite"
    with closing(sqlite3.connect(without_host(path.as_uri()), uri=True)) as connection:
        connection.execute("CREATE TABLE a (b)")
    assert [one.name for one in tmp_path.iterdir()] == [path.name]
