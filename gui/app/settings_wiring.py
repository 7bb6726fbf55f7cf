"""Connects the settings with the window: the dialog, the colours, and where the log lies."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Literal, cast

from PySide6.QtCore import QObject, Slot
from PySide6.QtGui import QDesktopServices

from core.device.memory import known_cards
from core.settings import Settings
from gui.app.engines_wiring import EnginesWiring
from gui.app.idle_unload import IdleUnload
from gui.app.tasks import Begin
from gui.session.loaded_model import LoadedModel
from gui.session.settings_file import SettingsFile
from gui.session.spell_checking import SpellChecking
from gui.widgets.file_urls import url_of
from gui.widgets.theme import Theme
from gui.window.availability import THEMES
from gui.window.commands import Command
from gui.window.key_bindings import keys_of_menus
from gui.window.main_window import MainWindow
from gui.window.settings_dialog import SettingsDialog

# Settings that nobody edits: the program writes them as it goes.
REMEMBERED = {
    *("window", "last_folder", "last_prompt", "prompt_draft", "prompt_history"),
    *("model_folders", "download_folder", "works_offline", "underlines_doubt", "seen_offers"),
    "metadata_folders",
    *("folds_images", "shows_grid", "thumbnail_side", "shows_caption"),
}


class SettingsWiring(QObject):
    """Applies what is chosen in the settings dialog and the View menu, and keeps it."""

    def __init__(
        self,
        window: MainWindow,
        theme: Theme,
        settings_file: SettingsFile,
        loaded: LoadedModel,
        idle_unload: IdleUnload,
        logs: Path,
        begin: Begin,
        parent: QObject | None = None,
        *,
        engines: EnginesWiring,
        spelling: SpellChecking,
    ):
        super().__init__(parent)
        self._window, self._theme, self._settings_file = window, theme, settings_file
        self._loaded, self._idle_unload, self._logs = loaded, idle_unload, logs
        self._engines, self._begin = engines, begin
        self._spelling = spelling
        bind = window.command_actions.bind
        bind(Command.SETTINGS, self._on_settings_asked)
        bind(Command.LOG_FOLDER, self._on_log_folder_asked)
        for command, mode in THEMES.items():
            bind(command, partial(self._on_theme_chosen, mode))
        window.command_actions.set_bindings(settings_file.settings.keys)
        window.keys_asked.connect(self._on_keys_asked)
        settings_file.noticed.connect(window.show_notice)
        settings_file.changed.connect(self._apply)

    def _choose_theme(self, mode: str) -> None:
        """Another mode may have the same colours, of which the theme says nothing."""
        self._theme.choose(mode)
        self._window.states.update(theme=self._theme.mode)

    def _on_theme_chosen(self, mode: str) -> None:
        self._choose_theme(mode)
        # pydantic checks the value.
        self._settings_file.settings.theme = cast(Literal["system", "light", "dark"], mode)
        self._begin(self._settings_file.save())

    @Slot()
    def _on_keys_asked(self) -> None:
        self._on_settings_asked(shows_keyboard=True)

    def _on_settings_asked(self, *, shows_keyboard: bool = False) -> None:
        rows = self._window.command_actions.rows
        menus = keys_of_menus(self._window.command_actions.table)
        settings, panel = self._settings_file.settings, self._engines.make_panel()
        spelling = self._spelling
        languages, folder = spelling.languages, str(spelling.folder)
        dialog = SettingsDialog(
            settings, self._window, known_cards(), rows, panel, languages, folder, menus
        )
        shown = settings.model_copy(deep=True)
        dialog.saved.connect(partial(self._on_saved, shown))
        dialog.show_state(self._window.state)
        self._window.states.changed.connect(dialog.show_state)
        if shows_keyboard:
            dialog.show_keyboard()
        dialog.open()

    def _on_saved(self, shown: Settings, chosen: Settings) -> None:
        """Take over what was chosen among the settings that the dialog has shown; what has changed
        otherwise meanwhile stays."""
        settings = self._settings_file.settings
        before = settings.model_choice
        for name in Settings.model_fields.keys() - REMEMBERED:
            if getattr(chosen, name) != getattr(shown, name):
                setattr(settings, name, getattr(chosen, name))
        self._apply()
        if settings.model_choice != before:
            self._begin(self._loaded.load(settings.model_choice))
        self._begin(self._settings_file.save())

    @Slot()
    def _apply(self) -> None:
        """Show what is chosen by now, here or by another program. Its model counts at the next
        start."""
        settings = self._settings_file.settings
        self._choose_theme(settings.theme)
        self._theme.choose_text_percent(settings.text_percent)
        self._window.command_actions.set_bindings(settings.keys)
        self._idle_unload.restart_timer()
        self._spelling.use(settings.spelling)

    def _on_log_folder_asked(self) -> None:
        QDesktopServices.openUrl(url_of(self._logs))
