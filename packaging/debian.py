"""Makes a Debian package of the built program: menu entry, icons, the file types it opens."""

from __future__ import annotations

import gzip
import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import icon
from bundle import RESOURCES, ROOT, project

LINUX = ROOT / "packaging" / "linux"
MAINTAINER = "The Onlooker project <onlooker@localhost>"

# System packages that the program needs: libraries that must match the user's display and C
# library, which PyInstaller does not collect, or which are loaded by name.
DEPENDS = ("libegl1", "libgl1", "libxcb1", "fontconfig", "xkb-data")
RECOMMENDS = ("libwayland-client0", "libwayland-cursor0", "libwayland-egl1", "xdg-desktop-portal")
COMMON_LICENCES = """
Debian has the Apache licence 2.0, the LGPL 3 and the GPL 3 in /usr/share/common-licenses, as
/usr/share/common-licenses/Apache-2.0, /usr/share/common-licenses/LGPL-3 and
/usr/share/common-licenses/GPL-3.
"""


def make_package(program: Path, folder: Path) -> Path:
    """Write onlooker_VERSION_ARCHITECTURE.deb to `folder` from the built `program`'s folder."""
    architecture = subprocess.check_output(["dpkg", "--print-architecture"], text=True).strip()
    package = folder / f"onlooker_{project().version}_{architecture}.deb"
    with tempfile.TemporaryDirectory(dir=folder, prefix="deb-") as name:
        root = Path(name)
        root.chmod(0o755)
        lay_out(root, program)
        write_control(root, architecture)
        package.unlink(missing_ok=True)
        subprocess.run(
            ["dpkg-deb", "--root-owner-group", "-Zzstd", "-z9", "--build", root, package],
            check=True,
            stdout=subprocess.DEVNULL,
        )
    return package


def lay_out(root: Path, program: Path) -> None:
    """Write to `root` the tree as it will be installed below /."""
    target = root / "opt" / "onlooker"
    shutil.copytree(program, target, symlinks=True, copy_function=_link)
    binary = root / "usr" / "bin" / "onlooker"
    binary.parent.mkdir(parents=True)
    binary.symlink_to("/opt/onlooker/onlooker")
    share = root / "usr" / "share"
    _install(LINUX / "onlooker.desktop", share / "applications" / "onlooker.desktop")
    metainfo = "app.onlooker.Onlooker.metainfo.xml"
    _install(LINUX / metainfo, share / "metainfo" / metainfo)
    icons = share / "icons" / "hicolor"
    _install(icon.SOURCE, icons / "scalable" / "apps" / "onlooker.svg")
    for side in icon.SIDES:
        path = icons / f"{side}x{side}" / "apps" / "onlooker.png"
        path.parent.mkdir(parents=True)
        icon.draw(side).save(path)
    doc = share / "doc" / "onlooker"
    _install(RESOURCES / "licences" / "README.txt", doc / "copyright")
    with (doc / "copyright").open("a", encoding="utf-8") as text:
        text.write(COMMON_LICENCES)
    _install_compressed(ROOT / "CHANGELOG.md", doc / "changelog.gz")
    _install_compressed(LINUX / "onlooker.1", share / "man" / "man1" / "onlooker.1.gz")


def write_control(root: Path, architecture: str) -> None:
    """Write the package's control file and checksums for the files that are in `root`."""
    files = [path for path in root.rglob("*") if path.is_file() and not path.is_symlink()]
    size = sum(path.stat().st_size for path in files)
    about = project()
    control = root / "DEBIAN"
    control.mkdir()
    (control / "control").write_text(
        f"Package: {about.name}\n"
        f"Version: {about.version}\n"
        f"Architecture: {architecture}\n"
        f"Maintainer: {MAINTAINER}\n"
        f"Installed-Size: {size // 1024}\n"
        f"Depends: {', '.join((_c_library(), *DEPENDS))}\n"
        f"Recommends: {', '.join(RECOMMENDS)}\n"
        "Section: graphics\n"
        "Priority: optional\n"
        "Description: describes images and answers questions about them\n"
        " Drop an image on the window, press Enter, and read the answer as it is written.\n"
        " Images and texts stay on your computer, unless you use a model on a server. A small\n"
        " model for drawings is built in; for photos, download LLaVA-1.5-7b or another model.\n",
        encoding="utf-8",
    )
    sums = [
        f"{hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()}"
        f"  {path.relative_to(root).as_posix()}\n"
        for path in sorted(files)
    ]
    (control / "md5sums").write_text("".join(sums), encoding="utf-8")


def _c_library() -> str:
    """At least that of the building system, since the package contains libraries of it."""
    _, _, version = (os.confstr("CS_GNU_LIBC_VERSION") or "glibc 2.28").partition(" ")
    return f"libc6 (>= {version})"


def _install(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
    target.chmod(0o644)


def _install_compressed(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(gzip.compress(source.read_bytes(), mtime=0))


def _link(source: str, target: str) -> str:
    """Make a hard link, so that half a gigabyte is not copied."""
    Path(target).hardlink_to(source)
    return target
