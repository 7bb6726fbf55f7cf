"""The program's icon in the format of each system, and the version resource for Windows."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from bundle import RESOURCES, Project
from PIL import Image

SOURCE = RESOURCES / "icons" / "onlooker.svg"
SIDES = (16, 24, 32, 48, 64, 128, 256, 512)


def write_icon(folder: Path) -> str | None:
    """Write the icon of the executable; None on systems whose executables have none."""
    match sys.platform:
        case "win32":
            path, kind, sides = folder / "onlooker.ico", "ICO", SIDES[:-1]
        case "darwin":
            # The largest is 512 points on a high-density screen.
            path, kind, sides = folder / "onlooker.icns", "ICNS", (*SIDES, 1024)
        case _:
            return None
    pictures = [draw(side) for side in sides]
    folder.mkdir(parents=True, exist_ok=True)
    pictures[-1].save(
        path, kind, sizes=[(side, side) for side in sides], append_images=pictures[:-1]
    )
    return str(path)


def draw(side: int) -> Image.Image:
    """The icon in `side` × `side` pixels, RGBA."""
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    from PySide6.QtCore import Qt
    from PySide6.QtGui import QImage, QPainter
    from PySide6.QtSvg import QSvgRenderer

    image = QImage(side, side, QImage.Format.Format_RGBA8888)
    image.fill(Qt.GlobalColor.transparent)
    painter = QPainter(image)
    QSvgRenderer(str(SOURCE)).render(painter)
    painter.end()
    return Image.frombytes("RGBA", (side, side), bytes(image.constBits()))


def write_windows_version(folder: Path, project: Project, name: str) -> str:
    """Write the version resource that Windows shows in a file's properties."""
    numbers = ([int(part) for part in project.version.split(".") if part.isdigit()] + [0] * 4)[:4]
    strings = {
        "CompanyName": "Onlooker",
        "FileDescription": project.description,
        "FileVersion": project.version,
        "InternalName": name,
        "LegalCopyright": "Apache-2.0",
        "OriginalFilename": f"{name}.exe",
        "ProductName": "Onlooker",
        "ProductVersion": project.version,
    }
    table = ", ".join(f"StringStruct({key!r}, {value!r})" for key, value in strings.items())
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}-version.txt"
    path.write_text(
        "VSVersionInfo(\n"
        f"  ffi=FixedFileInfo(filevers={tuple(numbers)}, prodvers={tuple(numbers)}),\n"
        f"  kids=[StringFileInfo([StringTable('040904B0', [{table}])]),\n"
        "        VarFileInfo([VarStruct('Translation', [1033, 1200])])],\n"
        ")\n",
        encoding="utf-8",
    )
    return str(path)
