"""What is to become of the computer when a run is done, chosen anew for each run."""

from __future__ import annotations

from collections.abc import Collection
from enum import StrEnum

from PySide6.QtWidgets import QSizePolicy

from gui.widgets.elided_combo_box import ElidedComboBox


class AfterRun(StrEnum):
    """What the computer does."""

    NOTHING = "nothing"
    SLEEP = "sleep"
    SHUT_DOWN = "shut-down"


class AfterRunBox(ElidedComboBox):
    """Offers what the computer can do."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("after_run_box")
        self.setAccessibleName(self.tr("When finished"))
        self.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)
        self.setToolTip(self.tr("Applies to this run only. You have one minute to cancel."))
        self.offer(())

    @property
    def choice(self) -> AfterRun:
        """What is chosen."""
        return AfterRun(self.currentData())

    @property
    def has_choice(self) -> bool:
        """Whether there is anything to choose from."""
        return self.count() > 1

    def offer(self, possible: Collection[AfterRun]) -> None:
        """Offers nothing, and what is possible."""
        texts = {
            AfterRun.NOTHING: self.tr("Leave the computer on"),
            AfterRun.SLEEP: self.tr("Put the computer to sleep"),
            AfterRun.SHUT_DOWN: self.tr("Shut the computer down"),
        }
        chosen = self.choice if self.count() else AfterRun.NOTHING
        self.clear()
        for one, text in texts.items():
            if one is AfterRun.NOTHING or one in possible:
                self.addItem(text, one)
        self.setCurrentIndex(max(0, self.findData(chosen)))

    def reset(self) -> None:
        """Chooses nothing."""
        self.setCurrentIndex(0)
