"""The name of a picture and its facts in one line, of which the facts are shortened first."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from gui.widgets.elided_label import ElidedLabel

_GAP = 12
# Facts that are shorter than this say nothing.
_LEAST_FACTS = 56


class NameAndFacts(QWidget):
    """Where there is no room for both, the facts are elided, then hidden, and then the name is
    elided in its middle, so that its ending stays. The tool tip has what is not shown."""

    def __init__(self, parent: QWidget | None = None):
        super().__init__(parent)
        self.name_label = ElidedLabel(mode=Qt.TextElideMode.ElideMiddle, parent=self)
        self.name_label.setObjectName("name_label")
        self.facts_label = ElidedLabel(parent=self)
        self.facts_label.setObjectName("facts_label")
        self._is_named = True
        self._facts, self._forms = "", ("",)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def show_name(self, name: str) -> None:
        """Sets the name of the picture."""
        self.name_label.setText(name)
        self._place()

    def show_facts(self, facts: str, *shorter: str, is_named: bool) -> None:
        """Sets the facts, and ever shorter forms for where they do not fit; without `is_named` they
        take the place of the name too."""
        self._facts, self._forms = facts, (facts, *shorter)
        self.facts_label.setText(facts)
        self._is_named = is_named
        self._place()

    def sizeHint(self) -> QSize:
        name, facts = self.name_label.sizeHint(), self.facts_label.sizeHint()
        width = facts.width() + (name.width() + _GAP if self._is_named else 0)
        return QSize(width, max(name.height(), facts.height()))

    def minimumSizeHint(self) -> QSize:
        return QSize(self.name_label.minimumSizeHint().width(), self.sizeHint().height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._place()

    def _place(self) -> None:
        name, facts = self.name_label, self.facts_label
        # Of whole pixels: a label that is too narrow by a fraction is elided.
        wanted = name.sizeHint().width() + 1 if self._is_named else 0
        taken = min(wanted, self.width())
        left = taken + _GAP if taken else 0
        room = self.width() - left
        for form in self._forms:
            facts.setText(form)
            if facts.sizeHint().width() <= room:
                break
        needed = facts.sizeHint().width()
        shows_facts = bool(facts.text()) and room >= min(needed, _LEAST_FACTS)
        name.setVisible(self._is_named)
        facts.setVisible(shows_facts)
        name.setGeometry(0, 0, taken, self.height())
        facts.setGeometry(left, 0, max(0, room), self.height())
        is_whole = shows_facts and facts.text() == self._facts
        self.setToolTip("" if is_whole else self._facts)
        self.updateGeometry()
