"""Copies the command of the command line that does what the folder run does."""

from __future__ import annotations

from PySide6.QtCore import QObject
from PySide6.QtGui import QGuiApplication

from core.batch import BatchOptions
from core.captions.sidecar import Existing
from gui.app.series_wiring import SeriesWiring
from gui.session.folder_run import FolderRun
from gui.session.model_thread import ModelThread
from gui.widgets.translated import translated
from gui.window.commands import Command
from gui.window.main_window import MainWindow


class CommandWiring(QObject):
    """Runs that follow are further commands, where one cannot say all of them."""

    def __init__(
        self,
        window: MainWindow,
        run: FolderRun,
        series: SeriesWiring,
        model: ModelThread,
        parent: QObject | None = None,
    ):
        super().__init__(parent)
        self._window, self._run, self._series, self._model = window, run, series, model
        window.command_actions.bind(Command.RUN_COPY_COMMAND, self._copy)

    def _copy(self) -> None:
        from core.terminal.written_command import quoted, series_commands

        form = self._window.batch_panel.form
        options: BatchOptions = self._run.options or form.unchecked_options
        try:
            commands = series_commands(
                self._run.roots,
                options,
                self._model.choice,
                self._with_preset,
                slots=form.slots or 0,
                devices=form.more.devices,
            )
        except ValueError as error:
            self._window.show_notice(translated(error))
            return
        QGuiApplication.clipboard().setText("; ".join(map(quoted, commands)))
        text = self.tr("The command for the terminal is copied.")
        if len(commands) > 1:
            text = self.tr("{count} commands for the terminal are copied, one for each run.")
            text = text.format(count=len(commands))
        if len(commands) > 1 and options.existing is Existing.SKIP:
            more = self.tr(
                "Those that follow also replace captions that earlier runs wrote, and not only "
                "those of the first one."
            )
            text = f"{text} {more}"
        self._window.show_notice(text)

    def _with_preset(self, options: BatchOptions, name: str) -> BatchOptions:
        found = self._series.with_preset(name, options)
        if isinstance(found, str):
            raise ValueError(found)
        return found
