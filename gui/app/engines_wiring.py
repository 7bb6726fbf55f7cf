"""Connects the engine packs with the window: notices, the dialog, and the panels of others."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QObject, QTimer, Signal, Slot
from shiboken6 import isValid

from core.errors import AppError
from core.version import program_version
from gui.app.open_dialog import OpenDialog
from gui.app.tasks import Begin
from gui.engines import wording
from gui.engines.dialog import EngineDialog
from gui.engines.line import EngineLine
from gui.engines.panel import EnginePanel
from gui.engines.state import EnginesState, Stage
from gui.engines.wording import EngineAction
from gui.session.engine_packs import EnginePacks
from gui.session.settings_file import SettingsFile
from gui.widgets.notice import NoticeAction, NoticeActionKind, StandsWhile
from gui.widgets.translated import translated
from gui.window.commands import Command
from gui.window.main_window import MainWindow

LOOK_AFTER_MS = 4_000


class EnginesWiring(QObject):
    """Shows once what the graphics card could do, and what becomes of a pack that is got.

    `restart_asked()`: everything is ready for another engine.
    """

    restart_asked = Signal()

    def __init__(
        self,
        window: MainWindow,
        packs: EnginePacks,
        settings_file: SettingsFile,
        begin: Begin,
        parent: QObject | None = None,
    ):
        super().__init__(parent)
        self._window, self._packs = window, packs
        self._settings_file, self._begin = settings_file, begin
        self._dialog = OpenDialog[EngineDialog]()
        self._panels: list[EnginePanel] = []
        self._soon = QTimer(self, singleShot=True, interval=LOOK_AFTER_MS)
        self._soon.timeout.connect(self._look)
        packs.changed.connect(self._on_changed)
        packs.looked.connect(self._on_looked)
        packs.got.connect(self._on_got)
        packs.failed.connect(self._on_failed)
        window.command_actions.bind(Command.ENGINES, self.open)
        window.notice_action_chosen.connect(self._on_notice_action_chosen)

    def look_soon(self) -> None:
        """Look for cards and packs once the window and the model have had their first seconds."""
        self._soon.start()

    def close(self) -> None:
        """Look no more: the program ends."""
        self._soon.stop()

    @Slot()
    def open(self) -> None:
        """Show the dialog, or bring it forward."""
        dialog = self._dialog.in_sight
        if dialog is None:
            dialog = EngineDialog(self.make_panel(), self._window)
            self._dialog.keep(dialog)
        dialog.show()
        dialog.raise_()
        dialog.activateWindow()

    def make_panel(self) -> EnginePanel:
        """Return a new panel that shows the packs and acts on them; it looks for them again."""
        panel = EnginePanel()
        panel.show_state(self._packs.state)
        self._packs.changed.connect(panel.show_state)
        panel.acted.connect(self._on_acted)
        panel.folder_chosen.connect(self._on_folder_chosen)
        self._panels.append(panel)
        self._look()
        return panel

    def connect_line(self, line: EngineLine) -> None:
        """Keep a line true, and open the dialog from it."""
        line.show_state(self._packs.state)
        self._packs.changed.connect(line.show_state)
        line.details_asked.connect(self.open)
        self._look()

    # What happens

    @Slot(object)
    def _on_changed(self, state: EnginesState) -> None:
        self._window.states.update(engines=state.stage)
        progress = state.job.progress if state.stage is Stage.GETTING and state.job else None
        share = progress.done / progress.total if progress and progress.total else 0.0
        name = self.tr("engine pack") if progress else ""
        self._window.status_line.show_download(name, share)

    @Slot(object)
    def _on_looked(self, state: EnginesState) -> None:
        """Say what could be done about the card, if that was not said before."""
        settings, stage = self._settings_file.settings, state.stage
        text = wording.notice_sentence(state)
        if not text:
            if stage is Stage.IN_USE and settings.seen_offers:
                settings.seen_offers = []  # What goes wrong from now on is news.
                self._begin(self._settings_file.save())
            return
        key = _key_of(state)
        if key in settings.seen_offers:
            return
        settings.seen_offers = [*settings.seen_offers, key]
        self._begin(self._settings_file.save())
        can_get = stage in (Stage.OFFERED, Stage.OUTDATED)
        caption = self.tr("Get…") if can_get else self.tr("Details…")
        action = NoticeAction(NoticeActionKind.SHOW_ENGINES, caption)
        self._window.show_notice(text, action, stands=StandsWhile.ENGINES, about=stage)

    @Slot(str)
    def _on_got(self, name: str) -> None:
        action = NoticeAction(NoticeActionKind.RESTART, self.tr("Restart"))
        text = wording.sentence(self._packs.state)
        stage = Stage.NEEDS_RESTART
        self._window.show_notice(text, action, stands=StandsWhile.ENGINES, about=stage)

    @Slot(object)
    def _on_failed(self, error: AppError) -> None:
        self._panels = [panel for panel in self._panels if isValid(panel)]
        if not any(panel.isVisible() for panel in self._panels):
            action = NoticeAction(NoticeActionKind.SHOW_ENGINES, self.tr("Details…"))
            self._window.show_notice(translated(error), action)

    # What is asked for

    @Slot()
    def _look(self) -> None:
        self._begin(self._packs.look())

    @Slot(object)
    def _on_acted(self, action: EngineAction) -> None:
        packs = self._packs
        match action:
            case EngineAction.GET:
                self._begin(packs.get())
            case EngineAction.PAUSE:
                packs.pause()
            case EngineAction.CANCEL:
                self._begin(packs.cancel())
            case EngineAction.REMOVE:
                self._begin(packs.remove())
            case EngineAction.RESTART:
                self._begin(self._restart())

    @Slot(str)
    def _on_folder_chosen(self, folder: str) -> None:
        self._begin(self._packs.get(Path(folder)))

    @Slot(object)
    def _on_notice_action_chosen(self, action: NoticeAction) -> None:
        match action.kind:
            case NoticeActionKind.SHOW_ENGINES:
                self.open()
            case NoticeActionKind.RESTART:
                self._begin(self._restart())

    async def _restart(self) -> None:
        if self._packs.state.stage is Stage.NEEDS_RESTART:
            await self._packs.use_pack()
        self.restart_asked.emit()


def _key_of(state: EnginesState) -> str:
    """By what a notice is remembered: version, stage and pack, and whether one is not used."""
    found = state.overview
    pack = found.offer.pack if found else None
    parts = [program_version(), state.stage.name.lower(), pack.name if pack else ""]
    return " ".join([part for part in (*parts, "note" if found and found.note else "") if part])
