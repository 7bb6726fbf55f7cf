"""Icons, menu entries and kinds of files on each system."""

import gzip
import io
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from xml.etree import ElementTree

import pytest
from PIL import IcnsImagePlugin, IcoImagePlugin

from core.picture import PICTURE_SUFFIXES
from tests.support.packages import PACKAGING, ROOT


def test_icon_is_drawn_in_every_size(packaging, qapp):
    import icon

    for side in icon.SIDES:
        drawn = icon.draw(side)
        assert drawn.size == (side, side)
        opacity = drawn.getchannel("A")
        assert opacity.getpixel((0, 0)) == 0
        assert opacity.getpixel((side // 2, side // 2)) == 255


@pytest.mark.parametrize(
    ("system", "sides"),
    [
        ("win32", {16, 24, 32, 48, 64, 128, 256}),
        ("darwin", {32, 64, 128, 256, 512, 1024}),
    ],
)
def test_icon_of_an_executable_is_drawn_for_every_size_it_has(
    packaging, qapp, tmp_path, monkeypatch, system, sides
):
    import icon

    icon.draw(16)  # What it draws with is imported by the name of the real system.
    monkeypatch.setattr(sys, "platform", system)
    path = icon.write_icon(tmp_path)
    monkeypatch.undo()
    assert path is not None
    content = io.BytesIO(Path(path).read_bytes())
    if system == "win32":
        ico = IcoImagePlugin.IcoFile(content)
        pictures = [ico.getimage(size).convert("RGBA") for size in ico.sizes()]
    else:
        icns = IcnsImagePlugin.IcnsFile(content)
        pictures = [icns.getimage(size).convert("RGBA") for size in icns.itersizes()]
    assert {picture.width for picture in pictures} == sides
    for picture in pictures:
        drawn = icon.draw(picture.width)
        assert picture.tobytes() == drawn.tobytes(), f"{picture.width} was not drawn for itself"


def test_windows_gets_the_version_of_the_project(packaging, tmp_path):
    import bundle
    import icon

    text = Path(icon.write_windows_version(tmp_path, bundle.project(), "onlooker")).read_text()
    assert f"'{bundle.project().version}'" in text
    assert "onlooker.exe" in text


@pytest.mark.skipif(not shutil.which("dpkg-deb"), reason="needs dpkg-deb")
def test_owners_of_libraries_are_distinguished_from_those_who_divert_them(packaging):
    import inventory

    # As Ubuntu 24.04 answers.
    answer = """\
diversion by libreadline8t64 from: /lib/x86_64-linux-gnu/libreadline.so.8
diversion by libreadline8t64 to: /lib/x86_64-linux-gnu/libreadline.so.8.usr-is-merged
local diversion from: /usr/lib/libz.so.1
libreadline8t64:amd64: /usr/lib/x86_64-linux-gnu/libreadline.so.8
libc6:amd64, libc6:i386: /usr/lib/os-release
tzdata: /usr/share/zoneinfo
"""
    assert inventory.owning_packages(answer) == ["libc6", "libreadline8t64", "tzdata"]


def test_debian_package_puts_program_menu_entry_and_icons_in_their_places(
    packaging, qapp, tmp_path
):
    import debian

    program = tmp_path / "onlooker"
    program.mkdir()
    (program / "onlooker").write_text("#!/bin/sh\n")
    (program / "onlooker").chmod(0o755)
    package = debian.make_package(program, tmp_path)
    command = ["dpkg-deb", "--fsys-tarfile", str(package)]
    tree = subprocess.run(command, capture_output=True, check=True).stdout
    with tarfile.open(fileobj=io.BytesIO(tree)) as archive:
        inside = {member.name: member for member in archive.getmembers()}
    assert inside["./usr/bin/onlooker"].linkname == "/opt/onlooker/onlooker"
    assert inside["./opt/onlooker/onlooker"].mode == 0o755
    assert "./usr/share/applications/onlooker.desktop" in inside
    assert "./usr/share/icons/hicolor/256x256/apps/onlooker.png" in inside
    assert inside["./usr/share/man/man1/onlooker.1.gz"].mode == 0o644
    with tarfile.open(fileobj=io.BytesIO(tree)) as archive:
        changes = archive.extractfile("./usr/share/doc/onlooker/changelog.gz")
        assert changes
        assert gzip.decompress(changes.read()) == (ROOT / "CHANGELOG.md").read_bytes()
    assert {member.uname for member in inside.values()} == {"root"}
    fields = subprocess.run(["dpkg-deb", "--field", str(package)], capture_output=True, text=True)
    assert f"Version: {debian.project().version}" in fields.stdout
    assert "libc6 (>= 2." in fields.stdout


def test_menu_entry_opens_pictures_with_the_program():
    lines = (PACKAGING / "linux" / "onlooker.desktop").read_text(encoding="utf-8").splitlines()
    entry = dict(line.split("=", 1) for line in lines[1:] if line)
    assert lines[0] == "[Desktop Entry]"
    assert entry["Type"] == "Application"
    assert entry["Exec"] == "onlooker %F"
    assert entry["Icon"] == "onlooker"
    assert entry["Terminal"] == "false"
    kinds = entry["MimeType"].rstrip(";").split(";")
    assert {"image/jpeg", "image/png", "image/webp", "image/avif", "inode/directory"} <= set(kinds)
    assert all(kind.count("/") == 1 for kind in kinds)


# The names of shared-mime-info; it has none for PFM. The packages have no reader of JPEG XL.
MIME_TYPES = {
    "jpeg": (".jpg", ".jpeg", ".jpe", ".jfif"),
    "png": (".png",),
    "apng": (".apng",),
    "webp": (".webp",),
    "gif": (".gif",),
    "bmp": (".bmp", ".dib"),
    "tiff": (".tif", ".tiff"),
    "avif": (".avif",),
    "heic": (".heic",),
    "heif": (".heif", ".hif"),
    "vnd.microsoft.icon": (".ico",),
    "x-portable-pixmap": (".ppm",),
    "x-portable-graymap": (".pgm",),
    "x-portable-bitmap": (".pbm",),
    "x-portable-anymap": (".pnm",),
    "jp2": (".jp2",),
    "jpx": (".jpf", ".jpx"),
    "x-jp2-codestream": (".j2k", ".j2c"),
    "x-tga": (".tga",),
    "vnd.adobe.photoshop": (".psd",),
    "x-canon-cr2": (".cr2",),
    "x-canon-cr3": (".cr3",),
    "x-nikon-nef": (".nef",),
    "x-nikon-nrw": (".nrw",),
    "x-sony-arw": (".arw",),
    "x-adobe-dng": (".dng",),
    "x-pentax-pef": (".pef",),
    "x-olympus-orf": (".orf",),
    "x-panasonic-rw2": (".rw2",),
    "x-fuji-raf": (".raf",),
    "x-samsung-srw": (".srw",),
}


def test_each_kind_of_image_that_is_read_opens_with_the_program_on_each_system():
    named = {suffix for suffixes in MIME_TYPES.values() for suffix in suffixes}
    assert named == set(PICTURE_SUFFIXES) - {".pfm", ".jxl"}
    entry = (PACKAGING / "linux" / "onlooker.desktop").read_text(encoding="utf-8")
    [line] = re.findall("^MimeType=(.*);$", entry, re.MULTILINE)
    assert set(line.split(";")) == {*(f"image/{name}" for name in MIME_TYPES), "inode/directory"}
    installer = (PACKAGING / "windows" / "onlooker.iss").read_text(encoding="utf-8")
    offered = re.findall(r'SupportedTypes".* ValueName: "(.*?)"', installer)
    assert set(offered) == set(PICTURE_SUFFIXES) - {".jxl"}
    # On macOS all of them conform to this type.
    assert '"public.image"' in (PACKAGING / "onlooker.spec").read_text(encoding="utf-8")


@pytest.mark.skipif(not shutil.which("desktop-file-validate"), reason="needs desktop-file-utils")
def test_menu_entry_is_valid():
    command = ["desktop-file-validate", PACKAGING / "linux" / "onlooker.desktop"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_software_centre_knows_the_menu_entry():
    path = PACKAGING / "linux" / "app.onlooker.Onlooker.metainfo.xml"
    component = ElementTree.parse(path).getroot()
    assert component.findtext("launchable") == "onlooker.desktop"
    assert component.findtext("project_license") == "Apache-2.0"
