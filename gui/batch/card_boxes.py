"""Which graphics cards a folder run uses."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtWidgets import QCheckBox, QHBoxLayout, QWidget

from core.device.memory import Card


class CardBoxes(QWidget):
    """A box for each graphics card, all of them ticked; nothing to see with fewer than two."""

    def __init__(self, parent: QWidget | None = None):
        super().__init__(parent)
        self.setObjectName("card_boxes")
        self._boxes: dict[str, QCheckBox] = {}
        self._row = QHBoxLayout(self)
        self._row.setContentsMargins(0, 0, 0, 0)
        self._row.setSpacing(12)
        self._row.addStretch(1)

    @property
    def devices(self) -> tuple[str, ...]:
        """The devices that are ticked; () for all, and where none is."""
        ticked = tuple(name for name, box in self._boxes.items() if box.isChecked())
        return ticked if len(ticked) < len(self._boxes) else ()

    @property
    def has_choice(self) -> bool:
        """Whether there is more than one card."""
        return bool(self._boxes)

    @property
    def boxes(self) -> tuple[QCheckBox, ...]:
        """The boxes, in the order of the cards."""
        return tuple(self._boxes.values())

    def show_cards(self, cards: Sequence[Card]) -> None:
        """Offers these cards; what was ticked stays where the cards are the same."""
        shown = cards if len(cards) > 1 else ()
        if [f"cuda:{card.index}" for card in shown] == list(self._boxes):
            return
        for box in self._boxes.values():
            self._row.removeWidget(box)
            box.deleteLater()
        self._boxes = {}
        for place, card in enumerate(shown):
            box = QCheckBox(str(card.index))
            box.setObjectName(f"card_box_{card.index}")
            box.setAccessibleName(
                self.tr("Graphics card {number}, {name}").format(number=card.index, name=card.name)
            )
            box.setToolTip(card.name)
            box.setChecked(True)
            self._row.insertWidget(place, box)
            self._boxes[f"cuda:{card.index}"] = box
