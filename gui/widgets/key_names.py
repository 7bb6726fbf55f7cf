"""One name for the key that Qt calls Return in menus, and that everything else calls Enter."""

from __future__ import annotations

from PySide6.QtCore import QCoreApplication, QTranslator


class _KeyNames(QTranslator):
    """Qt translates the names of keys in its own context. A translator for another language, which
    is installed later, goes first."""

    def isEmpty(self) -> bool:
        return False

    def translate(
        self, context: str, source: str, disambiguation: str | None = None, n: int = -1
    ) -> str | None:
        return "Enter" if source == "Return" and context == "QShortcut" else None


def name_keys() -> None:
    """Has Qt write Enter wherever it names that key. What is stored keeps Qt's own name."""
    application = QCoreApplication.instance()
    if application is not None and application.findChild(_KeyNames) is None:
        application.installTranslator(_KeyNames(application))
