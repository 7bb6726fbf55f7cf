"""Labels that are built the same way all over the window."""

from __future__ import annotations

from functools import partial

from PySide6.QtCore import QCoreApplication, QEvent, QPoint, QSize, Qt
from PySide6.QtGui import QGuiApplication, QPaintEvent, QTextDocumentFragment
from PySide6.QtWidgets import QLabel, QMenu, QSizePolicy, QWidget

from gui.widgets.line_break import unbroken
from gui.widgets.text_index import TextIndex

translate = QCoreApplication.translate


def paragraph(text: str = "", style: str = "", *, is_selectable: bool = True) -> QLabel:
    """Returns a label that wraps its lines and takes markup for plain text.

    `style` is its class in the stylesheet.
    """
    label = QLabel(text)
    if style:
        label.setProperty("class", style)
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setWordWrap(True)
    label.setIndent(0)
    if is_selectable:
        make_selectable(label)
    return label


def make_selectable(label: QLabel, *, by_keyboard: bool = False) -> None:
    """Lets text of a label be selected and copied, with a menu of our own rather than Qt's."""
    flags = Qt.TextInteractionFlag
    keyboard = flags.TextSelectableByKeyboard if by_keyboard else flags.NoTextInteraction
    label.setTextInteractionFlags(flags.TextSelectableByMouse | keyboard)
    label.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
    label.customContextMenuRequested.connect(partial(_open_text_menu, label))


def _open_text_menu(label: QLabel, at: QPoint) -> None:
    menu = QMenu(label)
    menu.setObjectName("text_menu")
    copy = menu.addAction(translate("TextMenu", "&Copy"))
    copy.setEnabled(label.hasSelectedText())
    copy.triggered.connect(partial(_copy, label))
    select = menu.addAction(translate("TextMenu", "Select &all"))
    select.setEnabled(bool(label.text()))
    select.triggered.connect(partial(_select_all, label))
    menu.aboutToHide.connect(menu.deleteLater)
    menu.popup(label.mapToGlobal(at))


def _copy(label: QLabel, checked: bool = False) -> None:
    QGuiApplication.clipboard().setText(unbroken(label.selectedText()))


def _select_all(label: QLabel, checked: bool = False) -> None:
    text, is_rich = label.text(), label.textFormat() is Qt.TextFormat.RichText
    plain = QTextDocumentFragment.fromHtml(text).toPlainText() if is_rich else text
    label.setSelection(0, TextIndex(plain).to_qt(len(plain)))


class RoomyLabel(QLabel):
    """Wrapped text in the middle of whatever room there is; nothing where it has not enough."""

    def __init__(self, text: str, parent: QWidget | None = None):
        super().__init__(text, parent)
        self.setWordWrap(True)
        self.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Ignored)

    def minimumSizeHint(self) -> QSize:
        return QSize(super().minimumSizeHint().width(), 0)

    def hasHeightForWidth(self) -> bool:
        # Layouts would take the height of its lines for the least height.
        return False

    def paintEvent(self, event: QPaintEvent) -> None:
        if self.height() >= self.heightForWidth(self.width()):
            super().paintEvent(event)


class LinkLabel(QLabel):
    """Wrapped text with links, which take the colours of the theme in use.

    Qt writes the colour of links into a text when it is set, and leaves it there.
    """

    def __init__(self, text: str, parent: QWidget | None = None):
        super().__init__(text, parent)
        self.setWordWrap(True)
        self.setIndent(0)
        self.setTextInteractionFlags(
            Qt.TextInteractionFlag.LinksAccessibleByMouse
            | Qt.TextInteractionFlag.LinksAccessibleByKeyboard
        )

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange:
            text = self.text()
            self.clear()
            self.setText(text)
