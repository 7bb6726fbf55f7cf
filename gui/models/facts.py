"""What is known about a model: its size, its licence, where it is or goes."""

from __future__ import annotations

from enum import Enum, auto
from pathlib import Path

from PySide6.QtCore import QCoreApplication, Qt
from PySide6.QtWidgets import QGridLayout, QLabel, QSizePolicy, QWidget

from core.hub import DownloadOptions, Entry, Where
from gui.widgets.elided_label import ElidedLabel
from gui.widgets.measures import bytes_text

translate = QCoreApplication.translate


class Fact(Enum):
    """A row of the facts."""

    SIZE = auto()
    LICENCE = auto()
    LOCATION = auto()
    TARGET = auto()


class Facts(QWidget):
    """A row for each fact that is known."""

    def __init__(self, parent: QWidget | None = None):
        super().__init__(parent)
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(16)
        grid.setVerticalSpacing(6)
        grid.setColumnStretch(1, 1)
        self._titles: dict[Fact, QLabel] = {}
        self.value_labels: dict[Fact, ElidedLabel] = {}
        titles = {
            Fact.SIZE: self.tr("Size"),
            Fact.LICENCE: self.tr("Licence"),
            Fact.LOCATION: self.tr("Location"),
            Fact.TARGET: self.tr("Saved to"),
        }
        for row, (fact, text) in enumerate(titles.items()):
            title = QLabel(text)
            title.setProperty("class", "fact")
            value = ElidedLabel(mode=Qt.TextElideMode.ElideMiddle)
            value.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
            grid.addWidget(title, row, 0)
            grid.addWidget(value, row, 1)
            self._titles[fact], self.value_labels[fact] = title, value

    def show_entry(self, entry: Entry, options: DownloadOptions) -> None:
        """Show the facts of `entry`; it would be downloaded with these `options`."""
        for fact, text in _facts_of(entry, options).items():
            self.value_labels[fact].setText(text)
            self.value_labels[fact].setVisible(bool(text))
            self._titles[fact].setVisible(bool(text))


def _facts_of(entry: Entry, options: DownloadOptions) -> dict[Fact, str]:
    """Return the text of each fact, "" for what is not known or does not apply."""
    size = bytes_text(entry.size) if entry.size else ""
    licence = entry.licence
    if entry.servers:
        hosts = entry.servers.hosts
        return {Fact.SIZE: "", Fact.LICENCE: "", Fact.LOCATION: hosts, Fact.TARGET: ""}
    if local := entry.local:
        location = _location(local.folder, local.where)
        return {Fact.SIZE: size, Fact.LICENCE: licence, Fact.LOCATION: location, Fact.TARGET: ""}
    target = options.downloads or options.cache
    return {
        Fact.SIZE: translate("Facts", "about {size}").format(size=size) if size else "",
        Fact.LICENCE: licence,
        Fact.LOCATION: "",
        Fact.TARGET: _shortened(target) if target != Path() else "",
    }


def _location(folder: Path, where: Where) -> str:
    if where is Where.BUILT_IN:
        return translate("Facts", "Included with Onlooker")
    # In the cache the model's folder has a readable name; that of its revision is a hash.
    return _shortened(folder.parent.parent if where is Where.CACHE else folder)


def _shortened(folder: Path) -> str:
    home = Path.home()
    return f"~/{folder.relative_to(home)}" if folder.is_relative_to(home) else str(folder)
