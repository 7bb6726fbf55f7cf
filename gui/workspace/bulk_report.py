"""What an edit of many captions did not do, and why."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QCoreApplication, Qt, Signal
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QMessageBox,
    QVBoxLayout,
    QWidget,
)

from core.workspace import TRASH_HAS_WAY_BACK, Failure
from gui.widgets.counted import counted
from gui.widgets.labels import paragraph
from gui.widgets.message_box import MessageBox
from gui.widgets.text_direction import PlainTextEdit
from gui.widgets.translated import translated

translate = QCoreApplication.translate

_SIZE = (560, 360)
_MOST_NAMED = 1000


class FailuresDialog(QDialog):
    """Lists the images that could not be changed, each with its reason."""

    def __init__(self, name: str, failures: Sequence[Failure], parent: QWidget | None = None):
        super().__init__(parent)
        self.setObjectName("failures_dialog")
        self.setWindowTitle(self.tr("Not all images were changed"))
        one = self.tr("“{name}” failed for 1 image.")
        many = self.tr("“{name}” failed for {count} images.")
        what = counted(len(failures), one, many).replace("{name}", name)
        self.what_label = paragraph(what)
        self.list_edit = PlainTextEdit()
        self.list_edit.setProperty("class", "field")
        self.list_edit.setAccessibleName(self.tr("Images and reasons"))
        self.list_edit.setReadOnly(True)
        self.list_edit.setTabChangesFocus(True)
        lines = [f"{one.path}\n    {translated(one.reason)}" for one in failures[:_MOST_NAMED]]
        if len(failures) > _MOST_NAMED:
            rest = self.tr("… and {count} more")
            lines.append(rest.format(count=f"{len(failures) - _MOST_NAMED:,}"))
        self.list_edit.setPlainText("\n".join(lines))
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.rejected.connect(self.reject)
        column = QVBoxLayout(self)
        column.setContentsMargins(24, 20, 24, 16)
        column.setSpacing(12)
        column.addWidget(self.what_label)
        column.addWidget(self.list_edit, 1)
        column.addWidget(buttons)
        self.resize(*_SIZE)


class TrashDialog(MessageBox):
    """Asks before images go to the trash, and says whether there is a way back.

    `confirmed()`: they are to go.
    """

    confirmed = Signal()

    def __init__(self, count: int, name: str, parent: QWidget | None = None, *, table: str = ""):
        """`table` is the name of the one with the captions, if they stand in one."""
        super().__init__(parent)
        self.setObjectName("trash_dialog")
        self.setWindowTitle(self.tr("Move to trash"))
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        one = self.tr("Move “{name}” to the trash?").format(name=name)
        self.setText(counted(count, one, self.tr("Move {count} images to the trash?")))
        self.setInformativeText(way_back(has_way_back=TRASH_HAS_WAY_BACK, table=table))
        move = self.addButton(self.tr("Move to trash"), QMessageBox.ButtonRole.AcceptRole)
        self.setDefaultButton(move)
        move.clicked.connect(self.confirmed)
        self.addButton(QMessageBox.StandardButton.Cancel)


def way_back(*, has_way_back: bool, table: str) -> str:
    """Returns what becomes of captions, and what undo brings back."""
    if table and not has_way_back:
        text = translate(
            "TrashDialog",
            "Their captions are removed from “{table}”. Undo brings these back; only the trash "
            "itself brings back the images.",
        )
        return text.format(table=table)
    if has_way_back:
        return translate("TrashDialog", "Their captions go with them. Undo brings all back.")
    return translate(
        "TrashDialog",
        "Their captions go with them. Undo cannot bring them back; the trash itself can.",
    )
