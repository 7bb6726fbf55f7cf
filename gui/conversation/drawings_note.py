"""The line above a conversation that says which images the built-in model knows."""

from __future__ import annotations

from PySide6.QtCore import QCoreApplication, QEvent, QObject, Qt
from PySide6.QtWidgets import QWidget

from gui.widgets.labels import LinkLabel

translate = QCoreApplication.translate

_LEAST_HEIGHT = 100

_LINK = '<a href="model" style="text-decoration: none; font-weight: 600">{text}</a>'


class DrawingsNote(LinkLabel):
    """A line of text; `linkActivated` asks for the other model. Where `view` is low, the answers in
    it have the room."""

    def __init__(self, view: QWidget) -> None:
        known = translate("TranscriptView", "The built-in model knows drawings, not photos.")
        link = translate("TranscriptView", "Load LLaVA-1.5…").replace(" ", "&nbsp;")
        super().__init__(f"{known} {_LINK.format(text=link)}")
        self.setObjectName("drawings_label")
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.NoContextMenu)
        self._view, self._is_wanted = view, False
        view.installEventFilter(self)
        self.hide()

    def set_wanted(self, is_wanted: bool) -> None:
        """Shows or hides it."""
        self._is_wanted = is_wanted
        self._place()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Resize and watched is self._view:
            self._place()
        return False

    def _place(self) -> None:
        self.setVisible(self._is_wanted and self._view.height() >= _LEAST_HEIGHT)
