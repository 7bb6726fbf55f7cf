"""The dialogs of the Help menu: keyboard shortcuts, and what Onlooker is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from PySide6.QtCore import QCoreApplication, QMargins, Qt, QUrl, Slot
from PySide6.QtGui import QAction, QDesktopServices, QKeySequence
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

translate = QCoreApplication.translate

_DIALOG_MARGIN = 32
_KEY_WIDTH = 132
_WIDE = 900
_ICON_SIDE = 64


class KeysDialog(QDialog):
    """Lists the keys of `actions` and those that no menu has. Open it with `open()`."""

    def __init__(self, actions: Iterable[QAction], parent: QWidget):
        super().__init__(parent)
        self.setObjectName("keys_dialog")
        self.setWindowTitle(self.tr("Keyboard shortcuts"))
        native = QKeySequence.SequenceFormat.NativeText
        known = [
            (action.shortcut().toString(native), action.text().replace("&", "").rstrip("…"))
            for action in actions
            if not action.shortcut().isEmpty()
        ]
        page = QWidget()
        page.setObjectName("keys_page")
        column = QVBoxLayout(page)
        column.setContentsMargins(0, 0, 16, 0)
        column.setSpacing(8)
        is_narrow = parent.width() < _WIDE
        for title, rows in (
            (self.tr("Images and conversations"), [*_prompt_keys(), *known, *_answer_keys()]),
            (self.tr("Folder run"), [(_native(keys), text) for keys, text in _run_keys()]),
        ):
            label = QLabel(title)
            label.setProperty("class", "section")
            column.addWidget(label)
            column.addLayout(_grid(rows, 1 if is_narrow else 2))
            column.addSpacing(12)
        area = QScrollArea()
        area.setFrameShape(QFrame.Shape.NoFrame)
        area.setWidgetResizable(True)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setWidget(page)
        content = QVBoxLayout()
        content.addWidget(area)
        _add_close_button(self, content)
        wanted = page.sizeHint().grownBy(QMargins(48, 48, 64, 80))
        most = parent.size().shrunkBy(QMargins(*[_DIALOG_MARGIN // 2] * 4))
        self.resize(wanted.boundedTo(most))


def _prompt_keys() -> list[tuple[str, str]]:
    return [
        ("Enter", translate("KeysDialog", "Ask")),
        ("Shift+Enter", translate("KeysDialog", "Insert line break")),
        (translate("KeysDialog", "Up, Down"), translate("KeysDialog", "Earlier prompts")),
    ]


def _answer_keys() -> list[tuple[str, str]]:
    return [
        (
            translate("KeysDialog", "Arrows, Esc"),
            translate("KeysDialog", "Move between the words of an answer, leave them"),
        ),
        (
            translate("KeysDialog", "0, 1, +, −, wheel"),
            translate("KeysDialog", "Zoom, on the image"),
        ),
    ]


def _run_keys() -> list[tuple[str, str]]:
    return [
        ("Ctrl+Return", translate("KeysDialog", "Start, resume")),
        ("Ctrl+T", translate("KeysDialog", "Try on a few images first")),
        ("Ctrl+P", translate("KeysDialog", "Pause")),
        ("Esc", translate("KeysDialog", "Stop now, inside a caption")),
        ("Ctrl+Shift+P", translate("KeysDialog", "Stop after the current image")),
        ("Ctrl+Shift+R", translate("KeysDialog", "Retry failed images")),
        ("Ctrl+Shift+Z", translate("KeysDialog", "Undo run")),
        ("Ctrl+Shift+N", translate("KeysDialog", "New run")),
        ("Ctrl+F", translate("KeysDialog", "Find in names and captions")),
        ("Ctrl+H", translate("KeysDialog", "Replace in captions")),
        ("Ctrl+D", translate("KeysDialog", "Find doubtful words")),
        ("Ctrl+Z", translate("KeysDialog", "Undo last edit")),
        ("F2", translate("KeysDialog", "Edit caption")),
        ("Enter, Shift+Enter", translate("KeysDialog", "Save caption, insert line break")),
        ("Tab, Shift+Tab", translate("KeysDialog", "Save caption, edit the next or previous one")),
        ("Return", translate("KeysDialog", "Show image")),
        ("Ctrl+C", translate("KeysDialog", "Copy caption")),
        ("Menu", translate("KeysDialog", "Open the menu of the row")),
    ]


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
        key_label.setMinimumWidth(_KEY_WIDTH)
        row, column = number % half, 3 * (number // half)
        grid.addWidget(key_label, row, column)
        grid.addWidget(QLabel(words), row, column + 1)
    return grid


def _native(keys: str) -> str:
    """Returns keys as the system writes them; anything else unchanged."""
    parts = [QKeySequence(key).toString(QKeySequence.SequenceFormat.NativeText) or key
             for key in keys.split(", ")]  # fmt: skip
    return ", ".join(parts)


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
                "Everything happens on this computer. No image and no text leaves it."
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
