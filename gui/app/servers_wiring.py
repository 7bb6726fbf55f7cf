"""Connects the dialog for a server with what tries servers, and uses the one that is chosen."""

from __future__ import annotations

from PySide6.QtCore import QObject, Slot

from core.model_reference import ServerModel
from core.settings import Settings
from core.transcript import ModelChoice
from gui.app.tasks import Begin
from gui.models.server_dialog import ServerDialog, ServerQuestion
from gui.session.loaded_model import LoadedModel
from gui.session.server_checks import ServerChecks
from gui.widgets.translated import translated
from gui.window.main_window import MainWindow


class ServersWiring(QObject):
    """Opens the dialog, and brings what servers answer into it."""

    def __init__(
        self,
        window: MainWindow,
        loaded: LoadedModel,
        settings: Settings,
        begin: Begin,
        parent: QObject | None = None,
    ):
        super().__init__(parent)
        self._window, self._loaded, self._begin = window, loaded, begin
        self._checks = ServerChecks(settings, self)

    def open(self, dialog_parent: QObject) -> None:
        """Show the dialog for a server."""
        dialog = ServerDialog(dialog_parent)  # type: ignore[arg-type]
        checks = self._checks
        dialog.test_asked.connect(self._on_test_asked)
        dialog.search_asked.connect(self._on_search_asked)
        dialog.use_asked.connect(self._on_use_asked)
        dialog.closed.connect(checks.stop)
        checks.listed.connect(dialog.show_models)
        checks.checked.connect(dialog.show_checked)
        checks.found.connect(dialog.show_found)
        checks.failed.connect(dialog.show_error)
        dialog.show()

    def close(self) -> None:
        """End what is asked of servers."""
        self._checks.stop()

    @Slot(object)
    def _on_test_asked(self, asked: ServerQuestion) -> None:
        self._begin(self._checks.check(asked.address, asked.key, asked.model))

    @Slot()
    def _on_search_asked(self) -> None:
        self._begin(self._checks.find())

    @Slot(object, str)
    def _on_use_asked(self, named: ServerModel, key: str) -> None:
        self._begin(self._use(named, key))

    async def _use(self, named: ServerModel, key: str) -> None:
        (address, _), *_ = named.addresses
        if key and (problem := await self._checks.keep_key(address, key)):
            self._window.show_notice(translated(problem))
        await self._loaded.load(ModelChoice(model=named.reference))
