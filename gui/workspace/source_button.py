"""Where the captions of a folder are: in files beside the images, or in a table."""

from __future__ import annotations

from functools import partial

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtGui import QActionGroup
from PySide6.QtWidgets import QMenu, QToolButton

from core.captions.formats import CaptionFormat
from core.captions.sidecar import NAME, STEM, filled_name
from core.workspace import USUAL_TABLES, CaptionSource, PossibleSources
from gui.widgets.menu_text import add_heading, add_named
from gui.widgets.text_direction import elided

_FORMATS = (CaptionFormat.TXT, CaptionFormat.CAPTION, CaptionFormat.XMP)
# Of the tables that could be made, only those that trainers read are offered.
_NEW_TABLES = USUAL_TABLES[:2]
_EXAMPLE = "image.png"
_LONGEST = 160


class SourceButton(QToolButton):
    """`chosen(CaptionSource)`: captions are to be read from and written to other files."""

    chosen = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("source_button")
        self.setProperty("class", "choice")
        self._source = CaptionSource()
        self._possible = PossibleSources()
        self.clicked.connect(self._open_menu)
        self.show_source(CaptionSource(), PossibleSources())

    def show_source(self, source: CaptionSource, possible: PossibleSources) -> None:
        """Shows where captions are, and keeps where else they could be for the menu."""
        self._source, self._possible = source, possible
        if source.table:
            tip = self.tr("The captions of this folder are in the table “{name}”")
            self._show(source.table, tip.format(name=source.table))
            return
        suffix = f".{source.format.value}"
        ending = f"*{suffix}" if source.pattern == STEM else self._named(source)
        tip = self.tr("The captions of this folder are in {suffix} files beside the images")
        self._show(suffix if source.pattern == STEM else ending, tip.format(suffix=ending))

    def _show(self, text: str, tip: str) -> None:
        shown = elided(self.fontMetrics(), text, Qt.TextElideMode.ElideMiddle, _LONGEST)
        self.setText(shown)
        self.setToolTip(tip)
        self.setAccessibleName(tip)

    def _named(self, source: CaptionSource) -> str:
        """Returns what the caption file of an image of this folder is called."""
        example = self._possible.example or _EXAMPLE
        return f"{filled_name(source.pattern, example)}.{source.format.value}"

    @Slot()
    def _open_menu(self) -> None:
        menu = QMenu(self)
        menu.setObjectName("source_menu")
        self._add_formats(menu)
        self._add_patterns(menu)
        menu.aboutToHide.connect(menu.deleteLater)
        menu.popup(self.mapToGlobal(self.rect().bottomLeft()))

    def _add_formats(self, menu: QMenu) -> None:
        add_heading(menu, self.tr("Caption format"))
        texts = {
            CaptionFormat.TXT: self.tr("Text files (.txt)"),
            CaptionFormat.CAPTION: self.tr("Text files (.caption)"),
            CaptionFormat.XMP: self.tr("XMP files (.xmp)"),
        }
        pattern = self._source.pattern
        sources = {texts[one]: CaptionSource(one, pattern) for one in _FORMATS}
        tables = dict.fromkeys((*self._possible.tables, *_NEW_TABLES, self._source.table))
        for name in filter(None, tables):
            is_there = name in self._possible.tables or name == self._source.table
            text = self.tr("Table ({name})") if is_there else self.tr("New table ({name})")
            sources[text.format(name=name)] = CaptionSource.of_table(name)
        self._add(menu, sources)

    def _add_patterns(self, menu: QMenu) -> None:
        """Each way to name the files, shown by the name that one of them has."""
        if self._source.table:
            return
        add_heading(menu, self.tr("File names"))
        sources: dict[str, CaptionSource] = {}
        for pattern in dict.fromkeys((STEM, NAME, self._source.pattern)):
            source = CaptionSource(self._source.format, pattern)
            text = self.tr("Named like {name}")
            sources[text.format(name=self._named(source))] = source
        self._add(menu, sources)

    def _add(self, menu: QMenu, sources: dict[str, CaptionSource]) -> None:
        group = QActionGroup(menu)
        for text, source in sources.items():
            action = add_named(menu, text)
            action.setCheckable(True)
            action.setChecked(source == self._source)
            action.triggered.connect(partial(self._choose, source))
            group.addAction(action)

    def _choose(self, source: CaptionSource, checked: bool = False) -> None:
        if source != self._source:
            self.chosen.emit(source)
