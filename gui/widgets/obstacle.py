"""Greys out a field that cannot be used now, and says why where it is pointed at."""

from __future__ import annotations

from PySide6.QtWidgets import QWidget

_USUAL = "usual_texts"


def show_obstacle(field: QWidget, reason: str) -> None:
    """Disables a field and gives the reason in its tool tip; "" enables it as it was before."""
    usual = field.property(_USUAL)
    if usual is None:
        if not reason:
            return
        usual = (field.toolTip(), field.accessibleDescription())
    # None forgets the texts, which may be others the next time.
    field.setProperty(_USUAL, usual if reason else None)
    field.setEnabled(not reason)
    tip, description = (reason, reason) if reason else usual
    field.setToolTip(tip)
    field.setAccessibleDescription(description)
