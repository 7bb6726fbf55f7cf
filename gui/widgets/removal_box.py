"""The question whether something may be removed, which Enter and Esc answer with no."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QCoreApplication, Qt
from PySide6.QtWidgets import QMessageBox, QWidget

from gui.widgets.message_box import MessageBox
from gui.widgets.screen_fit import ScreenFit

translate = QCoreApplication.translate


def ask_to_remove(
    parent: QWidget, name: str, texts: tuple[str, str, str], confirmed: Callable[[], object]
) -> None:
    """Asks in a box with this object name; `texts` are its title, the question, and what follows.

    `confirmed` is a slot of an object that lives in the GUI thread.
    """
    box = MessageBox(parent)
    box.setObjectName(name)
    title, question, effect = texts
    box.setWindowTitle(title)
    box.setText(question)
    box.setInformativeText(effect)
    remove = box.addButton(translate("Removal", "Remove"), QMessageBox.ButtonRole.AcceptRole)
    cancel = box.addButton(translate("Removal", "Cancel"), QMessageBox.ButtonRole.RejectRole)
    box.setDefaultButton(cancel)
    box.setEscapeButton(cancel)
    box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    ScreenFit(box)
    remove.clicked.connect(confirmed)
    box.open()
