"""The pictures of folders, in the order in which a person counts."""

import pytest

from core.picture import PICTURE_SUFFIXES, find_pictures
from tests.core.picture.image_files import data_of, two_colours


@pytest.fixture
def folder(tmp_path):
    data = data_of(two_colours(), "PNG")
    for name in ("img10.png", "img2.jpg", "Img1.dat", ".hidden.png", "b/img3.png", "b/c/img4.png"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    (tmp_path / "notes.txt").write_text("not a picture")
    (tmp_path / "empty.png").touch()
    return tmp_path


def test_folder_gives_its_pictures_in_the_order_a_person_counts(folder):
    names = [path.name for path in find_pictures([folder])]
    assert names == ["Img1.dat", "img2.jpg", "img10.png"]


def test_folders_within_come_after_the_files_when_asked(folder):
    names = [
        path.relative_to(folder).as_posix() for path in find_pictures([folder], recursive=True)
    ]
    assert names == ["Img1.dat", "img2.jpg", "img10.png", "b/img3.png", "b/c/img4.png"]


def test_files_are_taken_as_given_and_none_twice(folder):
    given = [
        folder / "notes.txt",
        folder / "img10.png",
        folder,
        folder / "img10.png",
        folder / "gone",
    ]
    names = [path.name for path in find_pictures(given)]
    assert names == ["notes.txt", "img10.png", "Img1.dat", "img2.jpg", "gone"]


def test_folder_that_links_to_itself_ends(folder):
    (folder / "b" / "again").symlink_to(folder, target_is_directory=True)
    assert len(find_pictures([folder], recursive=True)) == 5


def test_suffixes_for_dialogs_cover_every_format():
    assert {
        ".jpg",
        ".png",
        ".webp",
        ".gif",
        ".bmp",
        ".tif",
        ".avif",
        ".heic",
        ".ico",
        ".ppm",
    } <= set(PICTURE_SUFFIXES)
    assert all(suffix == suffix.lower() and suffix.startswith(".") for suffix in PICTURE_SUFFIXES)
