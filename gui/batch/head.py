"""The first line of a folder run: what it is about, its images, its folder, and the way back."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QCoreApplication, Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QWidget

from core.picture import PICTURE_SUFFIXES, printable
from gui.widgets.buttons import icon_button
from gui.widgets.counted import counted
from gui.widgets.elided_label import ElidedLabel
from gui.widgets.theme import Theme


class RunHead(QWidget):
    """Names the run's images and folders.

    `rows_toggled(bool)`: whether a row for each image is to be shown. `folder_asked()`: the folder
    is to be shown in the file manager. `closed()`: the run is to be folded away.
    """

    rows_toggled = Signal(bool)
    folder_asked = Signal()
    closed = Signal()

    def __init__(self, theme: Theme, parent: QWidget | None = None):
        super().__init__(parent)
        self._title, self._turn = "", (1, 1)
        self.title_label = ElidedLabel(mode=Qt.TextElideMode.ElideMiddle)
        self.title_label.setProperty("class", "section")
        self.rows_button = QPushButton(self.tr("Details"))
        self.rows_button.setObjectName("rows_button")
        self.rows_button.setProperty("class", "small")
        self.rows_button.setToolTip(self.tr("Show each image of the run with its state"))
        self.rows_button.setCheckable(True)
        self.rows_button.setAutoDefault(False)
        self.folder_button = QPushButton(self.tr("Show folder"))
        self.folder_button.setProperty("class", "small")
        self.folder_button.setToolTip(self.tr("Open the folder in the file manager"))
        self.folder_button.setAutoDefault(False)
        self.close_button = icon_button(theme, "close", self.tr("Hide the folder run"))
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.title_label, 1)
        row.addWidget(self.rows_button)
        row.addWidget(self.folder_button)
        row.addWidget(self.close_button)
        self.rows_button.toggled.connect(self.rows_toggled)
        self.folder_button.clicked.connect(self.folder_asked)
        self.close_button.clicked.connect(self.closed)

    def show_run(self, count: int, roots: Sequence[Path], *, has_begun: bool) -> None:
        """Says how many images are in which folders and files, and, before the run, what for."""
        where = f"“{name}”" if (name := name_of(roots)) else places_text(roots)
        if has_begun:
            one, many = self.tr("1 image in {where}"), self.tr("{count} images in {where}")
        else:
            one = self.tr("Caption 1 image in {where}")
            many = self.tr("Caption {count} images in {where}")
        text = counted(count, one, many).replace("{where}", where)
        if len(roots) == 1 and _is_image(roots[0]):
            text = where if has_begun else self.tr("Caption {name}").format(name=where)
        self._title = text if roots else self.tr("Caption folder")
        self._show_title()
        self.folder_button.setEnabled(bool(roots))

    def show_turn(self, turn: int, turns: int) -> None:
        """Says which of several runs in turn it is."""
        self._turn = turn, turns
        self._show_title()

    def _show_title(self) -> None:
        turn, turns = self._turn
        text = self.tr("Run {turn} of {turns}: {title}")
        text = text.format(turn=turn, turns=turns, title=self._title)
        self.title_label.setText(text if turns > 1 else self._title)


def name_of(roots: Sequence[Path]) -> str:
    """Returns the name of the one image or folder, or of the folder that all images are in; ""
    if there are several. Bytes that are not UTF-8 are replaced, since Qt cannot show them."""
    if len(roots) == 1:
        return printable(roots[0].name or str(roots[0]))
    folders = {root.parent for root in roots}
    are_images = all(map(_is_image, roots))
    return printable(next(iter(folders)).name) if are_images and len(folders) == 1 else ""


def places_text(roots: Sequence[Path]) -> str:
    """Returns in how many folders they are."""
    folders = {root.parent if _is_image(root) else root for root in roots}
    one = QCoreApplication.translate("RunHead", "1 folder")
    return counted(len(folders), one, QCoreApplication.translate("RunHead", "{count} folders"))


def has_folder(roots: Sequence[Path]) -> bool:
    """Returns whether any of them is a folder."""
    return not all(map(_is_image, roots))


def _is_image(root: Path) -> bool:
    return root.suffix.lower() in PICTURE_SUFFIXES
