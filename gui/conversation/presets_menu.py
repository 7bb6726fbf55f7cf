"""The menu of presets: the jobs that people caption images for, and their own."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from PySide6.QtCore import QCoreApplication, Signal
from PySide6.QtWidgets import QMenu, QToolButton, QWidget

from core.workspace import PRESET_KEYS, Preset, Presets
from gui.widgets.buttons import set_text_beside_icon
from gui.widgets.menu_text import menu_text
from gui.widgets.theme import Theme

translate = QCoreApplication.translate


def add_presets(menu: QMenu, presets: Presets, on_chosen: Callable[[Preset], None]) -> None:
    """Adds an entry for each preset; the first nine show their keys."""
    for number, preset in enumerate(presets.all, 1):
        name = menu_text(menu, preset.name)
        action = menu.addAction(f"&{number}  {name}" if number <= PRESET_KEYS else name)
        action.setToolTip("\n".join((preset.name, *preset.prompts)))
        action.triggered.connect(partial(_choose, on_chosen, preset))


def _choose(on_chosen: Callable[[Preset], None], preset: Preset, checked: bool = False) -> None:
    on_chosen(preset)


class PresetsButton(QToolButton):
    """Opens the menu of presets.

    `chosen(Preset)`. `save_asked()`: keep what stands in the form as a preset. `edit_asked()`: the
    presets are to be edited.
    """

    chosen = Signal(object)
    save_asked = Signal()
    edit_asked = Signal()

    def __init__(self, theme: Theme, parent: QWidget | None = None):
        super().__init__(parent)
        self.setObjectName("run_presets_button")
        set_text_beside_icon(self, self.tr("Presets"))
        self.setToolTip(self.tr("Prompts and options for a job"))
        self.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        theme.set_icon(self, "prompts", "text_quiet")
        self._menu = QMenu(self)
        self._menu.setObjectName("presets_menu")
        self._menu.setToolTipsVisible(True)
        self.setMenu(self._menu)

    def show_presets(self, presets: Presets) -> None:
        """Offers these."""
        self._menu.clear()
        add_presets(self._menu, presets, self.chosen.emit)
        self._menu.addSeparator()
        save = self._menu.addAction(self.tr("&Save as preset…"))
        save.triggered.connect(self._on_save)
        edit = self._menu.addAction(self.tr("&Edit presets…"))
        edit.triggered.connect(self._on_edit)

    def _on_save(self) -> None:
        self.save_asked.emit()

    def _on_edit(self) -> None:
        self.edit_asked.emit()
