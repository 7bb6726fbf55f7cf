"""The line above a conversation that says which images the built-in model knows."""

from __future__ import annotations

from PySide6.QtCore import QCoreApplication, Qt

from gui.widgets.labels import LinkLabel

translate = QCoreApplication.translate

_LINK = '<a href="model" style="text-decoration: none; font-weight: 600">{text}</a>'


class DrawingsNote(LinkLabel):
    """A line of text; `linkActivated` asks for the other model."""

    def __init__(self) -> None:
        known = translate("TranscriptView", "The built-in model knows drawings, not photos.")
        link = translate("TranscriptView", "Load LLaVA-1.5…").replace(" ", "&nbsp;")
        super().__init__(f"{known} {_LINK.format(text=link)}")
        self.setObjectName("drawings_label")
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.NoContextMenu)
        self.hide()
