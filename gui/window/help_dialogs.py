"""The dialogs of the Help menu: keyboard shortcuts, and what Onlooker is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from PySide6.QtCore import QMargins, Qt, QUrl, Slot
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

_BEFORE = (("Enter", "Ask"), ("Shift+Enter", "Break the line"), ("Up, Down", "Earlier prompts"))
_AFTER = (
    ("Arrows, Esc", "From word to word, in an answer; leave"),
    ("0, 1, +, −, wheel", "Zoom, on the picture"),
)
_FOLDER_RUN = (
    ("Ctrl+Return", "Start; go on"),
    ("Ctrl+T", "Try on a few images first"),
    ("Ctrl+P", "Pause"),
    ("Esc", "Stop now, inside a caption"),
    ("Ctrl+Shift+P", "Stop after this one"),
    ("Ctrl+Shift+R", "Retry failed"),
    ("Ctrl+Shift+Z", "Undo the run"),
    ("Ctrl+Shift+N", "New run"),
    ("Ctrl+F", "Find in names and captions"),
    ("Ctrl+H", "Replace in captions"),
    ("Ctrl+D", "Find the most doubtful word of each"),
    ("Ctrl+Z", "Undo the last edit"),
    ("F2", "Edit the caption"),
    ("Enter, Shift+Enter", "Keep it, break its line"),
    ("Tab, Shift+Tab", "Keep it, edit the next or the one before"),
    ("Return", "Look at the image"),
    ("Ctrl+C", "Copy the caption"),
    ("Menu", "What else can be done to the row"),
)
_DIALOG_MARGIN = 32
_KEY_WIDTH = 132
_WIDE = 900
_ICON_SIDE = 64


class KeysDialog(QDialog):
    """Lists the keys of `actions` and those that no menu has. Open it with `open()`."""

    def __init__(self, actions: Iterable[QAction], parent: QWidget):
        super().__init__(parent)
        self.setObjectName("keys_dialog")
        self.setWindowTitle("Keyboard shortcuts")
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
            ("Pictures and conversations", [*_BEFORE, *known, *_AFTER]),
            ("Folder run", [(_native(keys), words) for keys, words in _FOLDER_RUN]),
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
        self.setWindowTitle("About Onlooker")
        icon = QLabel()
        icon.setPixmap(self.windowIcon().pixmap(_ICON_SIDE, _ICON_SIDE))
        title = QLabel("Onlooker")
        title.setProperty("class", "title")
        words = QLabel(
            "Looks at pictures and tells, word by word, what it sees.\n"
            "Everything happens on this computer; no picture and no word leaves it."
        )
        makers = QLabel(
            f"Version {program_version()}, under the Apache licence 2.0. It stands on the work "
            "of others, Qt, PyTorch and transformers among them, each under its own licence.",
            wordWrap=True,
        )
        makers.setProperty("class", "explanation")
        column = QVBoxLayout()
        column.setSpacing(12)
        for part in (icon, title, words, makers):
            column.addWidget(part)
        buttons = _add_close_button(self, column)
        licences = buttons.addButton("Licences", QDialogButtonBox.ButtonRole.ActionRole)
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
