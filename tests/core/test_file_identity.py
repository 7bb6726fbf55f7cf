"""How a file is recognised again, and whether it is gone or only out of reach."""

import os

import pytest

from core.file_identity import has_content, identity_of, is_gone, is_respelled, volume_of
from tests.support.disks import Disk


@pytest.fixture
def disk(tmp_path, monkeypatch):
    return Disk(tmp_path / "disk", monkeypatch)


@pytest.fixture
def file(disk):
    (disk.folder / "inner").mkdir()
    path = disk.folder / "inner" / "a b.png"
    path.write_bytes(b"content")
    return path


@pytest.mark.parametrize("leaves_mount_point", [True, False])
def test_file_is_not_gone_while_its_disk_is_not_connected(disk, file, leaves_mount_point):
    volume = volume_of(str(file))
    assert not is_gone(str(file), volume)
    disk.disconnect(leaves_mount_point=leaves_mount_point)
    assert not is_gone(str(file), volume)
    disk.connect()
    assert not is_gone(str(file), volume)
    file.unlink()
    assert is_gone(str(file), volume)


def test_file_is_gone_with_its_folder_while_its_disk_is_connected(file):
    volume = volume_of(str(file))
    file.parent.rename(file.parent.with_name("renamed"))
    assert is_gone(str(file), volume)


@pytest.mark.skipif(os.name == "nt", reason="links need a right of their own there")
def test_disk_is_that_of_the_folder_a_link_leads_to(disk, file, tmp_path):
    (tmp_path / "pictures").symlink_to(file.parent)
    path = str(tmp_path / "pictures" / file.name)
    volume = volume_of(path)
    disk.disconnect(leaves_mount_point=True)
    assert not is_gone(path, volume)


def test_share_of_gnome_is_a_volume_of_its_own(tmp_path):
    share = tmp_path / "gvfs" / "smb-share:server=nas,share=photos"
    (share / "inner").mkdir(parents=True)
    (share.parent / "smb-share:server=nas,share=music").mkdir()
    path = share / "inner" / "a.png"
    path.write_bytes(b"content")
    volume = volume_of(str(path))
    share.rename(tmp_path / "away")
    assert not is_gone(str(path), volume)
    (tmp_path / "away").rename(share)
    path.unlink()
    assert is_gone(str(path), volume)


def test_of_an_unknown_volume_a_folder_that_is_away_or_empty_decides_nothing(file):
    other = file.with_name("b.png")
    other.write_bytes(b"other")
    file.unlink()
    assert is_gone(str(file), b"")
    other.unlink()
    assert not is_gone(str(file), b"")
    file.parent.rmdir()
    assert not is_gone(str(file), b"")


def test_folder_that_is_a_file_now_has_no_images(file):
    volume = volume_of(str(file))
    file.unlink()
    file.parent.rmdir()
    file.parent.write_bytes(b"")
    assert is_gone(str(file), volume)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may do all")
def test_file_in_a_folder_that_may_not_be_entered_is_not_known_to_be_gone(file):
    volume = volume_of(str(file))
    file.unlink()
    file.parent.chmod(0)
    try:
        assert not is_gone(str(file), volume)
    finally:
        file.parent.chmod(0o700)


def test_files_are_recognised_by_their_content(file, tmp_path):
    copy, other = tmp_path / "copy.png", tmp_path / "other.png"
    copy.write_bytes(b"content")
    other.write_bytes(b"Content")
    found, of_copy, of_other = map(identity_of, (file, copy, other))
    assert found is not None
    assert of_copy is not None
    assert of_other is not None
    assert of_copy.fingerprint == found.fingerprint != of_other.fingerprint
    assert found.volume == volume_of(str(file)) != b""
    assert identity_of(tmp_path / "none.png") is None
    assert volume_of(str(tmp_path / "none.png")) == b""
    assert has_content(str(copy), found.fingerprint)
    assert not has_content(str(other), found.fingerprint)
    assert not has_content(str(tmp_path / "none.png"), found.fingerprint)


def test_name_that_is_only_spelled_otherwise_is_that_of_the_same_file(tmp_path):
    old, other = tmp_path / "Größe.PNG", tmp_path / "other.png"
    old.write_bytes(b"content")
    new = tmp_path / "gro\u0308ße.png"
    if not new.exists():  # As on a disk to which both are one name.
        new.hardlink_to(old)
    other.hardlink_to(old)
    assert is_respelled(str(old), str(new))
    assert not is_respelled(str(old), str(other))
    assert not is_respelled(str(tmp_path / "NONE.png"), str(tmp_path / "none.png"))
