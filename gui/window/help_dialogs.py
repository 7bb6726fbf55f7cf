"""The dialogs of the Help menu: keyboard shortcuts, and what Onlooker is."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QCoreApplication, QMargins, Qt, QUrl, Signal, Slot
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QFrame,
    QGridLayout,
    QLabel,
    QLayout,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from core.resources import RESOURCES
from core.version import program_version
from gui.widgets.buttons import key_text
from gui.window.actions import Actions
from gui.window.commands import Menu

translate = QCoreApplication.translate

_DIALOG_MARGIN = 32
_KEY_WIDTH = 132
_NAME_WIDTH = 200
# What stands around the page of keys: margins, the scroll bar, the buttons.
_AROUND = QMargins(48, 48, 64, 80)
_ICON_SIDE = 64


class KeysDialog(QDialog):
    """Lists the keys of all commands, by menu, and those that no menu has. Open it with `open()`.

    `keys_asked()`: the keys are to be changed.
    """

    keys_asked = Signal()

    def __init__(self, actions: Actions, parent: QWidget):
        super().__init__(parent)
        self.setObjectName("keys_dialog")
        self.setWindowTitle(self.tr("Keyboard shortcuts"))
        most = parent.size().shrunkBy(QMargins(*[_DIALOG_MARGIN // 2] * 4))
        page = _keys_page(actions, halves=2)
        if page.minimumSizeHint().grownBy(_AROUND).width() > most.width():
            page = _keys_page(actions, halves=1)
        area = self._area = QScrollArea()
        area.setAccessibleName(self.windowTitle())
        area.setFrameShape(QFrame.Shape.NoFrame)
        area.setWidgetResizable(True)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setWidget(page)
        content = QVBoxLayout()
        content.addWidget(area)
        buttons = _add_close_button(self, content)
        change = buttons.addButton(self.tr("Change…"), QDialogButtonBox.ButtonRole.ActionRole)
        change.setObjectName("change_keys_button")
        change.setAutoDefault(False)
        change.clicked.connect(self._on_change_clicked)
        self.resize(page.sizeHint().grownBy(_AROUND).boundedTo(most))

    @Slot()
    def _on_change_clicked(self) -> None:
        self.accept()
        self.keys_asked.emit()


def _keys_page(actions: Actions, halves: int) -> QWidget:
    """All keys by menu, in `halves` columns."""
    page = QWidget()
    page.setObjectName("keys_page")
    column = QVBoxLayout(page)
    column.setContentsMargins(12, 8, 16, 0)
    column.setSpacing(8)
    more = {
        Menu.CONVERSATION: _conversation_keys(),
        Menu.VIEW: _view_keys(),
        Menu.RUN: _run_keys(),
    }
    for rows in actions.table:
        if rows.menu is Menu.CONTEXT:
            continue
        known = [(actions.key_text(row.command), row.name) for row in rows.rows]
        known = [(key, name) for key, name in known if key]
        label = QLabel(rows.text.replace("&", ""))
        label.setProperty("class", "section")
        column.addWidget(label)
        column.addLayout(_grid([*known, *more.get(rows.menu, [])], halves))
        column.addSpacing(12)
    return page


def _conversation_keys() -> list[tuple[str, str]]:
    return [
        (key_text("Return"), translate("KeysDialog", "Ask")),
        (key_text("Shift+Return"), translate("KeysDialog", "Insert line break")),
        (translate("KeysDialog", "Up, Down"), translate("KeysDialog", "Earlier prompts")),
        (
            translate("KeysDialog", "Arrows, Esc"),
            translate("KeysDialog", "Move between the words of an answer, leave them"),
        ),
    ]


def _view_keys() -> list[tuple[str, str]]:
    zoom = translate("KeysDialog", "Zoom, on the image")
    return [(translate("KeysDialog", "0, 1, +, −, wheel"), zoom)]


def _run_keys() -> list[tuple[str, str]]:
    rows = [
        ("F2", translate("KeysDialog", "Edit caption")),
        ("Return, Shift+Return", translate("KeysDialog", "Save caption, insert line break")),
        ("Tab, Shift+Tab", translate("KeysDialog", "Save caption, edit the next or previous one")),
        ("Return", translate("KeysDialog", "Show image")),
        ("Ctrl+C", translate("KeysDialog", "Copy caption")),
        ("Menu", translate("KeysDialog", "Open the menu of the row")),
    ]
    return [(", ".join(key_text(key) for key in keys.split(", ")), text) for keys, text in rows]


def _grid(rows: Sequence[tuple[str, str]], halves: int) -> QGridLayout:
    """Lays (keys, what they do) out in `halves` pairs of columns."""
    grid = QGridLayout()
    grid.setHorizontalSpacing(16)
    grid.setVerticalSpacing(6)
    grid.setColumnStretch(3 * halves, 1)
    half = (len(rows) + halves - 1) // halves
    for number, (keys, words) in enumerate(rows):
        key_label = QLabel(keys)
        key_label.setProperty("class", "key")
        row, column = number % half, 3 * (number // half)
        grid.addWidget(key_label, row, column)
        grid.addWidget(QLabel(words), row, column + 1)
        # A width of a label's own would let it be cut off where there is less room.
        grid.setColumnMinimumWidth(column, _KEY_WIDTH)
        grid.setColumnMinimumWidth(column + 1, _NAME_WIDTH)
    return grid


class AboutDialog(QDialog):
    """What Onlooker is, its version and its licences. Open it with `open()`."""

    def __init__(self, parent: QWidget):
        super().__init__(parent)
        self.setObjectName("about_dialog")
        self.setWindowTitle(self.tr("About Onlooker"))
        icon = QLabel()
        icon.setPixmap(self.windowIcon().pixmap(_ICON_SIDE, _ICON_SIDE))
        title = QLabel("Onlooker")
        title.setProperty("class", "title")
        words = QLabel(
            self.tr(
                "Describes images and answers questions about them.\n"
                "Images and texts stay on this computer, unless you use a model on a server."
            )
        )
        makers = QLabel(
            self.tr(
                "Version {version}, under the Apache licence 2.0. Qt, PyTorch, transformers and "
                "other software in it are under their own licences."
            ).format(version=program_version()),
            wordWrap=True,
        )
        makers.setProperty("class", "explanation")
        column = QVBoxLayout()
        column.setSpacing(12)
        for part in (icon, title, words, makers):
            column.addWidget(part)
        buttons = _add_close_button(self, column)
        licences = buttons.addButton(self.tr("Licences"), QDialogButtonBox.ButtonRole.ActionRole)
        licences.setObjectName("licences_button")
        licences.clicked.connect(self._show_licences)

    @Slot()
    def _show_licences(self) -> None:
        """In the packaged program the folder holds those of every library inside, and a list."""
        QDesktopServices.openUrl(QUrl.fromLocalFile(str(RESOURCES / "licences")))


def _add_close_button(dialog: QDialog, content: QLayout) -> QDialogButtonBox:
    buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
    buttons.rejected.connect(dialog.reject)
    column = QVBoxLayout(dialog)
    column.setContentsMargins(24, 24, 24, 16)
    column.setSpacing(24)
    column.addLayout(content)
    column.addWidget(buttons)
    return buttons
