"""Edits a copy of the settings, in plain words and within their bounds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import (
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QDoubleSpinBox,
    QHBoxLayout,
    QLineEdit,
    QPushButton,
    QSpinBox,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from core.device.memory import Card
from core.settings import Settings
from gui.widgets.screen_fit import ScreenFit
from gui.widgets.scrolled_page import ScrolledPage
from gui.window.command import Command
from gui.window.commands import CommandRow
from gui.window.keyboard_page import KeyboardPage
from gui.window.settings_pages import AnswersPage, AppearancePage, GeneralPage, ModelPage
from gui.window.view_state import ViewState


class SettingsDialog(QDialog):
    """Open it with `open()`. `saved(Settings)`: a copy with what the user chose.

    Only what the user touched differs from the settings it was given.
    """

    saved = Signal(object)

    def __init__(
        self,
        settings: Settings,
        parent: QWidget | None = None,
        cards: Sequence[Card] = (),
        commands: Mapping[Command, CommandRow] | None = None,
        engine_panel: QWidget | None = None,
        languages: Sequence[str] = (),
        dictionaries: str = "",
        menus: Mapping[str, str] = MappingProxyType({}),
    ):
        """`cards` are the CUDA cards to choose from, `commands` those whose keys can be changed.
        `menus` are the names of the menus by the keys that open them.

        `engine_panel` is about the graphics card, and acts at once. `languages` are those that
        spelling can be checked by, and `dictionaries` is the folder for one's own.
        """
        super().__init__(parent)
        self.setObjectName("settings_dialog")
        self.setWindowTitle(self.tr("Settings"))
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._settings = settings.model_copy(deep=True)
        self._values: dict[str, Any] = {}
        self.keyboard = KeyboardPage(commands or {}, menus)
        self._general = GeneralPage(languages, settings.spelling, dictionaries)
        self.tabs = self._build_tabs(cards, engine_panel, has_keyboard=bool(commands))
        self.buttons = self._build_buttons()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 8, 0, 16)
        column.setSpacing(12)
        column.addWidget(self.tabs, 1)
        row = QHBoxLayout()
        row.setContentsMargins(24, 0, 24, 0)
        row.addWidget(self.buttons)
        column.addLayout(row)
        self.resize(620, 600)
        ScreenFit(self)
        self._show(self._settings)

    def control(self, name: str) -> QWidget:
        """Return the control that edits the field `name` of Settings."""
        return self._controls[name]

    def show_keyboard(self) -> None:
        """Turns to the page with the keys."""
        self.tabs.setCurrentWidget(self.keyboard)
        self.keyboard.find_edit.setFocus()

    @Slot(object)
    def show_state(self, state: ViewState) -> None:
        """Greys out the settings that the loaded model ignores; what they are at is kept."""
        self._answers.show_missing(state.model.why_not)

    # Inside

    def _build_tabs(
        self, cards: Sequence[Card], engine_panel: QWidget | None, *, has_keyboard: bool
    ) -> QTabWidget:
        """Makes the pages, and collects the controls that are on them."""
        settings = self._settings
        self._answers = answers = AnswersPage()
        model = ModelPage(settings.device, settings.dtype, cards)
        appearance, general = AppearancePage(), self._general
        tabs = QTabWidget()
        tabs.setDocumentMode(True)
        tabs.tabBar().setDrawBase(False)
        tabs.addTab(answers, self.tr("Answers"))
        tabs.addTab(model, self.tr("Model"))
        if engine_panel:
            self._engine_page = _page_with(engine_panel)
            tabs.addTab(self._engine_page, self.tr("Graphics card"))
        tabs.addTab(appearance, self.tr("Appearance"))
        tabs.addTab(general, self.tr("General"))
        if has_keyboard:
            tabs.addTab(self.keyboard, self.tr("Keyboard"))
        tabs.setAccessibleName(self.tr("Settings"))
        for number in range(tabs.count()):
            if page := tabs.widget(number):
                page.setAccessibleName(tabs.tabText(number))
        self.draw_seed_check = answers.draw_seed_check
        self._controls = answers.controls | model.controls | appearance.controls | general.controls
        self._controls["keys"] = self.keyboard
        return tabs

    def _build_buttons(self) -> QDialogButtonBox:
        kind = QDialogButtonBox.StandardButton
        box = QDialogButtonBox(kind.RestoreDefaults | kind.Cancel | kind.Save)
        for button in box.buttons():
            if isinstance(button, QPushButton):
                button.setAutoDefault(False)
        box.button(kind.Save).setDefault(True)
        box.accepted.connect(self._on_save)
        box.rejected.connect(self.reject)
        # Qt's own text has another spelling.
        box.button(kind.RestoreDefaults).setText(self.tr("Restore defaults"))
        box.button(kind.RestoreDefaults).clicked.connect(self._on_restore_defaults)
        return box

    # Values

    def _show(self, settings: Settings) -> None:
        for name, control in self._controls.items():
            value = getattr(settings, name)
            match control:
                case QSpinBox() | QDoubleSpinBox():
                    control.setValue(value)
                case QComboBox():
                    control.setCurrentIndex(control.findData(value))
                case KeyboardPage():
                    control.show_keys(value)
                case QLineEdit():
                    self.draw_seed_check.setChecked(value is None)
                    control.setText("0" if value is None else str(value))
        if settings is self._settings:
            self._values = {name: self._value(name) for name in self._controls}

    def _value(self, name: str) -> Any:
        control = self._controls[name]
        match control:
            case QDoubleSpinBox():
                return round(control.value(), control.decimals())
            case QSpinBox():
                return control.value()
            case QComboBox():
                return control.currentData()
            case KeyboardPage():
                return dict(control.keys)
            case QLineEdit():
                return None if self.draw_seed_check.isChecked() else int(control.text() or 0)
        raise TypeError(name)

    @Slot()
    def _on_save(self) -> None:
        """What was not touched keeps its value, however fine it was."""
        for name, before in self._values.items():
            if (now := self._value(name)) != before:
                setattr(self._settings, name, now)
        self.saved.emit(self._settings)
        self.accept()

    @Slot()
    def _on_restore_defaults(self) -> None:
        """The fields of this dialog; nothing is kept before Save."""
        self._show(Settings())


def _page_with(panel: QWidget) -> ScrolledPage:
    page = QWidget()
    inside = QVBoxLayout(page)
    inside.setContentsMargins(24, 20, 24, 12)
    inside.addWidget(panel)
    return ScrolledPage(page)
