"""With which further models and presets the images are captioned after a run."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from PySide6.QtCore import Signal, Slot
from PySide6.QtWidgets import QHBoxLayout, QMenu, QPushButton, QWidget

from core.batch import Other, OtherKind
from gui.widgets.elided_label import ElidedLabel
from gui.widgets.menu_text import add_heading, add_named
from gui.widgets.translated import translated


class ThenRow(QWidget):
    """Shows what was added, in turn.

    `add_asked()`: something is to be added; `offer` then shows what there is. `changed()`.
    """

    add_asked = Signal()
    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("then_row")
        self._others: list[Other] = []
        self.label = ElidedLabel()
        self.label.setObjectName("then_label")
        self.add_button = self._button("then_add_button", self.tr("Add…"))
        self.add_button.setAccessibleName(self.tr("Caption with another model or preset too"))
        self.add_button.setToolTip(
            self.tr(
                "The same images are captioned once more, in a run of its own. “Compare answers” "
                "then shows the captions side by side."
            )
        )
        self.clear_button = self._button("then_clear_button", self.tr("Clear"))
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(12)
        row.addWidget(self.label)
        row.addWidget(self.add_button)
        row.addWidget(self.clear_button)
        row.addStretch(0)
        self.add_button.clicked.connect(self._on_add_clicked)
        self.clear_button.clicked.connect(self.clear)
        self._show()

    @property
    def then(self) -> tuple[str, ...]:
        """What was added, as `BatchOptions.then` has it."""
        return tuple(other.stored for other in self._others)

    def show_then(self, then: Sequence[str]) -> None:
        """Shows what a run has that is opened again."""
        self._others = [other for one in then if (other := Other.of(one))]
        self._show()

    def offer(self, models: Sequence[str], presets: Sequence[str]) -> None:
        """Lets one choose among models, by their references, and presets, by their names."""
        menu = QMenu(self)
        menu.setObjectName("then_menu")
        kinds = (
            (self.tr("Models"), OtherKind.MODEL, models),
            (self.tr("Presets"), OtherKind.PRESET, presets),
        )
        for title, kind, names in kinds:
            add_heading(menu, title)
            for name in names:
                other = Other(kind, name)
                action = add_named(menu, translated(other.shown))
                action.triggered.connect(partial(self._add, other))
        menu.aboutToHide.connect(menu.deleteLater)
        menu.popup(self.add_button.mapToGlobal(self.add_button.rect().bottomLeft()))

    @Slot()
    def clear(self) -> None:
        """Leaves it at one run."""
        if self._others:
            self._others = []
            self._show()
            self.add_button.setFocus()
            self.changed.emit()

    def _button(self, name: str, text: str) -> QPushButton:
        button = QPushButton(text)
        button.setObjectName(name)
        button.setProperty("class", "small")
        button.setAutoDefault(False)
        return button

    def _add(self, other: Other, checked: bool = False) -> None:
        self._others.append(other)
        self._show()
        self.changed.emit()

    @Slot()
    def _on_add_clicked(self) -> None:
        self.add_asked.emit()

    def _show(self) -> None:
        names = [translated(other.shown) for other in self._others]
        self.label.setText(", ".join(names))
        self.label.setVisible(bool(names))
        self.clear_button.setVisible(bool(names))
