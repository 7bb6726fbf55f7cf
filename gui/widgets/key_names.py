"""One name for the key that Qt calls Return in menus, and that everything else calls Enter."""

from __future__ import annotations

from PySide6.QtCore import QCoreApplication, QTranslator

from core.resources import RESOURCES

# `lrelease` makes it of the .ts file beside it. A translator written in Python would need Python's
# lock in threads that hold Qt's lock of image formats, while the GUI thread waits for that one and
# holds Python's: the window would hang.
_FILE = RESOURCES / "key_names.qm"
_NAME = "key_names"


def name_keys() -> None:
    """Has Qt write Enter wherever it names that key. What is stored keeps Qt's own name. A
    translator for another language, which is installed later, goes first."""
    application = QCoreApplication.instance()
    if application is not None and application.findChild(QTranslator, _NAME) is None:
        translator = QTranslator(application)
        translator.setObjectName(_NAME)
        translator.load(str(_FILE))
        application.installTranslator(translator)
