"""What is written in the prompt and not asked yet is there again after a restart."""

from __future__ import annotations

from PySide6.QtCore import QObject, QTimer, Slot

from gui.app.tasks import Begin
from gui.conversation.prompt_box import PromptBox
from gui.session.settings_file import SettingsFile
from gui.session.typed_texts import TypedTexts

_KEEP_MS = 1000
_OTHERS = "prompt/"


class PromptDraft(QObject):
    """Keeps the prompt with the settings, some moments after it is written, so that it survives a
    crash too. What was written besides, while one looked at earlier prompts, is among these then.
    """

    def __init__(
        self,
        box: PromptBox,
        settings_file: SettingsFile,
        typed: TypedTexts,
        begin: Begin,
        parent: QObject,
    ):
        """Puts into the prompt what was left there."""
        super().__init__(parent)
        self._box, self._file, self._begin = box, settings_file, begin
        self._typed = typed
        self._timer = QTimer(self, interval=_KEEP_MS, singleShot=True)
        self._timer.timeout.connect(self._on_paused)
        settings = settings_file.settings
        number = 0
        while other := typed.text(f"{_OTHERS}{number}"):
            settings.prompt_history = [*settings.prompt_history, other]
            number += 1
        box.set_history(settings.prompt_history)
        if number:
            typed.forget(_OTHERS)
            begin(settings_file.save())
        if draft := settings.prompt_draft:
            box.set_text(draft)
        box.prompt_edit.textChanged.connect(self._on_typed)

    def keep(self) -> None:
        """Put what is written into the settings, which are about to be saved."""
        self._timer.stop()
        written, shown = self._box.prompt_edit.written, self._box.text
        draft = shown if shown in written else next(reversed(written), "")
        self._file.settings.prompt_draft = draft
        if draft in written:
            written.remove(draft)
        self._typed.forget(_OTHERS)
        for number, text in enumerate(written):
            self._typed.keep(f"{_OTHERS}{number}", text)

    @Slot()
    def _on_typed(self) -> None:
        if not self._timer.isActive():  # While one types on, too.
            self._timer.start()

    @Slot()
    def _on_paused(self) -> None:
        self.keep()
        self._begin(self._file.save())
