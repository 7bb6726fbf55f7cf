"""Which files beside the images hold the captions of a folder."""

from __future__ import annotations

from functools import partial

from PySide6.QtCore import Signal, Slot
from PySide6.QtGui import QActionGroup
from PySide6.QtWidgets import QMenu, QToolButton

from core.captions.formats import CaptionFormat

_FORMATS = (CaptionFormat.TXT, CaptionFormat.CAPTION, CaptionFormat.XMP)


class FormatButton(QToolButton):
    """`chosen(CaptionFormat)`: captions are to be read from and written to other files."""

    chosen = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("format_button")
        self.setProperty("class", "choice")
        self._format = CaptionFormat.TXT
        self.clicked.connect(self._open_menu)
        self.show_format(CaptionFormat.TXT)

    def show_format(self, format: CaptionFormat) -> None:
        """Shows the format in use."""
        self._format = format
        self.setText(f".{format.value}")
        tip = self.tr("The captions of this folder are in {suffix} files beside the images")
        self.setToolTip(tip.format(suffix=f".{format.value}"))
        self.setAccessibleName(self.toolTip())

    @Slot()
    def _open_menu(self) -> None:
        menu = QMenu(self)
        menu.setObjectName("format_menu")
        menu.addSection(self.tr("Captions of this folder in"))
        group = QActionGroup(menu)
        texts = {
            CaptionFormat.TXT: self.tr("Text files (.txt)"),
            CaptionFormat.CAPTION: self.tr("Text files (.caption)"),
            CaptionFormat.XMP: self.tr("XMP files (.xmp)"),
        }
        for format in _FORMATS:
            action = menu.addAction(texts[format])
            action.setCheckable(True)
            action.setChecked(format is self._format)
            action.triggered.connect(partial(self._choose, format))
            group.addAction(action)
        menu.aboutToHide.connect(menu.deleteLater)
        menu.popup(self.mapToGlobal(self.rect().bottomLeft()))

    def _choose(self, format: CaptionFormat, checked: bool = False) -> None:
        if format is not self._format:
            self.chosen.emit(format)
