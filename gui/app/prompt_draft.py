"""What is written in the prompt and not asked yet is there again after a restart."""

from __future__ import annotations

from PySide6.QtCore import QObject, QTimer, Slot

from gui.app.tasks import Begin
from gui.conversation.prompt_box import PromptBox
from gui.session.settings_file import SettingsFile

_KEEP_MS = 1000


class PromptDraft(QObject):
    """Keeps the prompt with the settings, some moments after it is written, so that it survives a
    crash too."""

    def __init__(self, box: PromptBox, settings_file: SettingsFile, begin: Begin, parent: QObject):
        """Puts into the prompt what was left there."""
        super().__init__(parent)
        self._box, self._file, self._begin = box, settings_file, begin
        self._timer = QTimer(self, interval=_KEEP_MS, singleShot=True)
        self._timer.timeout.connect(self._on_paused)
        if draft := settings_file.settings.prompt_draft:
            box.set_text(draft)
        box.prompt_edit.textChanged.connect(self._on_typed)

    def keep(self) -> None:
        """Put what is written into the settings, which are about to be saved."""
        self._timer.stop()
        self._file.settings.prompt_draft = self._box.text

    @Slot()
    def _on_typed(self) -> None:
        if not self._timer.isActive():  # While one types on, too.
            self._timer.start()

    @Slot()
    def _on_paused(self) -> None:
        self.keep()
        self._begin(self._file.save())
