"""The one dialog of a kind that is open, which deletes itself once it is closed."""

from __future__ import annotations

from typing import Generic, TypeVar

from PySide6.QtWidgets import QDialog
from shiboken6 import isValid

_Dialog = TypeVar("_Dialog", bound=QDialog)


class OpenDialog(Generic[_Dialog]):
    """Keeps the newest one, however long an earlier one takes to go.

    What opens a dialog after it has waited asks first whether one is `in_sight`: keys in quick
    succession were all pressed before the first dialog took them.
    """

    def __init__(self) -> None:
        self._newest: _Dialog | None = None

    def keep(self, dialog: _Dialog) -> None:
        """This is the one from now on."""
        self._newest = dialog

    @property
    def now(self) -> _Dialog | None:
        """The dialog; None if there is none any more."""
        dialog = self._newest
        return dialog if dialog is not None and isValid(dialog) else None

    @property
    def in_sight(self) -> _Dialog | None:
        """The dialog; None if it was closed, and may only not be deleted yet."""
        dialog = self.now
        return dialog if dialog is not None and dialog.isVisible() else None
