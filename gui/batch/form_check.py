"""What is wrong with the options in the form of a folder run, said until it is mended."""

from __future__ import annotations

from PySide6.QtCore import QObject, Signal, Slot

from core.batch import BatchOptions
from gui.batch.form import BatchForm
from gui.widgets.translated import translated


class FormCheck(QObject):
    """`noticed(str)`: why the options make no run, "" once they do."""

    noticed = Signal(str)

    def __init__(self, form: BatchForm):
        super().__init__(form)
        self._form = form
        self._is_refused = False
        form.names_changed.connect(self._on_changed)
        form.prompt_list.changed.connect(self._on_changed)

    def options(self) -> BatchOptions | None:
        """Returns the chosen options; a notice and None if they make no run."""
        try:
            options = self._form.options
        except ValueError as error:
            self._is_refused = True
            self.noticed.emit(translated(error))
            return None
        self._is_refused = False
        self.noticed.emit("")
        return options

    @Slot()
    def _on_changed(self) -> None:
        """What was wrong with the options may be another thing now, or nothing."""
        if self._is_refused:
            self.options()
